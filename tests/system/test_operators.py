"""What people do to campaigns that run, over the command line, and what becomes of it."""

import json

import pytest

from commands.client import Campaigns
from simulator import Kind, Rule, Script
from simulator.phase import Phase
from tests.system.garage import (
    Garage,
    by_state,
    definition,
    launch,
    settled,
    stage,
    starter,
    until,
)
from tests.system.transcript import told

pytestmark = pytest.mark.timeout(180)

ALL_FAIL = Script(rules=(Rule(share=1, kind=Kind.FAIL),))


async def test_a_stop_after_a_resume_is_told_as_the_second_one(campaigns: Campaigns, garage: Garage) -> None:
    vehicles = garage.build(40, block=33)
    document = definition(vehicles, name="Second stop", limits={"in_flight_floor": 5})
    async with garage.drive(vehicles, ALL_FAIL):
        launched = await launch(campaigns, document)
        await settled(campaigns, launched.workflow_id)
        await campaigns.command(launched.workflow_id, "resume", "ann", "it was the weather")
        again = await until(campaigns, launched.workflow_id, lambda status: status.breaches == 2)
        assert (again.stage, again.window) == ("Paused", 2)
        words = "(stop number 2, in evidence window 2, after the resume by ann: it was the weather)"
        assert words in again.why
        await settled(campaigns, launched.workflow_id)
        await campaigns.command(launched.workflow_id, "abort", "ann", "it was not")
        ended = await told("second-stop", campaigns, garage, launched.workflow_id)
    assert [window.number for window in ended.windows] == [1]
    assert by_state(ended).keys() == {"failed", "expired"}


