"""What owners want, from the as-built file and the vehicle's screen to the end of a campaign."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from commands.client import Campaigns
from simulator import Script
from simulator.phase import Phase
from tests.system.garage import Garage, by_state, definition, launch, stage, starter, until

pytestmark = pytest.mark.timeout(180)

ZONE = "Europe/Berlin"


def hours(begin: int, end: int) -> dict[str, str]:
    """A window of so many hours from now, by the clock of the zone."""
    local = datetime.now(ZoneInfo(ZONE))
    return {
        name: f"{(local + timedelta(hours=offset)):%H:%M}" for name, offset in (("from", begin), ("to", end))
    }


async def reasons(environment: dict[str, str], campaign: str) -> dict[str, int]:
    """Why vehicles wait, as the command line tells it."""
    found: list[dict[str, Any]] = json.loads(await starter(environment, "waiting", campaign, "--json"))
    return {each["reason"]: each["vehicles"] for each in found}


async def test_a_vehicle_waits_for_its_owners_window_and_is_updated_inside_it(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    later = {"timezone": ZONE, "install_window": hours(6, 8)}
    vehicles = garage.build(20, block=51, wishes=[later] * 10)
    launched = await launch(campaigns, definition(vehicles, name="Windows"))
    async with garage.drive(vehicles) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 10)
    seen = await until(campaigns, launched.workflow_id, lambda s: by_state(s).get("succeeded") == 10)
    assert by_state(seen) == {"succeeded": 10, "pending": 10}
    assert garage.attempts(seen.campaign_id, "pending") == {0: 10}
    assert await reasons(environment, launched.workflow_id) == {"outside_window": 10}
    still = await until(campaigns, launched.workflow_id, lambda s: "10 outside their install" in s.waiting)
    assert still.waiting.startswith("nobody is under way; waiting (counted at ")
    assert "the next opens at " in still.waiting
    shown = await starter(environment, "status", launched.workflow_id)
    assert "│ nobody is under way; waiting (counted at " in shown
    garage.rewrite(vehicles, [{"timezone": ZONE, "install_window": hours(-1, 2)}] * 10)
    async with garage.drive(vehicles):
        done = await until(campaigns, launched.workflow_id, stage("Completed"))
    assert by_state(done) == {"succeeded": 20}


async def test_owners_are_asked_and_only_who_confirms_is_updated(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(40, block=52)
    document = definition(vehicles, name="Asked", interaction="confirm")
    launched = await launch(campaigns, document)
    began = datetime.now(UTC)
    script = Script(denials=0.3, postponements=0.3)
    async with garage.drive(vehicles, script) as fleet:
        # Each owner has spoken, and each who agreed is done.
        await fleet.until(
            lambda: (
                (words := garage.consents(launched.status.campaign_id)).total() == 40
                and fleet.totals[Phase.SUCCEEDED] == words["confirmed"]
            )
        )
    words = garage.consents(launched.status.campaign_id)
    assert min(words["confirmed"], words["denied"], words["postponed"]) > 5
    seen = await until(
        campaigns, launched.workflow_id, lambda s: by_state(s).get("succeeded") == words["confirmed"]
    )
    assert by_state(seen) == {"succeeded": words["confirmed"], "pending": 40 - words["confirmed"]}
    assert await reasons(environment, launched.workflow_id) == {
        "denied": words["denied"],
        "postponed": words["postponed"],
    }
    with garage.database() as connection:
        rows = connection.execute(
            "SELECT DISTINCT message_version, at > %s FROM consent WHERE campaign_id = %s",
            [began, seen.campaign_id],
        ).fetchall()
    assert rows == [("1", True)]


async def test_a_recall_reaches_the_vehicles_whose_owners_want_no_updates(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(20, block=53, wishes=[{"update_preference": "never"}] * 10)
    general = await launch(campaigns, definition(vehicles, name="A better radio"))
    async with garage.drive(vehicles) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 10)
        assert await reasons(environment, general.workflow_id) == {"unwanted": 10}
        await campaigns.command(general.workflow_id, "abort", "ann", "the recall brings it")
        await until(campaigns, general.workflow_id, stage("Aborted"))
    recall = await launch(campaigns, definition(vehicles, name="Brakes", type="recall"))
    async with garage.drive(vehicles):
        done = await until(campaigns, recall.workflow_id, stage("Completed"))
    assert by_state(done) == {"succeeded": 10}
