"""The cohorts of a campaign, from the configurations of its vehicles."""

import json

import pytest

from campaign.cohorts import Cohort
from store.evidence import by_cohort
from tests.store.fleet import Fleet, car, cars

OF = "SELECT cohorts_of(:model, :country, CAST(:ecus AS jsonb))"
TELLING = "SELECT cardinality(cohorts) FROM campaign"


def ecus(**given: str) -> str:
    """An ECU is given as ``hardware/version``."""
    split = {name: text.split("/") for name, text in given.items()}
    return json.dumps({name: {"hw_id": each[0], "sw_version": each[1]} for name, each in split.items()})


@pytest.mark.parametrize(
    ("country", "given", "cohorts"),
    [
        ("DE", ecus(), ["country=DE", "model=Y"]),
        (None, ecus(), ["model=Y"]),
        ("", ecus(), ["model=Y"]),
        (
            "DE",
            ecus(Radar="E14/1.3", Brake="B1/7"),
            [
                "country=DE", "from_version=Brake 7", "from_version=Radar 1.3", "hw_id=B1", "hw_id=E14",
                "model=Y",
            ],
        ),
        (
            None,
            ecus(Left="E14/1.3", Right="E14/1.3"),
            ["from_version=Left 1.3", "from_version=Right 1.3", "hw_id=E14", "model=Y"],
        ),
    ],
)  # fmt: skip
def test_a_vehicle_is_in_a_cohort_for_each_thing_that_is_known_of_it(
    fleet: Fleet, country: str | None, given: str, cohorts: list[str]
) -> None:
    found = fleet.value(OF, model="Y", country=country, ecus=given)
    assert found == cohorts
    assert [str(Cohort.read(text)) for text in found] == cohorts


@pytest.mark.parametrize(
    ("facts", "telling"),
    [
        # All alike, or one of a kind.
        ([{}], 0),
        ([{}, {}], 0),
        # The hardware of two, and not their model and version.
        ([{}, {"hw_id": "EVO15"}], 2),
        # A country that only some have.
        ([{"country": "DE"}, {}], 1),
        # A configuration is also told apart by its region, which is no cohort.
        ([{"region": "EU"}, {"region": "NA"}], 0),
        ([{"hw_id": "EVO15"}, {"sw_version": "1.2.0", "country": "FR"}, {"country": "DE"}], 6),
    ],
    ids=str,
)
def test_what_all_vehicles_share_tells_none_of_them_apart(
    fleet: Fleet, facts: list[dict[str, str]], telling: int
) -> None:
    fleet.add([car(number, **each) for number, each in enumerate(facts)])
    fleet.launch(start=False)
    assert fleet.value(TELLING) == telling


def test_how_many_cohorts_there_are_is_frozen_with_the_selection(fleet: Fleet) -> None:
    fleet.add(cars(2, hw_id="EVO14") + cars(2, 2, hw_id="EVO15"))
    campaign = fleet.launch()
    fleet.add(cars(2, 4, hw_id="EVO16"))
    assert fleet.select(campaign) == {1: 4}
    assert fleet.value(TELLING) == 2


def test_the_cohorts_come_in_the_same_order_in_every_process_the_more_telling_first() -> None:
    """Of several in breach the first is told, by the gateway as by the worker: it must be the same one."""
    texts = ["country=SE", "model=Y", "from_version=Radar 2", "hw_id=R1", "country=DE", "hw_id=R0"]
    ordered = ["hw_id=R0", "hw_id=R1", "from_version=Radar 2", "model=Y", "country=DE", "country=SE"]
    for rows in (texts, texts[::-1]):
        found = by_cohort([(1, text, "failed", 1) for text in rows])
        assert list(map(str, found[1].names)) == ordered
