"""Whether a phase that was processed and watched may be followed by the next.

Rules, in order: a breach or a degraded guard holds; nobody ever heard from holds; what the definition
requires must be proven; where all phases so far breach or degrade together, that holds too; where they are
too few to prove anything, the definition says who decides. The last phase exposes nobody to come, so it needs
no proof, only the absence of harm. What a resume has acknowledged trips nothing again, but it is known: with
it health is proven, or is not. Where a cohort was left out, the others were chosen after looking, and must
prove their health the more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from campaign.evidence import exact_upper
from campaign.guards import Guard, Metric, Rule
from campaign.model import Frozen, Message
from campaign.verdict import Counts, Status, Verdict, evaluate, percent


class Requires(StrEnum):
    """What must be proven: nothing, a rate under the limit, or one under what is accepted (the target)."""

    NONE = "none"
    BELOW_LIMIT = "below_limit"
    BELOW_TARGET = "below_target"


class OnInconclusive(StrEnum):
    """Who decides where a ring is too small to prove it: a person, nobody while the harm budget brakes the
    next ring, or nobody at all."""

    APPROVE = "approve"
    ADVANCE_WITHIN_BUDGET = "advance_within_budget"
    ADVANCE = "advance"


class Promotion(Frozen):
    """When a phase may end."""

    requires: Requires = Requires.BELOW_LIMIT
    on_inconclusive: OnInconclusive = OnInconclusive.APPROVE


_BAD = (Status.BREACH, Status.DEGRADED)


class Decision(Message):
    """Whether to go on, and why or why not in one sentence."""

    advance: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Known:
    """The counts of the proving guard: of this phase in all windows, and of this phase and all before it, the
    same software on the same vehicles, in the present window and in all of them.

    ``chosen_from`` is the number of cohorts, where one was left out.
    """

    here: Counts
    window: Counts
    ever: Counts
    chosen_from: int = 1


def proving_guard(guards: Sequence[Guard]) -> Guard:
    """The guard whose rate stands for the success of the update: the first one on it, else the first."""
    rates = (Metric.INSTALLATION_SUCCESS, Metric.FAILURE)
    return next((guard for guard in guards if guard.metric in rates), guards[0])


def decide(
    promotion: Promotion, verdicts: Sequence[Verdict], guard: Guard, known: Known, *, last: bool
) -> Decision:
    """Decide on the end of a phase.

    Args:
        verdicts: what the guards that pause say of the phase.
        guard: the proving guard.
        known: its counts.
        last: whether no phase follows.
    """
    for status in _BAD:
        for verdict in verdicts:
            if verdict.status is status:
                return Decision(advance=False, sentence=verdict.sentence)
    if known.here.finished == 0:
        return Decision(advance=False, sentence="no vehicle of this phase has an outcome")
    if last:
        return Decision(advance=True, sentence="the last phase is over and no guard objects")
    if promotion.requires is Requires.NONE:
        return Decision(advance=True, sentence="no guard objects, and no proof is required")
    guard = guard.model_copy(update={"health_bar": guard.health_bar * max(known.chosen_from, 1)})
    together = evaluate(guard, _complete(guard, known.window))
    if together.status in _BAD:
        return Decision(advance=False, sentence=together.sentence)
    proven, sentence = _proof(promotion.requires, guard, together)
    if not proven and known.ever != known.window:
        proven, sentence = _proof(promotion.requires, guard, evaluate(guard, _complete(guard, known.ever)))
    if proven:
        return Decision(advance=True, sentence=sentence)
    if promotion.on_inconclusive is OnInconclusive.APPROVE:
        return Decision(advance=False, sentence=sentence)
    how = (
        "within the harm budget" if promotion.on_inconclusive is not OnInconclusive.ADVANCE else "as defined"
    )
    return Decision(advance=True, sentence=f"{sentence}; goes on {how}")


def _complete(guard: Guard, pooled: Counts) -> Counts:
    """The counts at the end, when a missing report is a failure; evidence counts it as one by itself."""
    if guard.mode is Rule.EVIDENCE:
        return pooled.model_copy(update={"complete": True})
    missing = pooled.started - pooled.finished
    return pooled.model_copy(
        update={"complete": True, "finished": pooled.started, "failed": pooled.failed + missing}
    )


def _proof(requires: Requires, guard: Guard, verdict: Verdict) -> tuple[bool, str]:
    if guard.mode is not Rule.EVIDENCE:
        return verdict.status is Status.CONTINUE, verdict.sentence
    if requires is Requires.BELOW_LIMIT:
        return verdict.status is Status.HEALTHY, verdict.sentence
    bad = verdict.failed + verdict.started - verdict.finished
    upper = exact_upper(verdict.started, bad)
    found, target = percent(Fraction(upper)), percent(Fraction(guard.accept))
    proven = upper <= float(guard.accept)
    return proven, (
        f"{guard.name}: {bad} of {verdict.started} failed or missing shows a rate under {found}; "
        f"{'that proves' if proven else 'required is'} {target}"
    )
