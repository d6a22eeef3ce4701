"""The targets of a campaign written down: the facts they were chosen by, once each, and a row per target."""

from sqlalchemy import ColumnElement, Connection, Integer, Text, cast, func, insert, literal_column, select
from sqlmodel import col

from campaign.package import Package
from store.matching import package_sql
from store.selection import Chosen, facts
from store.tables import AssignmentRow, ConfigurationRow, VariantRow

_LEAVE_TARGETED = """
DELETE FROM configuration AS f WHERE campaign_id = %(id)s AND NOT EXISTS (
    SELECT FROM tally AS t WHERE t.campaign_id = %(id)s AND t.configuration_id = f.id)
"""


def freeze(connection: Connection, campaign_id: int, package: Package, targets: Chosen) -> None:
    """Write ``configuration`` and ``assignment`` for the targets."""
    eligible = targets.eligible
    # Of all variants the package fits, though some have no target: to look which takes longer than to take
    # those away again. Variants that differ in other ECUs only are one configuration.
    fitting = package_sql(package, targets.versions)
    *place, ecus = facts(package)
    words = [func.coalesce(each, "") for each in place]
    key = func.md5(func.concat_ws("\n", *words, cast(ecus, Text))).label("key")
    variants = (
        select(col(VariantRow.id).label("variant_id"), *place, ecus, key)
        .where(fitting)
        .cte("variants")
        .prefix_with("MATERIALIZED")
    )
    found = (variants.c.key, variants.c.model, variants.c.country, variants.c.region, variants.c.ecus)
    configurations = (
        insert(ConfigurationRow)
        .from_select(
            ["campaign_id", "key", "model", "country", "region", "ecus"],
            select(_constant(campaign_id), *found).distinct(),
        )
        .returning(col(ConfigurationRow.id), col(ConfigurationRow.key))
        .cte("configurations")
    )
    known = (
        select(variants.c.variant_id, configurations.c.id)
        .join(configurations, configurations.c.key == variants.c.key)
        .cte("known")
        .prefix_with("MATERIALIZED")
    )
    connection.execute(
        insert(AssignmentRow).from_select(
            ["vehicle_id", "campaign_id", "phase", "configuration_id", "state", "attempt", "cancel_wanted"],
            select(
                eligible.c.vehicle_id,
                _constant(campaign_id),
                targets.phase,
                known.c.id,
                literal_column("'pending'"),
                literal_column("0"),
                literal_column("false"),
            )
            .join_from(eligible, known, known.c.variant_id == eligible.c.variant_id)
            .where(targets.member),
        )
    )
    connection.exec_driver_sql(_LEAVE_TARGETED, {"id": campaign_id})


def _constant(number: int) -> ColumnElement[int]:
    return literal_column(str(int(number)), Integer)
