"""Why the vehicles of a campaign wait, counted by reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from campaign.permission import Consent
from campaign.problems import Refused
from store.waiting import Waiting, waiting
from tests.store.fleet import Fleet, Gateway, car


def found(fleet: Fleet, campaign: str = "Winter") -> list[Waiting]:
    with fleet.engine.connect() as connection:
        return waiting(connection, campaign)


async def test_vehicles_that_wait_are_counted_by_reason(fleet: Fleet, gateway: Gateway) -> None:
    now = datetime.now(UTC)
    soon, later = now + timedelta(hours=3), now + timedelta(hours=6)
    shut = [
        {"timezone": "Etc/GMT", "install_window": {"from": f"{time:%H:%M}", "to": f"{ends:%H:%M}"}}
        for time, ends in ((later, later + timedelta(hours=1)), (soon, soon + timedelta(hours=1)))
    ]
    wishes = [{"update_preference": "never"}, {"update_preference": "ask"}, {"update_preference": "ask"}]
    people: list[dict[str, Any]] = [{}, {}, {}, {}, *shut, *wishes]
    ids = fleet.add(car(number, **facts) for number, facts in enumerate(people))
    campaign = fleet.launch()
    await gateway.answer(ids[7], action_id(campaign, 1), Consent.DENIED)
    admitted = await gateway.admit(*ids[:3])
    for vehicle, volts in zip(ids, ("11.8 V", "11.2 V", "11.8 V"), strict=False):
        await gateway.say(vehicle, admitted[vehicle], "rejected", "none", f"low battery: {volts}")
    [next_offer] = {row[0] for row in fleet.rows("SELECT min(not_before) FROM assignment")}
    opens = soon.replace(second=0, microsecond=0)
    assert found(fleet) == [
        Waiting(1, Target.DEFERRED, "low_battery", 3, "11.8 V", next_offer),
        Waiting(1, Target.PENDING, "outside_window", 2, next=opens),
        Waiting(1, Target.PENDING, "denied", 1),
        Waiting(1, Target.PENDING, "ready", 1),
        Waiting(1, Target.PENDING, "unconfirmed", 1),
        Waiting(1, Target.PENDING, "unwanted", 1),
    ]


def test_an_unknown_campaign_is_refused_with_its_closest_name(fleet: Fleet) -> None:
    fleet.add([car(0)])
    fleet.launch()
    assert [each.reason for each in found(fleet)] == ["ready"]
    with pytest.raises(Refused, match="did you mean 'Winter'"):
        found(fleet, "Wintre")
