"""Whatever vehicles say in whatever order: states never move backwards, and counts are what they count."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign.action import action_id, split
from campaign.assignment import (
    ATTEMPTS,
    HARMED,
    OPEN,
    TERMINAL,
    WAITING,
    Happening,
    Said,
    Target,
    after,
    meaning,
)
from store.reports import Channel, Effect, Report
from tests.store.fleet import Fleet, Gateway, cars, plain, report

VEHICLES = 3
#: What all of them ran before.
OLD = {"sw_version.Radar": "1.3.0"}
INSTALLED = HARMED | {Target.INSTALLING, Target.SUCCEEDED}
_ROWS = (
    "SELECT vehicle_id, state, attempt, coalesce(fetched_at >= offered_at, false), fetched_at IS NOT NULL, "
    "files <> 0 FROM assignment ORDER BY 1"
)

#: The state of a vehicle, its attempt, whether it fetched an artifact in this attempt or in any, and whether
#: that counts as a proof.
Row = tuple[Target, int, bool, bool, bool]
_LOG = "SELECT vehicle_id, attempt, channel, execution, finished, details FROM report ORDER BY id"


def earlier(state: Target, said: Report, *, ever: bool, proof: bool) -> Target | None:
    """The outcome of an attempt before the present one, while that has not begun."""
    event = meaning(said.said, fetched=ever, complete=proof)
    begun = ever or event is Happening.HARM
    new = after(Target.STALLED, event)
    counts = begun and said.channel == "deployment" and state in WAITING and new in ATTEMPTS
    return new if counts else None


@dataclass(frozen=True)
class Tell:
    """A vehicle reports on its attempt, on the one before, or on one that does not exist yet."""

    vehicle: int
    said: Said
    attempt: int
    channel: Channel


SAID = st.builds(
    Said,
    execution=st.sampled_from(
        ["closed", "closed", "closed", "proceeding", "rejected", "download", "canceled"]
    ),
    finished=st.sampled_from(["success", "failure", "none"]),
    code=st.none(),
    details=st.sampled_from(
        [(), (), ("Skipped Update.",), ("rolled back",), ("critical: no brakes",), ("download failed",)]
    ),
)
TELLS = st.builds(
    Tell,
    vehicle=st.integers(0, VEHICLES - 1),
    said=SAID,
    attempt=st.sampled_from([0, 0, 0, 0, -1, 1]),
    channel=st.sampled_from(["deployment", "deployment", "deployment", "cancel"]),
)
STEPS = st.lists(
    st.one_of(
        st.just("admit"),
        st.just("begin"),
        st.just("start"),
        st.just("again"),
        st.sampled_from(["silence", "open"]),
        st.sampled_from(["shut", "cancel", "stall", "due", "disprove"]),
        st.lists(TELLS, min_size=1, max_size=4),
    ),
    min_size=6,
    max_size=25,
)


class Run:
    """One campaign over three vehicles, brought back to its first rows for each example."""

    def __init__(self, fleet: Fleet, gateway: Gateway) -> None:
        self.fleet, self.gateway = fleet, gateway
        self.ids = fleet.add(cars(VEHICLES))
        self.campaign = fleet.launch(guards=plain("0.99"))
        self.seq = 1

    def reset(self) -> None:
        self.known: list[Report] = []
        self.acknowledged: set[int] = set()
        self.fleet.run("DELETE FROM report")
        self.fleet.run("DELETE FROM software_change")
        self.fleet.run("UPDATE campaign SET gate_open = true, breach = NULL, shut_at = NULL")
        self.fleet.run(
            "UPDATE assignment SET state = 'pending', attempt = 0, fetched_at = NULL, heard_at = NULL, "
            "offered_at = NULL, finished_at = NULL, not_before = NULL, cancel_wanted = false, slice = NULL, "
            "files = 0"
        )
        self.fleet.run("UPDATE tally SET acknowledged = 0")
        self.fleet.run("UPDATE ecu SET sw_version = built_version")  # or nobody would be admitted again

    def rows(self) -> dict[int, Row]:
        return {row[0]: (Target(row[1]), *row[2:]) for row in self.fleet.rows(_ROWS)}

    async def step(self, step: Any) -> None:
        if step == "admit":
            await self.gateway.admit(*self.ids)
        elif step == "begin":
            for vehicle, (_, attempt, *_) in self.rows().items():
                await self.gateway.begin(vehicle, action_id(self.campaign, max(attempt, 1)))
        elif step == "again":
            await self.step("due")
            await self.step("admit")
        elif step == "start":
            await self.step("admit")
            await self.step("begin")
            for vehicle, (state, attempt, *_) in self.rows().items():
                if state is Target.DOWNLOADING:
                    said = report(vehicle, action_id(self.campaign, attempt), "proceeding")
                    await self.gateway.record(said)
                    self.known.append(said)
        elif step == "shut":
            self.seq += 1
            self.fleet.shut(self.campaign, self.seq)
        elif step == "open":
            self.seq += 1
            self.fleet.open(self.campaign, self.seq, new_window=True)
            self.acknowledged = {each for each, row in self.rows().items() if row[0] in ATTEMPTS}
        elif step == "cancel":
            self.fleet.run("UPDATE assignment SET cancel_wanted = true WHERE state = 'downloading'")
        elif step == "due":
            self.fleet.run(
                "UPDATE assignment SET not_before = clock_timestamp() WHERE not_before IS NOT NULL"
            )
        elif step == "disprove":
            for vehicle in self.ids:
                await self.gateway.configure(vehicle, OLD)
            rows = self.rows()
            assert Target.SUCCEEDED not in {row[0] for row in rows.values()}
            self.acknowledged = {each for each in self.acknowledged if rows[each][0] in ATTEMPTS}
        elif step == "silence":  # of one: the others go on
            self.fleet.run(
                "UPDATE assignment SET state = 'silent', finished_at = clock_timestamp() WHERE vehicle_id = "
                "(SELECT min(vehicle_id) FROM assignment WHERE state = 'installing')"
            )
        else:
            self.fleet.run("UPDATE assignment SET state = 'stalled' WHERE state = 'downloading'")

    async def tell(self, group: list[Tell]) -> None:
        """Report one by one and look at what each changed; then all again, which changes nothing more."""
        sent = []
        for tell in group:
            vehicle = self.ids[tell.vehicle]
            before = self.rows()
            state, attempt, fetched, ever, proof = before[vehicle]
            said = Report(
                vehicle, action_id(self.campaign, max(1, attempt + tell.attempt)), tell.channel, tell.said
            )
            delivering = self.fleet.gate_open(self.campaign)
            [effect] = await self.gateway.record(said)
            sent.append(said)
            now = self.rows()
            assert {v: row for v, row in now.items() if v != vehicle} == {
                v: row for v, row in before.items() if v != vehicle
            }
            new = now[vehicle][0]
            assert now[vehicle][1:] == (attempt, fetched, ever, proof)
            if max(1, attempt + tell.attempt) > attempt:
                assert (effect, new) == (Effect.UNKNOWN, state)
            elif max(1, attempt + tell.attempt) < attempt:
                outcome = earlier(state, said, ever=ever, proof=proof)
                wanted = (Effect.OVER, state) if outcome is None else (Effect.RECORDED, outcome)
                assert (effect, new) == wanted
            elif tell.channel == "cancel":
                assert new in (state, Target.CANCELLED)
            elif meaning(tell.said, fetched=fetched, complete=proof) is Happening.HARM:
                assert new is after(state, Happening.HARM)  # whether it was to begin or not
            elif state is Target.OFFERED and not delivering:
                assert (effect, new) == (Effect.OVER, Target.PENDING)
            elif state in OPEN and not fetched:
                assert new is state  # it was withdrawn before it began: there is no outcome
            else:
                assert new is after(state, meaning(tell.said, fetched=fetched, complete=proof))
            if state in TERMINAL and state not in (Target.SILENT, Target.EXPIRED):
                assert new is state
            if new is Target.SUCCEEDED:
                assert ever
        settled = self.rows()
        self.known += [it for it in sent * 2 if split(it.action)[1] <= settled[it.vehicle_id][1]]
        # What was not started when a failure among them shut the gate is withdrawn.
        asked = {(it.vehicle_id, split(it.action)[1]) for it in sent if it.channel == "deployment"}
        if not self.fleet.gate_open(self.campaign):
            settled = {
                vehicle: (Target.PENDING, *row[1:])
                if row[0] is Target.OFFERED and (vehicle, row[1]) in asked
                else row
                for vehicle, row in settled.items()
            }
        await self.gateway.record(*sent)
        assert self.rows() == settled

    def assert_acknowledged(self) -> None:
        """What was known when the window began; a correction stays acknowledged and takes no other along."""
        rows = self.rows()
        still = [rows[each][0].value for each in self.acknowledged]
        kept = self.fleet.rows(
            "SELECT state, acknowledged FROM tally WHERE acknowledged > 0 AND state <> 'stalled'"
        )
        assert dict(kept) == Counter(still)

    def assert_heard_after_the_offer(self) -> None:
        """Who may be late is found by the time of the offer."""
        early = (
            "SELECT * FROM assignment WHERE state IN ('downloading', 'installing') AND heard_at < offered_at"
        )
        assert self.fleet.rows(early) == []

    def assert_slices(self) -> None:
        """Whoever began to install is in a slice of time, and whoever has a new offer is in none."""
        for state, attempt, in_slice in self.fleet.rows(
            "SELECT state, attempt, slice IS NOT NULL FROM assignment"
        ):
            if Target(state) in INSTALLED:
                assert in_slice
            if Target(state) is Target.OFFERED or attempt == 0:
                assert not in_slice


@pytest.fixture
def run(fleet: Fleet, gateway: Gateway) -> Run:
    return Run(fleet, gateway)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_no_report_moves_a_state_where_the_table_does_not_say(steps: list[Any], run: Run) -> None:
    run.reset()
    for step in steps:
        if isinstance(step, list):
            await run.tell(step)
        else:
            await run.step(step)
        run.fleet.assert_tally()
        run.fleet.assert_remembered(run.campaign)
        run.assert_heard_after_the_offer()
        run.assert_slices()
        run.assert_acknowledged()
    logged = run.fleet.rows(_LOG)
    assert logged == [
        (
            it.vehicle_id,
            split(it.action)[1],
            it.channel,
            it.said.execution,
            it.said.finished,
            list(it.said.details),
        )
        for it in run.known
    ]
    gate = run.fleet.rows("SELECT gate_open, breach IS NULL FROM campaign")
    assert gate != [(True, False)]
