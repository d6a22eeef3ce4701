"""The SQL of the selection against the rules in Python: the same vehicles, for any criteria and phases."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Select, select
from sqlmodel import col

from campaign.criteria import Criteria, Criterion, matches
from campaign.definition import PILOT_GROUPS, CampaignType, Definition
from campaign.order import lot, rank
from campaign.package import Package, package_misses
from campaign.phase import Order
from campaign.vehicle import Vehicle
from store.matching import criteria_sql, package_sql
from store.selection import choose, fleet_sql, fleet_versions
from store.tables import VehicleRow
from tests.store.fleet import MODULE, Fleet, add_vehicles, car, keep_candidates

SHARED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

#: Every combination of what may be known and unknown of a vehicle meets every radar.
KNOWN = product(
    ["Model_Y", "Model_3"],
    [None, "DE", "FR"],
    [None, "EU"],
    [None, "2023-01-01", "2024-06-30"],
    [(), ("internal",), ("taxi", "volunteers")],
)


def ecu(name: str, hw_id: str, sw_version: str) -> dict[str, str]:
    return {"name": name, "hw_id": hw_id, "sw_version": sw_version}


ECUS = [
    [ecu("Radar", "EVO14", "1.3.0")],
    [ecu("Radar", "EVO15", "1.10.0")],
    [ecu("Radar", "EVO14", "1.4.0rc1")],
    [ecu("Radar", "EVO16", "MU-0923")],
    [ecu("Radar", "EVO14", "1.4"), ecu("GW", "G", "2")],
    [ecu("GW", "EVO14", "1.3.0")],
    [ecu("Radar", "EVO15", "1.3.0"), ecu("GW", "H", "3")],
]
LISTS: list[tuple[str, ...]] = [(), ("recall",), ("recall", "short"), ()]
VEHICLES = [
    car(
        number,
        model=model,
        country=country,
        region=region,
        build_date=day,
        groups=groups,
        ecus=ecus,
        vin_lists=LISTS[number % len(LISTS)],
    )
    for number, ((model, country, region, day, groups), ecus) in enumerate(
        (known, ECUS[index % len(ECUS)]) for index, known in enumerate(KNOWN)
    )
] + [
    car(500 + number, ecus=ecus, country="DE", groups=groups)
    for number, (ecus, groups) in enumerate(product(ECUS, [(), ("volunteers",)]))
]

DAYS = ["2022-12-31", "2023-01-01", "2024-06-30", "2024-07-01"]
RANGES = [">=1.3.0", "<1.4.0", "==1.4.0", "!=1.3.0", ">1.9", ">=1.3,<1.4", "<0.1", ">=0"]


def some(*words: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=2)


LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "model": some("Model_Y", "Model_3", "Model_S"),
        "country": some("DE", "FR", "CH"),
        "region": some("EU", "NA"),
        "groups": some("internal", "taxi", "volunteers", "none"),
        "build_date": st.fixed_dictionaries(
            {}, optional={"since": st.sampled_from(DAYS), "until": st.sampled_from(DAYS)}
        ),
        "vin_list": some("recall", "short"),
        "ecu": st.fixed_dictionaries(
            {"name": st.sampled_from(["Radar", "GW", "Camera"])},
            optional={"hw_id": some("EVO14", "EVO15", "G"), "sw_version": st.sampled_from(RANGES)},
        ),
    },
)


def _readable(raw: dict[str, Any]) -> bool:
    try:
        TypeAdapter(Criteria).validate_python(raw)
    except ValidationError:  # empty, or a range of days without any day
        return False
    return True


RAW = st.recursive(
    LEAVES.filter(_readable),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"model": some("Model_Y"), "not": inner}),
    ),
    max_leaves=6,
)
CRITERIA = RAW.map(Criterion.model_validate)
PACKAGES = st.builds(
    lambda modules: Package.model_validate({"name": "P", "modules": modules}),
    st.lists(
        st.fixed_dictionaries(
            {
                "ecu": st.sampled_from(["Radar", "GW"]),
                "hw_ids": some("EVO14", "EVO15", "G"),
                "version": st.sampled_from(["1.4.0", "1.3", "2.0", "MU-0923"]),
                "from_versions": st.sampled_from([None, *RANGES]),
                "requires": st.lists(
                    st.fixed_dictionaries({"ecu": st.just("Camera"), "versions": st.sampled_from(RANGES)}),
                    max_size=1,
                ),
                "artifact": st.just(MODULE["artifact"]),
            }
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda module: str(module["ecu"]),
    ),
)


@pytest.fixture
def connection(fleet: Fleet) -> Iterator[Connection]:
    with fleet.engine.connect() as connection:
        keep_candidates(connection, add_vehicles(connection, VEHICLES))
        yield connection


def vins_where(condition: Any) -> Select[Any]:
    return select(col(VehicleRow.vin)).select_from(fleet_sql()).where(condition)


@SHARED
@given(criterion=CRITERIA)
def test_sql_matches_the_vehicles_the_rules_match(connection: Connection, criterion: Criterion) -> None:
    condition = criteria_sql(criterion, fleet_versions(connection))
    found = set(connection.scalars(vins_where(condition)))
    assert found == {vehicle.vin for vehicle in VEHICLES if matches(criterion, vehicle)}


@SHARED
@given(criterion=CRITERIA)
def test_what_matches_not_is_everybody_else_and_nobody_is_in_neither(
    connection: Connection, criterion: Criterion
) -> None:
    versions = fleet_versions(connection)
    parts = [criterion, Criterion.model_validate({"not": criterion})]
    inside, outside = (list(connection.scalars(vins_where(criteria_sql(part, versions)))) for part in parts)
    assert sorted(inside + outside) == sorted(vehicle.vin for vehicle in VEHICLES)


@SHARED
@given(package=PACKAGES)
def test_sql_fits_a_package_to_the_vehicles_the_rules_fit(connection: Connection, package: Package) -> None:
    condition = package_sql(package, fleet_versions(connection))
    found = set(connection.scalars(vins_where(condition)))
    assert found == {vehicle.vin for vehicle in VEHICLES if not package_misses(package, vehicle)}


def expected(definition: Definition, package: Package) -> dict[str, int]:
    """The selection by the rules alone, vehicle by vehicle."""
    eligible = [
        vehicle
        for vehicle in VEHICLES
        if not package_misses(package, vehicle)
        and (definition.criteria is None or matches(definition.criteria, vehicle))
        and (definition.exclude is None or not matches(definition.exclude, vehicle))
        and (definition.type is not CampaignType.BETA or set(PILOT_GROUPS) & set(vehicle.groups))
    ]
    taken: dict[str, int] = {}
    for number, phase in enumerate(definition.phases, start=1):

        def place(vehicle: Vehicle, volunteers: bool = phase.order is Order.VOLUNTEERS_FIRST) -> Any:
            late = volunteers and "volunteers" not in vehicle.groups
            return late, rank(lot(vehicle.vin), definition.order_seed)

        population = sorted(
            (v for v in eligible if phase.criteria is None or matches(phase.criteria, v)), key=place
        )
        if phase.rollout_percent is not None:
            population = population[: ceil(len(population) * Fraction(phase.rollout_percent) / 100)]
        fresh = [vehicle.vin for vehicle in population if vehicle.vin not in taken]
        taken |= dict.fromkeys(fresh[: phase.rollout_count], number)
    return taken


RINGS = st.builds(
    lambda size, more: size | more,
    st.one_of(
        st.fixed_dictionaries({"rollout_count": st.integers(1, 40)}),
        st.fixed_dictionaries({"rollout_percent": st.decimals("0.1", 100, places=1)}),
    ),
    st.fixed_dictionaries(
        {}, optional={"criteria": RAW, "order": st.sampled_from(["random", "volunteers_first"])}
    ),
)


def _definition(raw: dict[str, Any]) -> Definition | None:
    try:
        return Definition.model_validate({"name": "W", "package": "P"} | raw)
    except ValidationError:  # falling percents
        return None


DEFINITIONS = (
    st.fixed_dictionaries(
        {"phases": st.lists(RINGS, min_size=1, max_size=3), "seed": st.integers(0, 2**31 - 1)},
        optional={
            "criteria": RAW,
            "exclude": RAW,
            "type": st.sampled_from(["general", "beta"]),
        },
    )
    .map(_definition)
    .filter(lambda definition: definition is not None)
)
ANY_RADAR = Package.model_validate(
    {"name": "P", "modules": [MODULE | {"hw_ids": ["EVO14", "EVO15"], "from_versions": None}]}
)


@SHARED
@given(definition=DEFINITIONS)
def test_sql_selects_the_phases_the_rules_select(connection: Connection, definition: Definition) -> None:
    found = choose(connection, definition, ANY_RADAR)
    vehicle = found.eligible.c.vehicle_id
    statement = found.select(col(VehicleRow.vin)).join(VehicleRow, col(VehicleRow.id) == vehicle)
    rows = [(row.vin, row.phase) for row in connection.execute(statement)]
    assert dict(rows) == expected(definition, ANY_RADAR)
    assert len(rows) == len(dict(rows))
