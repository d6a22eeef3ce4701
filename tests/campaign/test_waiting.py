"""What people are told of vehicles that wait: how many, why, until when and what to do, and never which."""

from datetime import UTC, datetime, timedelta

import pytest

from campaign.assignment import Tally, Target
from campaign.deferral import DeferralReason
from campaign.permission import Answer
from campaign.waiting import MOST_REASONS, READY, Waiting, Waits, together, told

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
OPENS = datetime(2026, 11, 30, 1, tzinfo=UTC)


def pending(reason: str, vehicles: int = 3, next: datetime | None = None, phase: int = 1) -> Waiting:
    return Waiting(phase=phase, state=Target.PENDING, reason=reason, vehicles=vehicles, next=next)


#: Of three vehicles, who may go on at OPENS where there is a time.
SENTENCES = {
    READY: "3 free to begin when they poll and a slot is free (nothing to do)",
    Answer.OUTSIDE_WINDOW: (
        "3 outside their install window, the next opens at 2026-11-30 01:00 UTC (nothing to do)"
    ),
    Answer.UNCONFIRMED: (
        "3 without their owners' answer (many for days: see whether the client speaks confirmationBase)"
    ),
    Answer.POSTPONED: (
        "3 put off by their owners, the first is asked again at 2026-11-30 01:00 UTC (nothing to do)"
    ),
    Answer.DENIED: ("3 refused by their owners (the phase's deadline ends the wait)"),
    Answer.UNWANTED: ("3 whose owners want recalls only (the phase's deadline ends the wait)"),
    Answer.ZONE_UNKNOWN: "3 without a known time zone (import them with timezone)",
}


@pytest.mark.parametrize(("reason", "sentence"), SENTENCES.items(), ids=SENTENCES)
def test_a_reason_says_how_many_why_until_when_and_what_to_do(reason: str, sentence: str) -> None:
    assert pending(reason, next=OPENS).sentence == sentence


def test_every_answer_that_bars_a_vehicle_has_its_sentence() -> None:
    assert set(SENTENCES) == {READY, *(answer for answer in Answer if answer is not Answer.GRANTED)}


@pytest.mark.parametrize("reason", DeferralReason)
def test_a_vehicle_that_put_it_off_says_why_and_when_it_is_offered_again(reason: DeferralReason) -> None:
    deferred = Waiting(phase=1, state=Target.DEFERRED, reason=reason, vehicles=3, value="11.8 V", next=OPENS)
    assert deferred.sentence.startswith("3 put off")
    assert "the first is offered it again at 2026-11-30 01:00 UTC" in deferred.sentence
    if reason is not DeferralReason.UNPROVEN:
        assert f"put off: {reason.value.replace('_', ' ')}, mostly 11.8 V" in deferred.sentence


def test_a_time_that_is_not_known_is_not_told() -> None:
    assert pending(Answer.OUTSIDE_WINDOW).sentence == "3 outside their install window (nothing to do)"


def test_vehicles_of_one_reason_are_counted_together_with_the_earliest_time() -> None:
    later = OPENS + timedelta(hours=1)
    parts = [pending(READY), *(pending(Answer.OUTSIDE_WINDOW, 2, time) for time in (later, None, OPENS))]
    assert together(parts) == [pending(Answer.OUTSIDE_WINDOW, 6, OPENS), pending(READY, 3)]


def test_people_are_told_of_all_phases_together_and_the_most_frequent_reason_first() -> None:
    found = [pending(READY, 2), pending(READY, 3, phase=2), pending(Answer.ZONE_UNKNOWN, 4)]
    assert Waits.of(NOW, found).sentences == (
        "5 free to begin when they poll and a slot is free (nothing to do)",
        "4 without a known time zone (import them with timezone)",
    )


def test_of_many_reasons_the_first_are_told_and_the_others_counted() -> None:
    found = [
        Waiting(phase=1, state=Target.DEFERRED, reason=reason, vehicles=20 - number)
        for number, reason in enumerate(DeferralReason)
    ]
    sentences = Waits.of(NOW, found).sentences
    assert len(sentences) == MOST_REASONS + 1
    assert sentences[-1] == f"{sum(each.vehicles for each in found[MOST_REASONS:])} for other reasons"


def test_where_there_is_no_room_for_all_reasons_it_is_said_that_there_are_others() -> None:
    found = Waits.of(NOW, [pending(READY, 2), pending(Answer.ZONE_UNKNOWN, 1)])
    assert found.first(2) == found
    assert found.first(1).sentences == (
        pending(READY, 2).sentence,
        "others for other reasons: `starter.py waiting` has all",
    )


WAITS = Waits.of(NOW, [pending(READY)])
FREE = "3 free to begin when they poll and a slot is free (nothing to do)"
QUIET = "2 whose download went quiet, offered again when they poll (nothing to do)"


@pytest.mark.parametrize(
    ("states", "waits", "words"),
    [
        ({}, None, ""),
        ({Target.PENDING: 3}, None, ""),
        ({Target.PENDING: 3}, Waits(at=NOW), ""),
        ({Target.PENDING: 3}, WAITS, f"nobody is under way; waiting (counted at 12:00:00 UTC): {FREE}"),
        ({Target.PENDING: 3, Target.OFFERED: 1}, WAITS, f"waiting (counted at 12:00:00 UTC): {FREE}"),
        ({Target.PENDING: 3, Target.INSTALLING: 1}, WAITS, f"waiting (counted at 12:00:00 UTC): {FREE}"),
        ({Target.STALLED: 2, Target.SUCCEEDED: 9}, None, f"nobody is under way; waiting: {QUIET}"),
        (
            {Target.PENDING: 3, Target.STALLED: 2},
            WAITS,
            f"nobody is under way; waiting (counted at 12:00:00 UTC): {FREE}; {QUIET}",
        ),
    ],
)
def test_people_are_told_why_vehicles_wait_and_whether_nobody_is_under_way(
    states: dict[Target, int], waits: Waits | None, words: str
) -> None:
    assert told(Tally(by_state=states), waits) == words
