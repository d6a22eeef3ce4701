"""The page of the Temporal UI: it holds what matters in few bytes, however much there is to say."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from campaign.breach import Breach, Exposed
from campaign.cohorts import Culprit
from campaign.lifecycle import State
from campaign.supervision import Caution, Window
from campaign.verdict import Status as Health
from campaign.verdict import Verdict
from tests.workflows.campaigns import Stage
from workflows.details import DETAILS_BYTES, details
from workflows.status import Status

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def paused(**more: object) -> Status:
    """The status of a campaign that stands still."""
    fields = {
        "name": "Winter",
        "state": "Paused",
        "stage": "Paused",
        "phase": 1,
        "phases": (),
        "why": "paused by a guard",
        "next": ("resume: go on, with a new evidence window", "abort: end it"),
        "as_of": NOW,
        "breach": None,
        "breaches": 1,
        "window": 2,
        "exposure": Exposed(offered=1),
        "package": "Pkg",
        "campaign_id": 7,
        "notes": (),
    }
    return Status.model_validate(fields | more)


@pytest.mark.parametrize("letter", ["x", "\N{BLOWFISH}", "%", "\n"])
@pytest.mark.parametrize("many", [1, 12, 200])
def test_the_page_stays_small_and_says_what_can_be_done_however_long_the_verdicts_are(
    letter: str, many: int
) -> None:
    long = letter * 5_000
    window = Window(number=1, ended_at=NOW, sentences=(long,) * many)
    more = {"why": long, "verdicts": (long,) * many, "excluded": (f"model={long}",) * many, "cap": 5}
    page = details(paused(**more, windows=(window,) * 3))
    assert len(page.encode()) <= DETAILS_BYTES
    assert "- `resume`: go on" in page
    assert "- `abort`: end it" in page
    assert "At the stop: 1 offered" in page


@pytest.mark.parametrize(
    "cohort", ["hw_id=EVO15", "from_version=Radar: 1.4", "model=a \"b\" 'c': leave: d", "country=ES "]
)
def test_the_page_gives_the_input_that_leaves_a_culprit_out(cohort: str) -> None:
    step = f"exclude {cohort}: leave these out and go on"
    page = details(paused(next=(step, "abort: end it")))
    assert f"- Update `exclude` with `{json.dumps({'cohort': cohort})}`: leave these out and go on" in page


def test_the_page_shows_guards_cap_cohorts_left_out_and_earlier_windows() -> None:
    window = Window(number=1, ended_at=NOW, sentences=("phase 1 (ring 1): 3 of 9 failed",))
    page = details(
        paused(verdicts=("silence continue: fine",), windows=(window,), cap=40, excluded=("model=T",))
    )
    lines = [
        "Guards of this phase (evidence window 2):",
        "",
        "- silence continue: fine",
        "- at most 40 in flight, as the evidence allows",
        "- left out: model=T",
        "- evidence window 1, until 03-01 00:00:00: phase 1 (ring 1): 3 of 9 failed",
    ]
    assert "\n".join(lines) in page


async def test_the_page_of_a_breach_with_much_to_say_stays_small(stage: Stage) -> None:
    campaign = await stage.in_state(State.ROLLING_OUT, phases=12)
    world = campaign.world
    world.report(1, failed=1, succeeded=9)
    verdict = Verdict(
        guard="g" * 50,
        status=Health.BREACH,
        started=10,
        finished=10,
        failed=1,
        limit=Decimal("0.02"),
        sentence="long " * 2_000,
    )
    culprit = Culprit(cohort="hw_id=" + "E" * 900, failed=1, finished=1, of_failed=1, of_finished=10)
    world.breach = Breach(phase=1, phase_name="ring 1", verdict=verdict, culprit=culprit)
    world.warnings = tuple(
        Caution(phase=1, verdict=verdict.model_copy(update={"guard": f"guard {number}"}))
        for number in range(40)
    )
    await world.happens(setattr, world, "gate_open", False)
    await world.until(lambda: len(world.notices) == 2)
    page = await campaign.details()
    assert len(page.encode()) <= DETAILS_BYTES
    assert "- `resume`: go on" in page
