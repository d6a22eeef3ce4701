"""What a supervision tells the workflow, and what it keeps to itself."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaign.assignment import Tally, Target
from campaign.breach import Breach
from campaign.cohorts import Culprit
from campaign.guards import PLAIN_GUARD
from campaign.promotion import Decision
from campaign.supervision import Caution, Finding, Mode, Observation, PhaseView, Watch, find
from campaign.verdict import Counts, evaluate

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
VERDICT = evaluate(PLAIN_GUARD, Counts(started=1, finished=1, failed=1))
WARNING = Caution(phase=1, verdict=VERDICT.model_copy(update={"guard": "soft"}))
SECOND = Caution(phase=1, verdict=VERDICT)
PROVEN, UNPROVEN = (Decision(advance=advance, sentence="so it is") for advance in (True, False))
CULPRIT = Culprit(cohort="hw_id=A", failed=41, finished=50, of_failed=43, of_finished=1000)
BREACH = Breach(phase=1, phase_name="one", verdict=VERDICT)

GOING = {Target.SUCCEEDED: 1, Target.PENDING: 9}
DONE = {Target.SUCCEEDED: 10}
UNHEARD = {Target.PENDING: 10}
FLYING = {Target.SUCCEEDED: 9, Target.INSTALLING: 1}


def watch(mode: Mode = Mode.ROLLING_OUT, **changes: Any) -> Watch:
    return Watch.model_validate(
        {
            "campaign_id": 1,
            "seq": 5,
            "phase": 1,
            "mode": mode,
            "checkpoint_at": NOW + HOUR,
            "quorum_percent": Decimal(100),
            "deadline": 24 * HOUR,
        }
        | changes
    )


def seen(by: dict[Target, int], released: timedelta | None = HOUR, **changes: Any) -> Observation:
    view = PhaseView(
        number=1,
        name="one",
        tally=Tally(by_state=by),
        verdict=VERDICT,
        released_at=None if released is None else NOW - released,
    )
    return Observation.model_validate(
        {"at": NOW, "gate_open": True, "gate_seq": 5, "phases": (view,)} | changes
    )


HOLD, BAKE, PROVE = Mode.HOLDING, Mode.BAKING, Mode.PROVING

#: given, then what is found.
TABLE: dict[str, tuple[Watch, Observation, Finding | None]] = {
    "on its way": (watch(), seen(GOING), None),
    "gate written by another": (watch(), seen(DONE, gate_seq=6, breach=BREACH), Finding.SUPERSEDED),
    "gate of an earlier order": (watch(), seen(GOING, gate_seq=4), None),
    "breach": (watch(), seen(DONE, gate_open=False, breach=BREACH), Finding.BREACH),
    "breach while baking": (watch(BAKE), seen(DONE, gate_open=False, breach=BREACH), Finding.BREACH),
    "breach while holding": (watch(HOLD), seen(GOING, gate_open=False, breach=BREACH), Finding.BREACH),
    "breach already known": (
        watch(HOLD, breach_known=True),
        seen(GOING, gate_open=False, breach=BREACH),
        None,
    ),
    "breach while proving": (watch(PROVE), seen(DONE, gate_open=False, breach=BREACH), Finding.BREACH),
    "culprit of a breach that is known": (
        watch(HOLD, breach_known=True),
        seen(GOING, gate_open=False, breach=BREACH, culprit=CULPRIT),
        Finding.CULPRIT,
    ),
    "culprit that is known": (
        watch(HOLD, breach_known=True, culprits=("hw_id=A",)),
        seen(GOING, gate_open=False, breach=BREACH, culprit=CULPRIT),
        None,
    ),
    "another culprit than the one that is known": (
        watch(HOLD, breach_known=True, culprits=("hw_id=B",)),
        seen(GOING, gate_open=False, breach=BREACH, culprit=CULPRIT),
        Finding.CULPRIT,
    ),
    "the first culprit again, after another one": (
        watch(HOLD, breach_known=True, culprits=("hw_id=A", "hw_id=B")),
        seen(GOING, gate_open=False, breach=BREACH, culprit=CULPRIT),
        None,
    ),
    "culprit no more": (
        watch(HOLD, breach_known=True, culprits=("hw_id=A",)),
        seen(GOING, gate_open=False, breach=BREACH),
        None,
    ),
    "culprit of a breach that is new": (
        watch(),
        seen(GOING, gate_open=False, breach=BREACH, culprit=CULPRIT),
        Finding.BREACH,
    ),
    "culprit without a breach": (watch(), seen(GOING, culprit=CULPRIT), None),
    "withdrawn": (watch(), seen(DONE, gate_open=False, withdrawn="unsafe"), Finding.WITHDRAWN),
    "withdrawn while baking": (watch(BAKE), seen(DONE, withdrawn="unsafe"), Finding.WITHDRAWN),
    "withdrawn while proving": (
        watch(PROVE),
        seen(DONE, withdrawn="unsafe", promotion=PROVEN),
        Finding.WITHDRAWN,
    ),
    "withdrawn while holding": (watch(HOLD), seen(GOING, gate_open=False, withdrawn="unsafe"), None),
    "withdrawn and breached": (watch(), seen(DONE, breach=BREACH, withdrawn="unsafe"), Finding.WITHDRAWN),
    "warning": (watch(), seen(GOING, warnings=(WARNING,)), Finding.WARNING),
    "warning while baking": (watch(BAKE), seen(DONE, warnings=(WARNING,)), Finding.WARNING),
    "warning while holding": (
        watch(HOLD),
        seen(GOING, gate_open=False, warnings=(WARNING,)),
        Finding.WARNING,
    ),
    "warning already told": (watch(warned=("1/soft",)), seen(GOING, warnings=(WARNING, WARNING)), None),
    "a second guard warns": (
        watch(warned=("1/soft",)),
        seen(GOING, warnings=(WARNING, SECOND)),
        Finding.WARNING,
    ),
    "the same guard warns in another phase": (
        watch(warned=("1/soft",)),
        seen(GOING, warnings=(WARNING, WARNING.model_copy(update={"phase": 2}))),
        Finding.WARNING,
    ),
    "warning and processed": (watch(), seen(DONE, warnings=(WARNING,)), Finding.WARNING),
    "warned and processed": (watch(warned=("1/soft",)), seen(DONE, warnings=(WARNING,)), Finding.PROCESSED),
    "proven": (watch(PROVE), seen(DONE, promotion=PROVEN), Finding.PROVEN),
    "not proven": (watch(PROVE), seen(DONE, promotion=UNPROVEN), None),
    "not judged": (watch(PROVE), seen(DONE), None),
    "proven while baking": (watch(BAKE), seen(DONE, promotion=PROVEN), None),
    "proven while rolling out": (watch(), seen(GOING, promotion=PROVEN), None),
    "proven while holding": (watch(HOLD), seen(DONE, gate_open=False, promotion=PROVEN), None),
    "proven behind a gate that is shut": (
        watch(PROVE),
        seen(DONE, gate_open=False, promotion=PROVEN),
        Finding.GATE_SHUT,
    ),
    "not proven at a checkpoint": (
        watch(PROVE, checkpoint_at=NOW),
        seen(DONE, promotion=UNPROVEN),
        Finding.CHECKPOINT,
    ),
    "gate shut from outside": (watch(), seen(GOING, gate_open=False), Finding.GATE_SHUT),
    "gate shut while baking": (watch(BAKE), seen(GOING, gate_open=False), Finding.GATE_SHUT),
    "gate shut while holding": (watch(HOLD), seen(DONE, gate_open=False), None),
    "processed": (watch(), seen(DONE), Finding.PROCESSED),
    "quorum reached": (watch(quorum_percent=Decimal(10)), seen(GOING), Finding.PROCESSED),
    "quorum reached, one in flight": (watch(quorum_percent=Decimal(10)), seen(FLYING), None),
    "processed while baking": (watch(BAKE), seen(DONE), None),
    "just before the deadline": (watch(), seen(GOING, 24 * HOUR - timedelta(seconds=1)), None),
    "deadline": (watch(), seen(GOING, 24 * HOUR), Finding.PROCESSED),
    "deadline with some in flight": (watch(), seen(FLYING, 24 * HOUR), Finding.PROCESSED),
    "deadline without any answer": (watch(), seen(UNHEARD, 24 * HOUR), Finding.NOTHING_KNOWN),
    "deadline with cancelled only": (
        watch(),
        seen({Target.CANCELLED: 1, Target.PENDING: 1}, 24 * HOUR),
        Finding.NOTHING_KNOWN,
    ),
    "deadline with failed downloads only": (
        watch(),
        seen({Target.DOWNLOAD_FAILED: 1, Target.PENDING: 1}, 24 * HOUR),
        Finding.PROCESSED,
    ),
    "deadline with excluded only": (
        watch(),
        seen({Target.EXCLUDED: 1, Target.PENDING: 1}, 24 * HOUR),
        Finding.NOTHING_KNOWN,
    ),
    "processed while proving": (watch(PROVE), seen(DONE), None),
    "deadline while baking": (watch(BAKE), seen(GOING, 24 * HOUR), None),
    "not released yet": (watch(), seen(UNHEARD, None), None),
    "checkpoint": (watch(checkpoint_at=NOW), seen(GOING), Finding.CHECKPOINT),
    "checkpoint while baking": (watch(BAKE, checkpoint_at=NOW), seen(DONE), Finding.CHECKPOINT),
    "checkpoint while holding": (
        watch(HOLD, checkpoint_at=NOW),
        seen(GOING, gate_open=False),
        Finding.CHECKPOINT,
    ),
    "processed at a checkpoint": (watch(checkpoint_at=NOW), seen(DONE), Finding.PROCESSED),
}


@pytest.mark.parametrize(("order", "observation", "finding"), TABLE.values(), ids=list(TABLE))
def test_the_workflow_hears_what_it_has_to_decide(
    order: Watch, observation: Observation, finding: Finding | None
) -> None:
    assert find(order, observation) is finding


def test_the_watched_phase_is_judged_and_not_another() -> None:
    first, second = (seen(by).phase(1).model_copy(update={"number": n}) for n, by in ((1, DONE), (2, GOING)))
    both = seen(DONE, phases=(first, second))
    assert find(watch(phase=1), both) is Finding.PROCESSED
    assert find(watch(phase=2), both) is None
    assert both.phase(2) is second
    assert both.total == first.tally + second.tally