async def test_a_small_ring_waits_for_a_person_who_promotes_it(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(20, block=32)
    phases = {"name": "canary", "rollout_percent": 50}, {"name": "all", "rollout_percent": 100}
    async with garage.drive(vehicles):
        launched = await launch(
            campaigns, definition(vehicles, *phases, name="Small ring", promotion={"requires": "below_limit"})
        )
        waiting = await until(
            campaigns, launched.workflow_id, lambda s: s.why.startswith("canary waits for a person: ")
        )
        assert (waiting.state, waiting.phases[1].by_state) == ("Active/Baking", {"pending": 10})
        assert waiting.next[0].startswith("promote")
        await starter(
            environment, "promote", launched.workflow_id, "--by", "ann", "--reason", "ten are enough for me"
        )
        done = await told("small-ring", campaigns, garage, launched.workflow_id)
    assert (done.stage, by_state(done)) == ("Completed", {"succeeded": 20})


async def test_a_new_limit_of_a_guard_is_obeyed_at_once_and_written_down(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(40, block=39)
    guard = {"metric": "failure_rate", "mode": "threshold", "limit": "0.9", "min_sample": 10}
    half = Script(rules=(Rule(share=0.5, kind=Kind.FAIL),))
    launched = await launch(campaigns, definition(vehicles, name="New limit", guards=[guard]))
    strict = ["--guard", "failure_rate=0.1", "--by", "ann", "--reason", "one in ten is too many"]
    lax = ["--guard", "failure_rate=0.95", "--by", "ann", "--reason", "a test fleet"]
    async with garage.drive(vehicles.part(0, 20), half):
        going = await until(
            campaigns, launched.workflow_id, lambda s: s.phases[0].succeeded + s.phases[0].failed == 20
        )
        assert (going.stage, going.breaches) == ("Active", 0)
        said = await starter(environment, "limits", launched.workflow_id, *strict)
        assert said == "limits changed by ann: failure_rate > 0.1 (one in ten is too many)\n"
        paused = await until(campaigns, launched.workflow_id, stage("Paused"))
        assert paused.breach is not None
        assert str(paused.breach.verdict.limit) == "0.1"
    async with garage.drive(vehicles.part(20), half):
        await starter(environment, "limits", launched.workflow_id, *lax)
        await campaigns.command(launched.workflow_id, "resume", "ann", "")
        done = await told("new-limit", campaigns, garage, launched.workflow_id)
    assert (done.stage, done.breaches) == ("Completed", 1)


async def test_a_withdrawn_package_stops_everywhere_and_nobody_starts_until_it_is_reinstated(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    brakes, wipers = garage.package("Pkg_brakes"), garage.package("Pkg_wipers")
    one, two, other = (garage.build(20, block=block) for block in (34, 35, 36))
    packages = {"One": (one, brakes), "Two": (two, brakes), "Other": (other, wipers)}
    first, second, third = [
        (await launch(campaigns, definition(vehicles, name=name, package=package))).workflow_id
        for name, (vehicles, package) in packages.items()
    ]
    half = [vehicles.part(0, 10) for vehicles in (one, two, other)]
    rest = [vehicles.part(10) for vehicles in (one, two, other)]
    async with garage.drive(sum(half[1:], half[0])) as fleet:
        await fleet.until(lambda: fleet.totals[Phase.SUCCEEDED] == 30)
    words = ["package", "withdraw", brakes, "--by", "ann", "--reason", "no brakes below zero"]
    assert "stopped: One, Two" in await starter(environment, *words)
    for name in (first, second):
        paused = await until(campaigns, name, stage("Paused"))
        assert paused.why == "paused: the package was withdrawn everywhere by ann: no brakes below zero"
    async with garage.drive(sum(rest[1:], rest[0])) as fleet:
        await until(campaigns, third, stage("Completed"))
        await campaigns.command(first, "resume", "bob", "let us see")
        refused = await until(
            campaigns, first, lambda s: s.stage == "Paused" and s.notes[-1].event != "resume"
        )
        # All vehicles are there and ask, or those of the other campaign would not be done.
        for status in (refused, await campaigns.status(second)):
            assert garage.states(status.campaign_id) == {"succeeded": 10, "pending": 10}
        await fleet.until(lambda: fleet.totals == {Phase.SUCCEEDED: 10, Phase.POLLING: 20})
        await starter(environment, "package", "reinstate", brakes, "--by", "ann")
        for name in (first, second):
            await campaigns.command(name, "resume", "ann", "it was the test bench")
        done = await told("withdrawn", campaigns, garage, first)
        assert by_state(done) == {"succeeded": 20}
        assert by_state(await until(campaigns, second, stage("Completed"))) == {"succeeded": 20}


async def test_failures_keep_the_vehicles_own_code_and_message_in_their_class(
    campaigns: Campaigns, garage: Garage, environment: dict[str, str]
) -> None:
    vehicles = garage.build(40, block=38)
    script = Script(
        rules=(
            Rule(share=0.2, kind=Kind.FAIL, code=77, message="block 9 unreadable"),
            Rule(share=0.2, kind=Kind.ROLLBACK, code=78, message="rolled back: no boot"),
            Rule(share=0.2, kind=Kind.CRITICAL, code=79, message="critical: no lights"),
            Rule(share=0.2, kind=Kind.DOWNLOAD_FAIL, code=80, message="download failed: disk full"),
        )
    )
    # A guard that only tells people: nothing is stopped.
    guard = {"metric": "failure_rate", "mode": "threshold", "limit": "0.02", "action": "notify"}
    async with garage.drive(vehicles, script):
        launched = await launch(campaigns, definition(vehicles, name="Own words", guards=[guard]))
        done = await told("own-words", campaigns, garage, launched.workflow_id)
    assert (done.stage, done.breaches) == ("Completed", 0)
    found = json.loads(await starter(environment, "failures", launched.workflow_id, "--json"))
    assert {(each["kind"], each["code"], each["message"]) for each in found} == {
        ("failed", 77, "block 9 unreadable"),
        ("rolled_back", 78, "rolled back: no boot"),
        ("critical", 79, "critical: no lights"),
        ("download_failed", 80, "download failed: disk full"),
    }
    assert sum(each["vehicles"] for each in found) == done.phases[0].failed
