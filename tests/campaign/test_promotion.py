"""Whether a phase may be followed by the next: a table of cases."""

import pytest

from campaign.guards import PLAIN_GUARD, STANDARD_GUARDS, Guard, Metric
from campaign.promotion import Known, OnInconclusive, Promotion, Requires, decide, proving_guard
from campaign.verdict import Counts, Status, Verdict, evaluate

INSTALL = next(guard for guard in STANDARD_GUARDS if guard.metric is Metric.INSTALLATION_SUCCESS)
SILENCE = next(guard for guard in STANDARD_GUARDS if guard.metric is Metric.SILENCE)
COUNTED = Guard.model_validate({"mode": "count", "max_count": 2})
SAMPLED = Guard.model_validate({"metric": "failure_rate", "mode": "threshold", "min_sample": 100})


def done(started: int, failed: int, missing: int = 0) -> Counts:
    return Counts(started=started, finished=started - missing, failed=failed)


def so_far(counts: Counts) -> Known:
    """One phase in one evidence window."""
    return Known(here=counts, window=counts, ever=counts)


NOTHING = done(0, 0)

#: By evidence: required, who decides where it cannot be proven, all phases so far, whether it goes on, why.
TABLE: list[tuple[str, str, Counts, bool, str]] = [
    ("none", "approve", done(1, 0), True, "no guard objects, and no proof is required"),
    ("none", "approve", NOTHING, False, "no vehicle of this phase has an outcome"),
    ("none", "advance", NOTHING, False, "no vehicle of this phase has an outcome"),
    ("none", "approve", done(9, 0, 9), False, "no vehicle of this phase has an outcome"),
    ("below_limit", "advance", NOTHING, False, "no vehicle of this phase has an outcome"),
    (
        "below_limit", "approve", done(198, 0), True,
        "installation_success_rate healthy: 0 of 198 failed; a rate under 2 % is proven 20:1",
    ),
    (
        "below_limit", "approve", done(197, 0), False,
        "installation_success_rate inconclusive: 0 of 197 failed; 197 vehicles only show a rate under 1.51 %",
    ),
    (
        "below_limit", "advance_within_budget", done(30, 0), True,
        "installation_success_rate inconclusive: 0 of 30 failed; 30 vehicles only show a rate under 9.5 %; "
        "goes on within the harm budget",
    ),
    (
        "below_limit", "advance", done(30, 0), True,
        "installation_success_rate inconclusive: 0 of 30 failed; 30 vehicles only show a rate under 9.5 %; "
        "goes on as defined",
    ),
    # Whoever is missing has failed.
    (
        "below_limit", "approve", done(290, 0, 1), True,
        "installation_success_rate healthy: 0 of 289 failed; a rate under 2 % is proven 20:1",
    ),
    (
        "below_limit", "approve", done(290, 0, 2), False,
        "installation_success_rate inconclusive: 0 of 288 failed; 290 vehicles only show a rate under 2.15 %",
    ),
    (
        "below_target", "approve", done(598, 0), True,
        "installation_success_rate: 0 of 598 failed or missing shows a rate under 0.5 %; that proves 0.5 %",
    ),
    (
        "below_target", "approve", done(597, 0), False,
        "installation_success_rate: 0 of 597 failed or missing shows a rate under 0.501 %; required is 0.5 %",
    ),
    (
        "below_target", "approve", done(947, 0, 1), True,
        "installation_success_rate: 1 of 947 failed or missing shows a rate under 0.5 %; that proves 0.5 %",
    ),
    (
        "below_target", "approve", done(947, 1, 1), False,
        "installation_success_rate: 2 of 947 failed or missing shows a rate under 0.663 %; required is 0.5 %",
    ),
    (
        "below_target", "approve", done(10_000_000, 0), True,
        "installation_success_rate: 0 of 10000000 failed or missing shows a rate under 3e-05 %; that proves "
        "0.5 %",
    ),
    (
        "below_target", "advance_within_budget", done(290, 1), True,
        "installation_success_rate: 1 of 290 failed or missing shows a rate under 1.63 %; required is 0.5 %; "
        "goes on within the harm budget",
    ),
    # Each phase by itself may be too small to object, and all of them together are not.
    (
        "below_limit", "advance", done(60, 4), False,
        "installation_success_rate breach: 4 of 60 failed (6.67 % > 2 %); 138:1 against a healthy "
        "fleet's 0.5 %, 100:1 is enough",
    ),
    (
        "below_target", "advance", done(1000, 15), False,
        "installation_success_rate degraded: 15 of 1000 failed (1.5 %); 171:1 against a healthy fleet's "
        "0.5 %, though not over the 2 % limit",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("requires", "on_inconclusive", "pooled", "advance", "why"), TABLE, ids=str)
def test_a_phase_is_followed_by_the_next_where_the_proof_is_there_or_somebody_may_go_without(
    requires: str, on_inconclusive: str, pooled: Counts, advance: bool, why: str
) -> None:
    promotion = Promotion(requires=Requires(requires), on_inconclusive=OnInconclusive(on_inconclusive))
    decision = decide(promotion, [], INSTALL, so_far(pooled), last=False)
    assert (decision.advance, decision.sentence) == (advance, why)


#: By a bare rule, which asks for no more than itself: guard, all phases so far, whether it goes on.
PLAIN = [
    (PLAIN_GUARD, done(1, 0), True),
    (PLAIN_GUARD, done(50, 1), True),
    (PLAIN_GUARD, done(49, 1), False),
    (PLAIN_GUARD, done(49, 0, 49), False),
    (COUNTED, done(30, 2), True),
    (COUNTED, done(30, 3), False),
    (SAMPLED, done(100, 2), True),
    (SAMPLED, done(100, 3), False),
    (SAMPLED, done(99, 0), False),
    (SAMPLED, done(99, 99), False),
]


@pytest.mark.parametrize(("guard", "pooled", "advance"), PLAIN, ids=str)
def test_a_bare_rule_is_content_with_itself(guard: Guard, pooled: Counts, advance: bool) -> None:
    assert decide(Promotion(), [], guard, so_far(pooled), last=False).advance is advance


@pytest.mark.parametrize(
    ("guard", "pooled", "advance"), [(PLAIN_GUARD, done(49, 1), False), (SAMPLED, done(99, 0), True)]
)
def test_where_a_bare_rule_says_nothing_the_definition_decides_and_where_it_says_no_it_holds(
    guard: Guard, pooled: Counts, advance: bool
) -> None:
    promotion = Promotion(on_inconclusive=OnInconclusive.ADVANCE)
    assert decide(promotion, [], guard, so_far(pooled), last=False).advance is advance


def verdict(status: Status, guard: str) -> Verdict:
    return evaluate(INSTALL, NOTHING).model_copy(update={"status": status, "sentence": f"{guard} {status}"})


GOOD = done(100_000, 10)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("requires", list(Requires))
@pytest.mark.parametrize("on_inconclusive", list(OnInconclusive))
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.NO_DATA])
def test_a_breach_or_a_degraded_guard_holds_whatever_is_proven_and_no_other_verdict_does(
    status: Status, on_inconclusive: OnInconclusive, requires: Requires, last: bool
) -> None:
    promotion = Promotion(requires=requires, on_inconclusive=on_inconclusive)
    verdicts = [verdict(Status.HEALTHY, "one"), verdict(status, "two")]
    decision = decide(promotion, verdicts, INSTALL, so_far(GOOD), last=last)
    holds = status in (Status.BREACH, Status.DEGRADED)
    assert decision.advance is not holds
    assert (decision.sentence == f"two {status}") is holds


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("on_inconclusive", list(OnInconclusive))
def test_a_ring_nobody_was_heard_from_holds_however_well_the_rings_before_it_went(
    on_inconclusive: OnInconclusive, last: bool
) -> None:
    promotion = Promotion(on_inconclusive=on_inconclusive)
    unheard = Known(here=NOTHING, window=GOOD, ever=GOOD)
    assert not decide(promotion, [], INSTALL, unheard, last=last).advance
    # A guard that is not asked for proof may have nothing to say.
    assert decide(promotion, [evaluate(SILENCE, NOTHING)], INSTALL, so_far(GOOD), last=last).advance


