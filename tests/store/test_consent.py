"""Consent: asked, confirmed, denied and postponed, each with its time and the version of the message.

| Given | When | Then |
|---|---|---|
| a campaign that asks for confirmation | a vehicle polls | it sees the question and holds no slot |
| the question | it is read twice | it was asked once |
| a yes | the vehicle polls | it is offered the update under the same number |
| a yes | a no follows before it began | the offer is taken back |
"""

from datetime import UTC, datetime, timedelta

import pytest

from campaign.action import action_id
from campaign.assignment import TERMINAL, Target
from campaign.permission import Consent
from store.consent import Heard
from tests.store.fleet import Fleet, Gateway, car, cars


def words(fleet: Fleet) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in fleet.rows("SELECT state, message_version FROM consent ORDER BY id")]


async def test_who_must_confirm_is_asked_and_holds_no_slot(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch(interaction="confirm", message_version="7")
    action = action_id(campaign, 1)
    outlook = (await gateway.standing(0)).outlook
    assert (outlook.confirm, outlook.admissible) == (action, False)
    assert await gateway.admit(vehicle) == {}
    assert await gateway.ask(vehicle, action)
    assert await gateway.ask(vehicle, action)
    assert fleet.state(vehicle, campaign) == "pending"
    assert words(fleet) == [("asked", "7")]
    now = datetime.now(UTC)
    assert now - timedelta(minutes=1) < fleet.value("SELECT at FROM consent") <= now


async def test_an_owner_who_wants_to_be_asked_is_asked_by_a_silent_campaign(
    fleet: Fleet, gateway: Gateway
) -> None:
    ids = fleet.add([car(0, update_preference="ask"), car(1)])
    campaign = fleet.launch()
    assert [(await gateway.standing(number)).outlook.confirm for number in (0, 1)] == [
        action_id(campaign, 1),
        None,
    ]
    assert set(await gateway.admit(*ids)) == {ids[1]}


async def test_a_yes_is_followed_by_the_offer_under_the_same_number(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    action = action_id(fleet.launch(interaction="confirm"), 1)
    assert await gateway.answer(vehicle, action, Consent.CONFIRMED) is Heard.RECORDED
    outlook = (await gateway.standing(0)).outlook
    assert (outlook.confirm, outlook.admissible) == (None, True)
    assert await gateway.admit(vehicle) == {vehicle: action}
    assert not await gateway.ask(vehicle, action)
    assert words(fleet) == [("confirmed", "1")]


@pytest.mark.parametrize("word", [Consent.DENIED, Consent.POSTPONED])
async def test_anything_but_a_yes_offers_nothing_and_asks_nothing_now(
    word: Consent, fleet: Fleet, gateway: Gateway
) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch(interaction="confirm")
    action = action_id(campaign, 1)
    assert await gateway.answer(vehicle, action, word) is Heard.RECORDED
    assert await gateway.answer(vehicle, action, word) is Heard.RECORDED
    outlook = (await gateway.standing(0)).outlook
    assert (outlook.confirm, outlook.admissible) == (None, False)
    assert await gateway.admit(vehicle) == {}
    assert not await gateway.ask(vehicle, action)
    assert words(fleet) == [(word.value, "1")]
    fleet.run("UPDATE consent SET at = at - interval '1 day'")
    again = (await gateway.standing(0)).outlook.confirm
    assert again == (action if word is Consent.POSTPONED else None)


async def test_an_owner_may_change_the_mind_until_it_begins(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch(interaction="confirm")
    action = action_id(campaign, 1)
    assert await gateway.answer(vehicle, action, Consent.DENIED) is Heard.RECORDED
    assert await gateway.answer(vehicle, action, Consent.CONFIRMED) is Heard.RECORDED
    assert await gateway.admit(vehicle) == {vehicle: action}
    assert await gateway.answer(vehicle, action, Consent.DENIED) is Heard.RECORDED
    assert fleet.state(vehicle, campaign) == "pending"
    assert not await gateway.begin(vehicle, action)
    assert await gateway.answer(vehicle, action, Consent.CONFIRMED) is Heard.RECORDED
    assert await gateway.admit(vehicle) == {vehicle: action}
    assert await gateway.begin(vehicle, action)
    assert await gateway.answer(vehicle, action, Consent.DENIED) is Heard.NOT_ASKED
    assert fleet.state(vehicle, campaign) == "downloading"
    assert [state for state, _ in words(fleet)] == ["denied", "confirmed", "denied", "confirmed"]
    fleet.assert_tally()


@pytest.mark.parametrize("state", sorted(TERMINAL), ids=str)
async def test_what_is_over_is_past_asking(state: Target, fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add(cars(1))
    campaign = fleet.launch(interaction="confirm")
    fleet.put(campaign, state)
    assert await gateway.answer(vehicle, action_id(campaign, 1), Consent.CONFIRMED) is Heard.OVER
    assert not await gateway.ask(vehicle, action_id(campaign, 1))
    assert words(fleet) == []


async def test_nobody_answers_a_question_that_was_not_put(fleet: Fleet, gateway: Gateway) -> None:
    ids = fleet.add(cars(2))
    silent = fleet.launch(name="silent")
    asking = fleet.launch(name="asking", interaction="confirm", start=False)
    for action in (action_id(silent, 1), action_id(asking, 2), action_id(99, 1)):
        assert await gateway.answer(ids[0], action, Consent.CONFIRMED) is Heard.NOT_ASKED
        assert not await gateway.ask(ids[0], action)
    # A campaign that does not deliver asks nobody.
    assert not await gateway.ask(ids[0], action_id(asking, 1))
    assert words(fleet) == []
