"""Every bad definition is refused at the door, with field, value and cure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaign.definition import PAST_START_TOLERANCE, parse
from campaign.problems import Refused

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {"name": "Winter", "package": "Pkg", "phases": [{"rollout_percent": 100}]}
ARTIFACT = {"filename": "a.swu", "size_bytes": 1, "sha256": "a" * 64}
MODULE = {"ecu": "Radar", "hw_ids": "EVO14", "version": "1.4.0", "artifact": ARTIFACT}


def phase(**keys: Any) -> dict[str, Any]:
    return {"phases": [{"rollout_percent": 100} | keys]}


def size(**keys: Any) -> dict[str, Any]:
    return {"phases": [keys]}


def percents(*steps: Any, **keys: Any) -> dict[str, Any]:
    return {"phases": [{"rollout_percent": step} | keys for step in steps]}


def module(**keys: Any) -> dict[str, Any]:
    return {"package": {"name": "P", "modules": [MODULE | keys]}}


#: changes, and what the message says: field, value, cure.
BAD: list[tuple[dict[str, Any], str]] = [
    ({"pahses": 1}, "pahses = 1: unknown key; did you mean 'phases'?"),
    (phase(rollout_procent=5), "phases.0.rollout_procent = 5: unknown key; did you mean 'rollout_percent'?"),
    (phase(criteria={"modle": "Y"}), "phases.0.criteria.modle = 'Y': unknown key; did you mean 'model'?"),
    (
        phase(criteria={"not": {"modle": "Y"}}),
        "phases.0.criteria.not.modle = 'Y': unknown key; did you mean 'model'?",
    ),
    (
        phase(criteria={"any": [{"ecu": {"name": "R", "hw": 1}}]}),
        "phases.0.criteria.any.0.ecu.hw = 1: unknown key; did you mean 'hw_id'?",
    ),
    ({"limits": {"inflight": 3}}, "limits.inflight = 3: unknown key; did you mean 'in_flight'?"),
    ({"guards": [{"limt": 1}]}, "guards.0.limt = 1: unknown key; did you mean 'limit'?"),
    ({"name": ""}, "name = '': String should have at least 1 character"),
    ({"name": "x" * 101}, "at most 100 characters"),
    ({"name": None}, "name = None: Input should be a valid string"),
    ({"type": "normal"}, "type = 'normal': Input should be 'general', 'recall' or 'beta'"),
    ({"priority": "HIGH"}, "priority = 'HIGH': Input should be 'LOW', 'NORMAL' or 'CRITICAL'"),
    (
        {"interaction": "loud"},
        "interaction = 'loud': Input should be 'silent', 'banner', 'forced' or 'confirm'",
    ),
    (
        {"install_window": {"from": 1320, "to": "05:00"}},
        "install_window.from = 1320: not a time of day; write it in",
    ),
    ({"install_window": {"from": "02:00"}}, "install_window.to: is required and missing"),
    (
        {"install_window": {"from": "02:00", "to": "02:00"}},
        "from and to are the same; for the whole day write",
    ),
    (
        {"install_window": {"from": "02:00", "to": "05:00", "days": ["sunday"]}},
        "install_window.days.0 = 'sunday': Input should be 'mon', 'tue'",
    ),
    (
        {"install_window": {"from": "02:00", "to": "05:00", "time_zone": "Europe/Belrin"}},
        "install_window.time_zone = 'Europe/Belrin': unknown time zone; did you mean 'Europe/Berlin'?",
    ),
    (
        {"install_window": {"from": "02:00", "to": "05:00", "zone": "Europe/Berlin"}},
        "install_window.zone = 'Europe/Berlin': unknown key; did you mean 'time_zone'?",
    ),
    ({"message_version": ""}, "message_version = '': String should have at least 1 character"),
    ({"seed": -1}, "seed = -1: Input should be greater than or equal to 0"),
    ({"seed": 2**31}, "seed = 2147483648: Input should be less than 2147483648"),
    (percents(120), "phases.0.rollout_percent = 120: Input should be less than or equal to 100"),
    (percents(0), "phases.0.rollout_percent = 0: Input should be greater than 0"),
    (percents("NaN"), "phases.0.rollout_percent = 'NaN': Input should be a finite number"),
    (percents("five"), "phases.0.rollout_percent = 'five'"),
    (percents(50, 5), "phase 2 has rollout_percent 5 after 50; percents are cumulative and must rise"),
    (percents(5, 5), "phase 2 has rollout_percent 5 after 5; percents are cumulative and must rise"),
    (
        percents(5, 5, criteria="Model_Y"),
        "phase 2 has rollout_percent 5 after 5; percents are cumulative and must rise",
    ),
    (size(rollout_count=0), "phases.0.rollout_count = 0: Input should be greater than or equal to 1"),
    (size(rollout_count=2.5), "phases.0.rollout_count = 2.5: Input should be a valid integer"),
    (size(rollout_count=2**31), "phases.0.rollout_count = 2147483648: Input should be less than or equal"),
    (
        size(rollout_percent=5, rollout_count=5),
        "phases.0 = {'rollout_percent': 5, 'rollout_count': 5}: give exactly one of rollout_percent and "
        "rollout_count",
    ),
    (size(), "phases.0 = {}: give exactly one of rollout_percent and rollout_count"),
    ({"phases": []}, "phases = []: Tuple should have at least 1 item"),
    ({"phases": [{"rollout_count": 1}] * 101}, "at most 100 items"),
    ({"phases": "all"}, "phases = 'all': Input should be a valid tuple"),
    (
        {"phases": [{"name": "a", "rollout_percent": p} for p in (5, 6)]},
        "phase name a is used more than once; names must differ",
    ),
    (
        {"phases": [{"name": "phase 2", "rollout_percent": 5}, {"rollout_percent": 6}]},
        "phase name phase 2 is used more than once; names must differ",
    ),
    (phase(wait_time_hours=-1), "phases.0.wait_time_hours = -1: Input should be greater than or equal to 0"),
    (
        phase(wait_time="-PT1H"),
        "phases.0.wait_time = -1 day, 23:00:00: Input should be greater than or equal",
    ),
    (phase(wait_time_hours=1e13), "phases.0.wait_time_hours = 10000000000000.0: Input should be less than"),
    (
        phase(wait_time="P999999999D"),
        "phases.0.wait_time = 999999999 days, 0:00:00: Input should be less than",
    ),
    (
        phase(wait_time_hours=1, wait_time="PT1H"),
        "give one of wait_time_hours and wait_time, not both",
    ),
    (phase(quorum_percent=0), "phases.0.quorum_percent = 0: Input should be greater than 0"),
    (phase(quorum_percent=101), "phases.0.quorum_percent = 101: Input should be less than or equal to 100"),
    (phase(deadline="PT0S"), "phases.0.deadline = 0:00:00: Input should be greater than 0"),
    (phase(deadline="P999999999D"), "phases.0.deadline = 999999999 days, 0:00:00: Input should be less"),
    (phase(order="fastest"), "phases.0.order = 'fastest': Input should be 'random' or 'volunteers_first'"),
    (phase(criteria={}), "phases.0.criteria = {}: an empty criterion; name at least one of model"),
    ({"criteria": {"country": "Germny"}}, "criteria.country.0 = 'Germny': unknown country 'Germny'; give an"),
    (
        {"exclude": {"vins": ["X"]}},
        "exclude = {'vins': ['X']}: a definition holds no VINs: keep them in a list",
    ),
    ({"limits": {"in_flight": 0}}, "limits.in_flight = 0: Input should be greater than or equal to 1"),
    ({"limits": {"in_flight": 2**31}}, "limits.in_flight = 2147483648: Input should be less than or equal"),
    ({"limits": {"per_minute": 0}}, "limits.per_minute = 0: Input should be greater than or equal to 1"),
    ({"limits": {"offer_timeout": "PT0S"}}, "limits.offer_timeout = 0:00:00: Input should be greater than 0"),
    (
        {"limits": {"silent_after": "P99999D"}},
        "limits.silent_after = 99999 days, 0:00:00: Input should be less than",
    ),
    ({"guards": []}, "guards = []: Tuple should have at least 1 item"),
    ({"guards": [{"name": "a"}, {"name": "a"}]}, "two guards share a name; names must differ"),
    (phase(guards=[{"name": "a"}, {"name": "a"}]), "two guards share a name; names must differ"),
    (phase(guards=[]), "phases.0.guards = []: Tuple should have at least 1 item"),
    ({"guards": [{"limit": "1"}]}, "guards.0.limit = '1': Input should be less than 1"),
    ({"guards": [{"limit": "-0.1"}]}, "guards.0.limit = '-0.1': Input should be greater than or equal to 0"),
    ({"guards": [{"limit": "two"}]}, "guards.0.limit = 'two': Input should be a valid decimal"),
    (
        {"guards": [{"metric": "mood"}]},
        "guards.0.metric = 'mood': Input should be 'installation_success_rate', 'failure_rate', ",
    ),
    (
        phase(guards=[{"accept": "0.011"}]),
        "phases.0.guards.0 = {'accept': '0.011'}: accept 0.011 must be at most half of limit 0.02: closer",
    ),
    (
        {"limits": {"in_flight_floor": 0}},
        "limits.in_flight_floor = 0: Input should be greater than or equal to 1",
    ),
    ({"limits": {"harm_budget": 0}}, "limits.harm_budget = 0: Input should be greater than or equal to 1"),
    ({"limits": {"overdue_after": "PT0S"}}, "limits.overdue_after = 0:00:00: Input should be greater than 0"),
    (
        {"limits": {"overdue_after": "PT25H"}},
        "limits = {'overdue_after': 'PT25H'}: overdue_after 1 day, 1:00:00 is longer than silent_after 1 "
        "day, 0:00:00; a vehicle is overdue first and silent later",
    ),
    ({"promotion": {"require": 1}}, "promotion.require = 1: unknown key; did you mean 'requires'?"),
    (
        {"promotion": {"requires": "hope"}},
        "promotion.requires = 'hope': Input should be 'none', 'below_limit' or 'below_target'",
    ),
    (
        phase(promotion={"on_inconclusive": "hope"}),
        "phases.0.promotion.on_inconclusive = 'hope': Input should be 'approve', 'advance_within_budget' or "
        "'advance'",
    ),
    (
        {"promotion": {"on_inconclusive": "advance_within_budget"}, "limits": {"harm_budget": None}},
        "phase 1: on_inconclusive advance_within_budget needs limits.harm_budget; give one, or approve",
    ),
    (
        percents(5, 100) | {"promotion": {"requires": "below_target"}, "guards": [{"mode": "threshold"}]},
        "phase 1: requires below_target needs a guard in mode evidence; installation_success_rate has mode "
        "threshold, which knows no target",
    ),
    (
        {
            "phases": [
                {"rollout_count": 1},
                {
                    "rollout_count": 2,
                    "promotion": {"requires": "below_target"},
                    "guards": [{"mode": "count"}],
                },
            ]
        },
        "phase 2: requires below_target needs a guard in mode evidence; installation_success_rate has mode "
        "count",
    ),
    (
        {"time_zone": "Europe/Belrin"},
        "time_zone = 'Europe/Belrin': unknown time zone; did you mean 'Europe/Berlin'?",
    ),
    (
        {"start_date": "2026-12-01T02:00"},
        "start_date has no offset: write 2026-12-01T02:00+01:00 or give time_zone",
    ),
    ({"start_date": "soon"}, "start_date = 'soon': Input should be a valid datetime"),
    ({"start_date": "9999-12-31T23:59-05:00"}, "start_date in UTC lies outside the years 1 to 9999"),
    (
        {"start_date": "0001-01-01T00:00", "time_zone": "Asia/Tokyo"},
        "start_date in UTC lies outside the years 1 to 9999",
    ),
    ({"package": ""}, "package = '': String should have at least 1 character"),
    ({"package": {"name": "P"}}, "package.modules: is required and missing"),
    ({"package": {"name": "P", "modules": [], "moduls": 1}}, "package.moduls = 1: unknown key; did you mean"),
    (
        {"package": {"name": "P", "modules": [MODULE, MODULE]}},
        "two modules name the same ECU; a package holds one module per ECU",
    ),
    (module(version=""), "package.modules.0.version = '': String should have at least 1 character"),
    (
        module(from_versions="1.4"),
        "package.modules.0.from_versions = '1.4': a version range is a list of comparisons",
    ),
    (module(ecuu=1), "package.modules.0.ecuu = 1: unknown key; did you mean 'ecu'?"),
    (
        module(artifact=ARTIFACT | {"sha256": "x"}),
        "package.modules.0.artifact.sha256 = 'x': String should match pattern '^[0-9a-f]{64}$'",
    ),
    (
        module(artifact=ARTIFACT | {"filename": "../a"}),
        "package.modules.0.artifact.filename = '../a': String should match",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_definition_is_refused_with_field_value_and_cure(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=re.escape(message)):
        parse(GOOD | changes, NOW)


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_required_key_that_is_missing_is_named(missing: str) -> None:
    with pytest.raises(Refused) as refused:
        parse({key: value for key, value in GOOD.items() if key != missing}, NOW)
    assert [str(problem) for problem in refused.value.problems] == [f"{missing}: is required and missing"]


@pytest.mark.parametrize("raw", [[], [GOOD], "Winter", None, 5], ids=str)
def test_a_document_that_is_no_mapping_is_refused(raw: Any) -> None:
    with pytest.raises(Refused, match=f"definition = {type(raw).__name__}: give one mapping: name, package"):
        parse(raw, NOW)


def test_every_problem_is_named_at_once() -> None:
    bad = {"name": "", "package": {"name": "P"}, "phases": [{"rollout_percent": 120}], "colour": 1}
    with pytest.raises(Refused) as refused:
        parse(bad, NOW)
    fields = ["name", "package.modules", "phases.0.rollout_percent", "colour"]
    assert [problem.field for problem in refused.value.problems] == fields


def test_a_mapping_given_as_package_is_not_told_that_a_name_was_expected() -> None:
    with pytest.raises(Refused) as refused:
        parse(GOOD | {"package": {"name": "P"}}, NOW)
    assert [problem.field for problem in refused.value.problems] == ["package.modules"]


def test_percents_over_different_vehicles_need_not_rise() -> None:
    phases = [{"rollout_percent": 50, "criteria": model} for model in ("Model_Y", "Model_3")]
    assert len(parse(GOOD | {"phases": phases}, NOW).phases) == 2


def test_a_start_in_the_past_is_refused_beyond_the_tolerance_only() -> None:
    edge = NOW - PAST_START_TOLERANCE
    assert parse(GOOD | {"start_date": edge.isoformat()}, NOW).start == edge
    late = (edge - timedelta(seconds=1)).isoformat()
    with pytest.raises(
        Refused, match=r"start_date = 2026-06-01T11:54:59.* lies in the past \(it is 2026-06-01"
    ):
        parse(GOOD | {"start_date": late}, NOW)


def test_a_start_in_the_past_of_its_own_zone_is_refused_too() -> None:
    local = {"start_date": "2026-06-01T13:00", "time_zone": "Europe/Berlin"}  # 11:00 UTC
    with pytest.raises(Refused, match="lies in the past"):
        parse(GOOD | local, NOW)
    assert parse(GOOD | local | {"time_zone": "America/New_York"}, NOW).start == NOW.replace(hour=17)