@pytest.mark.parametrize(("pooled", "advance"), [(done(100, 1), True), (done(100, 1, 2), False)])
def test_a_missing_report_is_a_failure_for_a_bare_rule_too(pooled: Counts, advance: bool) -> None:
    assert decide(Promotion(), [], PLAIN_GUARD, so_far(pooled), last=False).advance is advance


def test_of_all_that_hold_the_first_breach_is_told() -> None:
    verdicts = [verdict(status, str(place)) for place, status in enumerate([
        Status.DEGRADED, Status.BREACH, Status.BREACH, Status.HEALTHY,
    ])]  # fmt: skip
    assert decide(Promotion(), verdicts, INSTALL, so_far(GOOD), last=False).sentence == "1 breach"
    assert decide(Promotion(), verdicts[:1], INSTALL, so_far(GOOD), last=False).sentence == "0 degraded"


@pytest.mark.parametrize(
    ("pooled", "advance", "why"),
    [
        (done(1, 0), True, "the last phase is over and no guard objects"),
        (done(30, 2), True, "the last phase is over and no guard objects"),
        (NOTHING, False, "no vehicle of this phase has an outcome"),
        (done(30, 0, 30), False, "no vehicle of this phase has an outcome"),
    ],
)
@pytest.mark.parametrize("requires", list(Requires))
def test_the_last_phase_needs_no_proof_but_somebody_who_was_heard(
    requires: Requires, pooled: Counts, advance: bool, why: str
) -> None:
    decision = decide(Promotion(requires=requires), [], INSTALL, so_far(pooled), last=True)
    assert (decision.advance, decision.sentence) == (advance, why)


