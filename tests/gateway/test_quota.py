"""How much a vehicle may say of one action; what ends it is always taken."""

import pytest

from campaign.assignment import Said, Target
from gateway.errors import TooMany
from gateway.quota import ENDING, ENTRIES_MAX, LOOK_EVERY, Quota
from store.reports import Effect, Report
from tests.gateway.conftest import NewVehicle
from tests.gateway.world import World


def report(execution: str = "proceeding", vehicle: int = 1) -> Report:
    return Report(vehicle, 129, "deployment", Said(execution=execution, finished="none"))


class Database:
    """Counts what all gateways recorded, and how often it is asked."""

    def __init__(self, entries: int = 0) -> None:
        self.entries = entries
        self.asked = 0

    async def __call__(self, vehicle_id: int, action: int) -> int:
        self.asked += 1
        return min(self.entries, ENTRIES_MAX)


async def say(quota: Quota, database: Database, effect: Effect = Effect.RECORDED) -> None:
    await quota.check(report())
    quota.recorded(report(), effect)
    database.entries += effect is not Effect.UNKNOWN


async def test_exactly_the_quota_is_taken_and_the_database_is_seldom_asked() -> None:
    database = Database()
    quota = Quota(database)
    for _ in range(ENTRIES_MAX):
        await say(quota, database)
    for _ in range(5):
        with pytest.raises(TooMany):
            await say(quota, database)
    assert database.entries == ENTRIES_MAX
    assert database.asked <= ENTRIES_MAX // LOOK_EVERY
    for ending in ENDING:
        await quota.check(report(ending))
    await quota.check(report(vehicle=2))


async def test_what_other_gateways_recorded_counts_and_a_healthy_vehicle_costs_no_question() -> None:
    database = Database(entries=ENTRIES_MAX - 1)
    quota = Quota(database)
    for _ in range(LOOK_EVERY):
        await say(quota, database)
    assert database.asked == 0
    with pytest.raises(TooMany):
        await say(quota, database)


async def test_what_was_not_recorded_does_not_count() -> None:
    database = Database()
    quota = Quota(database)
    for _ in range(2 * ENTRIES_MAX):
        await say(quota, database, Effect.UNKNOWN)
    assert database.asked == 0


async def test_beyond_the_quota_only_the_end_of_an_action_is_recorded(
    new_vehicle: NewVehicle, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.quota.LOOK_EVERY", 0)
    vehicle, number = new_vehicle()
    campaign = world.campaign(world.file())
    action = world.assign(number, campaign, Target.INSTALLING)
    world.report(number, campaign, times=ENTRIES_MAX - 1)
    assert (await vehicle.feedback(action, "proceeding")).status == 200
    refused = await vehicle.feedback(action, "proceeding")
    assert (refused.status, refused.json["errorCode"]) == (429, "ringmaster.tooMany")
    assert world.value("SELECT count(*) FROM report") == ENTRIES_MAX
    assert (await vehicle.feedback(action, "closed", "failure")).status == 200
    assert world.state(number) is Target.FAILED


async def test_fifty_details_are_kept_and_no_more(new_vehicle: NewVehicle, world: World) -> None:
    vehicle, number = new_vehicle()
    action = world.assign(number, world.campaign(world.file()), Target.DOWNLOADING)
    for many, status in ((50, 200), (51, 429)):
        said = {"execution": "download", "result": {"finished": "none"}, "details": ["x"] * many}
        answer = await vehicle.send("POST", f"/deploymentBase/{action}/feedback", json={"status": said})
        assert answer.status == status, many
