"""The targets of a campaign written down: the facts they were chosen by, once each, and a row per target.

The choice is kept in a temporary table first, for PostgreSQL computes it on all cores then: a statement that
writes rows anybody else can see is never parallel.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    cast,
    column,
    func,
    insert,
    literal_column,
    select,
    table,
)
from sqlmodel import col

from campaign.definition import Definition
from campaign.package import Package
from store.selection import chosen, ecus_sql, facts
from store.tables import AssignmentRow, ConfigurationRow


def freeze(connection: Connection, campaign_id: int, definition: Definition, package: Package) -> None:
    """Write ``configuration`` and ``assignment`` for the targets as things stand now."""
    targets = chosen(connection, definition, package)
    found = _keep(connection, "chosen", select(targets))
    combinations = select(*facts(found)).distinct().cte("combinations").prefix_with("MATERIALIZED")
    ecus = ecus_sql(package, combinations)
    place = (combinations.c.model, combinations.c.country, combinations.c.region)
    words = [func.coalesce(each, "") for each in place]
    key = func.md5(func.concat_ws("\n", *words, cast(ecus, Text)))
    configurations = (
        insert(ConfigurationRow)
        .from_select(
            ["campaign_id", "key", "model", "country", "region", "ecus"],
            select(_constant(campaign_id), key, *place, ecus),
        )
        .returning(col(ConfigurationRow.id), col(ConfigurationRow.key))
        .cte("configurations")
    )
    known = (
        select(configurations.c.id, *facts(combinations))
        .join_from(combinations, configurations, configurations.c.key == key)
        .cte("known")
        .prefix_with("MATERIALIZED")
    )
    same = [_or_nothing(one) == _or_nothing(known.c[one.key]) for one in facts(found)]
    connection.execute(
        insert(AssignmentRow).from_select(
            ["vehicle_id", "campaign_id", "phase", "configuration_id", "state", "attempt", "cancel_wanted"],
            select(
                found.c.vehicle_id,
                _constant(campaign_id),
                found.c.phase,
                known.c.id,
                literal_column("'pending'"),
                literal_column("0"),
                literal_column("false"),
            )
            .join_from(found, known, and_(*same))
            # The primary key grows at its end only.
            .order_by(found.c.vehicle_id),
        )
    )


def _keep(connection: Connection, name: str, statement: Select[Any]) -> FromClause:
    """The rows of a statement in a temporary table, until the transaction ends."""
    # SQLAlchemy's own SELECT INTO would write the values into the text and keep the table.
    compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {compiled}", compiled.params)
    # Without it the planner takes each target for a configuration of its own.
    connection.exec_driver_sql(f"ANALYZE {name}")
    return table(name, *(column(str(each.key), each.type) for each in statement.selected_columns))


def _or_nothing(fact: Any) -> Any:
    """Unknown equals unknown, in a way that a hash join can use."""
    return func.coalesce(fact, "") if fact.key in ("country", "region") else fact


def _constant(number: int) -> ColumnElement[int]:
    return literal_column(str(int(number)), Integer)