@pytest.mark.parametrize(
    ("window", "ever", "advance"),
    [
        (NOTHING, done(300, 1), True),
        (NOTHING, done(300, 5), False),
        (done(200, 0), done(1000, 40), True),
        (done(20, 0), done(1000, 40), False),
        (done(20, 4), done(100_000, 14), False),
    ],
)
def test_what_a_resume_has_acknowledged_trips_nothing_again_and_proves_with_the_rest(
    window: Counts, ever: Counts, advance: bool
) -> None:
    known = Known(here=ever, window=window, ever=ever)
    assert decide(Promotion(), [], INSTALL, known, last=False).advance is advance


@pytest.mark.parametrize("requires", list(Requires))
def test_a_last_phase_of_which_all_is_acknowledged_is_over(requires: Requires) -> None:
    known = Known(here=done(10, 5), window=NOTHING, ever=done(10, 5))
    assert decide(Promotion(requires=requires), [], INSTALL, known, last=True).advance


def test_where_a_cohort_was_left_out_the_others_prove_their_health_the_more() -> None:
    """They were chosen after looking: of twenty cohorts some choice leaves good ones by luck."""
    for healthy, chosen_from, advance in ((198, 1, True), (394, 20, False), (395, 20, True)):
        counts = done(healthy, 0)
        known = Known(here=counts, window=counts, ever=counts, chosen_from=chosen_from)
        assert decide(Promotion(), [], INSTALL, known, last=False).advance is advance


def test_a_proof_under_the_limit_is_asked_for_where_nothing_else_is_said_and_a_person_decides() -> None:
    assert Promotion() == Promotion(requires=Requires.BELOW_LIMIT, on_inconclusive=OnInconclusive.APPROVE)


FAILURE = Guard.model_validate({"metric": "failure_rate"})


@pytest.mark.parametrize(
    ("guards", "proving"),
    [
        (STANDARD_GUARDS, INSTALL),
        ((SILENCE, FAILURE, INSTALL), FAILURE),
        ((SILENCE, COUNTED), COUNTED),
        ((SILENCE,), SILENCE),
        ((SILENCE, STANDARD_GUARDS[0]), SILENCE),
    ],
)
def test_the_first_guard_on_success_proves_it_else_the_first(
    guards: tuple[Guard, ...], proving: Guard
) -> None:
    assert proving_guard(guards) is proving
