"""What one report makes of the assignment it is about: the rules, in memory, on the row as it was read."""

from campaign.action import split
from campaign.assignment import (
    ATTEMPTS,
    OPEN,
    TERMINAL,
    WAITING,
    Happening,
    Target,
    after,
    meaning,
)
from campaign.deferral import Deferral, DeferralReason, read_deferral
from campaign.pace import defer_back_off
from store.feedback import Effect, Report
from store.held import Held

#: How a vehicle closes that was given nothing to install.
_GIVEN_UP = frozenset({Happening.FAIL, Happening.FAIL_DOWNLOAD})

#: The state in which an event ends an attempt, for a report that is told twice.
_OUTCOMES = {
    Happening.SUCCEED: Target.SUCCEEDED,
    Happening.FAIL: Target.FAILED,
    Happening.ROLL_BACK: Target.ROLLED_BACK,
    Happening.HARM: Target.CRITICAL,
    Happening.FAIL_DOWNLOAD: Target.DOWNLOAD_FAILED,
    Happening.DEFER: Target.DEFERRED,
}


def decide(row: Held | None, report: Report) -> tuple[Effect, str]:
    """What one report changes in its row, and the word for the log."""
    attempt = split(report.action)[1]
    if row is None or attempt > row.attempt:
        return Effect.UNKNOWN, "unknown"
    if attempt < row.attempt:
        return _decide_earlier(row, report)
    if report.channel == "cancel":
        return _decide_cancel(row, report)
    state = row.state
    event = meaning(report.said, fetched=row.fetched_now, complete=not row.missing)
    if state is Target.OFFERED and not row.stands and event is not Happening.HARM:
        # Not started before gate or window closed, so it may not start now: the offer is withdrawn.
        row.heard = True
        row.state = after(state, Happening.WITHDRAW)
        return Effect.OVER, "withdrawn"
    if row.cancel_wanted and not row.fetched_now and event in _GIVEN_UP:
        # Asked to cancel it is given no byte, and update clients call that a failure.
        event = _cancelled(row)
    # What was withdrawn before it began has no outcome; what had begun has one, however late it is told. Harm
    # is harm.
    begun = row.fetched_now or state not in OPEN or event is Happening.HARM
    new = after(state, event) if begun else state
    if new is state and (state in TERMINAL or state in OPEN):
        # A closing report whose answer was lost is sent again and deserves the same answer.
        repeated = _OUTCOMES.get(event) is state
        return (Effect.RECORDED, "repeated") if repeated else (Effect.OVER, "late")
    row.heard = True
    if new is state:
        return Effect.RECORDED, event.value
    _move(row, new, report, claimed=report.said.finished == "success" and new is Target.DEFERRED)
    return Effect.RECORDED, new.value


def _decide_earlier(row: Held, report: Report) -> tuple[Effect, str]:
    """An attempt that went quiet has an outcome all the same, until the vehicle begins the next one."""
    event = meaning(report.said, fetched=row.fetched, complete=not row.missing)
    new = after(Target.STALLED, event)
    if report.channel == "cancel" or row.state not in WAITING or new not in ATTEMPTS:
        return Effect.OVER, "earlier attempt"
    if not row.fetched and event is not Happening.HARM:
        return Effect.OVER, "earlier attempt"
    row.heard = True
    _move(row, new, report)
    return Effect.RECORDED, new.value


def _cancelled(row: Held) -> Happening:
    return Happening.EXCLUDE if row.excluded else Happening.CANCEL


def _decide_cancel(row: Held, report: Report) -> tuple[Effect, str]:
    if not row.cancel_wanted or row.state in TERMINAL:
        return Effect.NOT_CANCELLING, "not cancelling"
    row.heard = True
    if report.said.execution == "closed" and report.said.finished != "failure":
        _move(row, after(row.state, _cancelled(row)), report)
        return Effect.RECORDED, row.state.value
    if report.said.execution in ("closed", "rejected"):
        row.cancel_wanted, row.refused_cancel = False, True
        return Effect.RECORDED, "cancel refused"
    return Effect.RECORDED, "note"


def _move(row: Held, new: Target, report: Report, *, claimed: bool = False) -> None:
    if new is row.state:
        return
    row.state = new
    row.cancel_wanted = row.cancel_wanted and new not in TERMINAL
    row.code = report.said.code
    row.message = "; ".join(report.said.details)[:1000] or None
    if new is Target.DEFERRED:
        row.back_off = defer_back_off(row.attempt).total_seconds()
        found = Deferral(reason=DeferralReason.UNPROVEN) if claimed else read_deferral(report.said.details)
        row.deferral, row.deferral_value = found.reason.value, found.value
        if claimed:
            how = "without fetching the artifact"
            if row.fetched_now:
                lacking = row.missing and f"without fetching the file of {', '.join(row.missing)}"
                how = lacking or "though it skipped the update"
            row.message = f"claimed success {how}: {row.message or 'no text'}"
