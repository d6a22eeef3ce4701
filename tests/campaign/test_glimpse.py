"""What people see of a tick under way: all of a usual campaign, and never more than Temporal keeps."""

from datetime import UTC, datetime

import pytest

from campaign.assignment import Tally, Target
from campaign.glimpse import MOST, Glimpse
from campaign.guards import STANDARD_GUARDS
from campaign.supervision import Observation, PhaseView, Window
from campaign.verdict import Counts, evaluate
from campaign.waiting import Waits

NOW = datetime(2026, 6, 1, tzinfo=UTC)
COUNTS = Counts(started=1_200_000, finished=1_190_000, failed=31_000, group=2_000_000)
VERDICTS = tuple(evaluate(guard, COUNTS) for guard in STANDARD_GUARDS)
#: As long as what is said of vehicles that wait may be.
LONG = "1234567 " + "refused by their owners, " * 6
TALLY = Tally(by_state=dict.fromkeys((Target.SUCCEEDED, Target.FAILED, Target.PENDING), 1_234_567))


def seen(phases: int, windows: int = 0, verdicts: int = len(VERDICTS)) -> Observation:
    """An observation of a campaign that goes badly, which has the longest sentences."""
    return Observation(
        at=NOW,
        gate_open=True,
        gate_seq=7,
        window=4,
        phases=tuple(
            PhaseView(number=number + 1, name="x" * 100, tally=TALLY, verdict=VERDICTS[1])
            for number in range(phases)
        ),
        verdicts=(VERDICTS * 20)[:verdicts],
        windows=tuple(
            Window(number=number, ended_at=NOW, sentences=("y" * 200,)) for number in range(windows)
        ),
        cap=40,
        excluded=("hw_id=BOSCH-MRR-EVO15",),
        waits=Waits(at=NOW, sentences=(LONG,) * 6),
    )


def test_all_of_a_usual_campaign_is_shown() -> None:
    glimpse = Glimpse.of(seen(phases=2), present=1)
    assert (glimpse.at, glimpse.window, glimpse.cap) == (NOW, 4, 40)
    assert glimpse.verdicts == tuple(verdict.sentence for verdict in VERDICTS)
    assert glimpse.excluded == ("hw_id=BOSCH-MRR-EVO15",)
    assert glimpse.waiting.startswith("nobody is under way; waiting")
    for number in (1, 2):
        phase = glimpse.phase(number)
        assert phase is not None
        assert (phase.tally, phase.verdict) == (TALLY, VERDICTS[1].sentence)


@pytest.mark.parametrize("phases", [1, 4, 100])
@pytest.mark.parametrize("windows", [0, 3])
@pytest.mark.parametrize("verdicts", [1, 6, 100])
def test_no_campaign_has_a_glimpse_that_temporal_would_throw_away(
    phases: int, windows: int, verdicts: int
) -> None:
    glimpse = Glimpse.of(seen(phases, windows, verdicts), present=phases)
    assert len(glimpse.model_dump_json().encode()) <= MOST
    assert glimpse.phase(phases) is not None


def test_the_phases_next_to_the_present_one_go_first() -> None:
    shown = {phase.number for phase in Glimpse.of(seen(phases=100, verdicts=1), present=50).phases}
    assert 50 in shown
    assert 1 < len(shown) < 100
    assert max(abs(number - 50) for number in shown) <= len(shown) / 2


def test_what_had_no_room_is_absent() -> None:
    glimpse = Glimpse.of(seen(phases=100), present=50)
    assert glimpse.phase(1) is None
