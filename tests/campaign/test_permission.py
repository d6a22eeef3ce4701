"""Whether a vehicle may be offered a campaign now: tables of cases, word by word.

| Given | When | Then |
|---|---|---|
| an owner who wants no updates | a general campaign | it is not offered |
| the same owner | a recall | it is offered |
| an owner who wants to be asked | a general campaign | it is offered after the confirmation |
| any owner | a recall that asks for confirmation | it is offered after the confirmation |
| an owner's window | a general campaign with a window | the owner's counts |
| the same window | a recall with a window | the campaign's counts |
"""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaign.definition import CampaignType, Definition, Interaction
from campaign.install_window import NIGHT, CampaignWindow, InstallWindow
from campaign.permission import (
    ASKED_AGAIN_AFTER,
    Answer,
    Consent,
    Owner,
    Permission,
    Spoken,
    Terms,
    permission,
    terms_of,
)
from campaign.vehicle import Preference

NOON = datetime(2026, 1, 10, 11, tzinfo=UTC)  # 12:00 in Berlin
NIGHT_TIME = datetime(2026, 1, 10, 2, tzinfo=UTC)  # 03:00 in Berlin
OPENS, CLOSES = datetime(2026, 1, 11, 1, tzinfo=UTC), datetime(2026, 1, 10, 4, tzinfo=UTC)
BERLIN = "Europe/Berlin"
#: 11:00 to 14:00 in Berlin.
MIDDAY = InstallWindow.model_validate({"from": "11:00", "to": "14:00"})
MIDDAY_CLOSES = datetime(2026, 1, 10, 13, tzinfo=UTC)
MIDDAY_OPENS = datetime(2026, 1, 10, 10, tzinfo=UTC)


def spoken(state: Consent, *, version: str = "1", at: datetime = NOON) -> Spoken:
    return Spoken(state=state, at=at, message_version=version)


def granted(until: datetime | None = None) -> Permission:
    return Permission(answer=Answer.GRANTED, until=until)


def outside(opens_at: datetime) -> Permission:
    return Permission(answer=Answer.OUTSIDE_WINDOW, opens_at=opens_at)


#: Type, campaign's window, owner's window, now: what is answered to a vehicle in Berlin.
WINDOWS = [
    ("general", None, None, NOON, granted()),
    ("general", NIGHT, None, NOON, outside(OPENS)),
    ("general", NIGHT, None, NIGHT_TIME, granted(CLOSES)),
    ("general", None, MIDDAY, NOON, granted(MIDDAY_CLOSES)),
    ("general", None, MIDDAY, NIGHT_TIME, outside(MIDDAY_OPENS)),
    ("general", NIGHT, MIDDAY, NOON, granted(MIDDAY_CLOSES)),
    ("general", NIGHT, MIDDAY, NIGHT_TIME, outside(MIDDAY_OPENS)),
    ("beta", NIGHT, MIDDAY, NOON, granted(MIDDAY_CLOSES)),
    ("recall", None, MIDDAY, NIGHT_TIME, granted()),
    ("recall", NIGHT, MIDDAY, NOON, outside(OPENS)),
    ("recall", NIGHT, MIDDAY, NIGHT_TIME, granted(CLOSES)),
]


@pytest.mark.parametrize(("kind", "campaigns", "owners", "now", "answer"), WINDOWS)
def test_the_owners_window_counts_but_for_a_recall(
    kind: str,
    campaigns: CampaignWindow | None,
    owners: InstallWindow | None,
    now: datetime,
    answer: Permission,
) -> None:
    terms = Terms(type=CampaignType(kind), window=campaigns)
    assert permission(terms, Owner(zone=BERLIN, window=owners), None, now) == answer


#: Type, interaction, preference: what is answered while nobody was asked.
ASKED = {
    (kind, interaction, preference): (
        Answer.UNWANTED
        if preference is Preference.NEVER and kind is not CampaignType.RECALL
        else Answer.UNCONFIRMED
        if interaction is Interaction.CONFIRM
        or (preference is Preference.ASK and kind is not CampaignType.RECALL)
        else Answer.GRANTED
    )
    for kind, interaction, preference in itertools.product(CampaignType, Interaction, Preference)
}


