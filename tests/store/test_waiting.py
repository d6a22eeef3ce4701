"""Why the vehicles of a campaign wait, counted by reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from campaign.permission import Consent
from campaign.problems import Refused
from campaign.waiting import Waiting
from store.waiting import waiting, waits
from tests.store.fleet import Fleet, Gateway, car


def found(fleet: Fleet, campaign: str = "Winter") -> list[Waiting]:
    with fleet.engine.connect() as connection:
        return waiting(connection, campaign)


def pending(reason: str, vehicles: int = 1, next: datetime | None = None) -> Waiting:
    return Waiting(phase=1, state=Target.PENDING, reason=reason, vehicles=vehicles, next=next)


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
        Waiting(
            phase=1, state=Target.DEFERRED, reason="low_battery", vehicles=3, value="11.8 V", next=next_offer
        ),
        pending("outside_window", 2, opens),
        pending("denied"),
        pending("ready"),
        pending("unconfirmed"),
        pending("unwanted"),
    ]


def test_an_unknown_campaign_is_refused_with_its_closest_name(fleet: Fleet) -> None:
    fleet.add([car(0)])
    fleet.launch()
    assert [each.reason for each in found(fleet)] == ["ready"]
    with pytest.raises(Refused, match="did you mean 'Winter'"):
        found(fleet, "Wintre")


def test_people_are_told_of_the_phases_that_are_released(fleet: Fleet) -> None:
    fleet.add(car(number) for number in range(10))
    campaign = fleet.launch(phases=[{"rollout_percent": 30}, {"rollout_percent": 100}])
    assert sum(each.vehicles for each in found(fleet)) == 10
    with fleet.engine.connect() as connection:
        told = waits(connection, campaign)
    assert told.sentences == ("3 free to begin when they poll and a slot is free (nothing to do)",)
    assert told.at == pytest.approx(datetime.now(UTC), abs=timedelta(minutes=1))
