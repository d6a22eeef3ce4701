"""A campaign that rolls out by the store's own hand, without Temporal: for what is measured below it."""

from datetime import UTC, datetime, timedelta

from campaign.definition import parse
from campaign.lifecycle import State
from store import gate
from store.campaigns import register, select_targets
from store.connect import engine

_RELEASE = "UPDATE phase SET allowance = size, released_at = clock_timestamp() WHERE campaign_id = %(id)s"
_CAP = "UPDATE campaign SET in_flight = 1000000 WHERE id = %(id)s"


def roll_out(url: str, model: str, **more: object) -> int:
    """Select the vehicles of a model and let all of them be admitted; the campaign's id."""
    document = {
        "name": f"Campaign {model}",
        "package": "Pkg_v2.4",
        "criteria": model,
        "phases": [{"rollout_percent": 100}],
        **more,
    }
    database = engine(url)
    with database.begin() as connection:
        definition = parse(document, datetime.now(UTC))
        campaign = register(connection, definition, definition.name, "bench").campaign_id
        select_targets(connection, campaign)
        gate.open_gate(connection, campaign, 1, State.ROLLING_OUT, timedelta(days=1), new_window=False)
        connection.exec_driver_sql(_RELEASE, {"id": campaign})
        connection.exec_driver_sql(_CAP, {"id": campaign})
    database.dispose()
    return campaign