@pytest.mark.parametrize(("case", "answer"), ASKED.items(), ids=[" ".join(case) for case in ASKED])
def test_who_must_be_asked_and_who_wants_nothing(
    case: tuple[CampaignType, Interaction, Preference], answer: Answer
) -> None:
    kind, interaction, preference = case
    found = permission(Terms(type=kind, interaction=interaction), Owner(preference=preference), None, NOON)
    assert found.answer is answer
    assert found.to_ask == (answer is Answer.UNCONFIRMED)
    assert found.granted == (answer is Answer.GRANTED)


LATER = NOON + ASKED_AGAIN_AFTER
#: The last word, when it is asked for: the answer of a campaign that asks for confirmation of message 1.
WORDS: list[tuple[Spoken | None, datetime, Permission]] = [
    (None, NOON, Permission(answer=Answer.UNCONFIRMED)),
    (spoken(Consent.ASKED), NOON, Permission(answer=Answer.UNCONFIRMED)),
    (spoken(Consent.CONFIRMED), NOON, granted()),
    (spoken(Consent.CONFIRMED), NOON + timedelta(days=900), granted()),
    (spoken(Consent.CONFIRMED, version="0"), NOON, Permission(answer=Answer.UNCONFIRMED)),
    (spoken(Consent.DENIED), LATER, Permission(answer=Answer.DENIED)),
    (spoken(Consent.DENIED, version="0"), NOON, Permission(answer=Answer.UNCONFIRMED)),
    (spoken(Consent.POSTPONED), NOON, Permission(answer=Answer.POSTPONED, opens_at=LATER)),
    (spoken(Consent.POSTPONED), LATER, Permission(answer=Answer.UNCONFIRMED)),
]


@pytest.mark.parametrize(("last", "now", "answer"), WORDS)
@pytest.mark.parametrize("kind", CampaignType)
def test_only_a_confirmation_of_this_message_is_a_yes(
    kind: CampaignType, last: Spoken | None, now: datetime, answer: Permission
) -> None:
    terms = Terms(type=kind, interaction=Interaction.CONFIRM, window=None)
    assert permission(terms, Owner(), last, now) == answer


def test_owners_are_asked_also_outside_the_window_and_served_within() -> None:
    terms = Terms(interaction=Interaction.CONFIRM, window=NIGHT)
    assert permission(terms, Owner(zone=BERLIN), None, NOON).to_ask
    yes = spoken(Consent.CONFIRMED)
    assert permission(terms, Owner(zone=BERLIN), yes, NOON) == outside(OPENS)
    assert permission(terms, Owner(zone=BERLIN), yes, NIGHT_TIME) == granted(CLOSES)


#: The vehicle's zone, the zone the campaign gives to those without: the answer at 03:00 in Berlin.
ZONES = [
    (BERLIN, None, Answer.GRANTED),
    (None, BERLIN, Answer.GRANTED),
    (None, None, Answer.ZONE_UNKNOWN),
    ("Asia/Tokyo", BERLIN, Answer.OUTSIDE_WINDOW),
]


@pytest.mark.parametrize(("own", "given", "answer"), ZONES)
def test_the_vehicles_own_zone_counts_and_none_is_guessed(
    own: str | None, given: str | None, answer: Answer
) -> None:
    window = NIGHT.model_copy(update={"time_zone": given})
    assert permission(Terms(window=window), Owner(zone=own), None, NIGHT_TIME).answer is answer


def define(**changes: Any) -> Definition:
    return Definition.model_validate(
        {"name": "a", "package": "b", "phases": [{"rollout_count": 1}]} | changes
    )


OWN = {"from": "22:00", "to": "24:00", "days": ["sun"], "time_zone": BERLIN}
TERMS = [
    ({}, None, False),
    ({"interaction": "banner"}, None, False),
    ({"interaction": "forced"}, NIGHT, True),
    ({"interaction": "forced", "type": "recall"}, NIGHT, True),
    ({"interaction": "confirm"}, None, True),
    ({"interaction": "silent", "install_window": OWN}, CampaignWindow.model_validate(OWN), True),
    ({"interaction": "forced", "install_window": OWN}, CampaignWindow.model_validate(OWN), True),
]


@pytest.mark.parametrize(("changes", "window", "limited"), TERMS)
def test_what_is_forced_waits_for_the_night_unless_its_campaign_says_otherwise(
    changes: dict[str, Any], window: CampaignWindow | None, limited: bool
) -> None:
    terms = terms_of(define(**changes))
    assert (terms.window, terms.limited) == (window, limited)
    assert Terms.model_validate(terms.model_dump(mode="json", by_alias=True)) == terms
