"""A campaign built in Python is the one written in YAML."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from campaign.builder import Campaign
from campaign.definition import parse
from campaign.phase import Phase
from campaign.problems import Refused

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def winter() -> Campaign:
    winter_update = Campaign("Winter Optimization", "NORMAL", "Pkg_v2.4")
    winter_update.add_phase(criteria="Model_Y", rollout_percent=5, wait_time_hours=24)
    winter_update.add_phase(criteria="Model_Y", rollout_percent=100, wait_time_hours=0)
    return winter_update


def test_three_words_and_two_phases_are_a_definition() -> None:
    assert winter().document() == {
        "name": "Winter Optimization",
        "priority": "NORMAL",
        "package": "Pkg_v2.4",
        "phases": [
            {"criteria": "Model_Y", "rollout_percent": 5, "wait_time_hours": 24},
            {"criteria": "Model_Y", "rollout_percent": 100, "wait_time_hours": 0},
        ],
    }
    definition = parse(winter().document(), NOW)
    assert [phase.rollout_percent for phase in definition.phases] == [5, 100]
    assert [phase.wait.total_seconds() for phase in definition.phases] == [86_400, 0]
    assert all(phase.criteria and phase.criteria.model == ("Model_Y",) for phase in definition.phases)


def test_python_and_yaml_give_the_same_definition() -> None:
    written = yaml.safe_load(
        """
        name: Winter Optimization
        priority: NORMAL
        package: Pkg_v2.4
        phases:
          - {criteria: Model_Y, rollout_percent: 5, wait_time_hours: 24}
          - {criteria: Model_Y, rollout_percent: 100, wait_time_hours: 0}
        """
    )
    assert parse(written, NOW) == parse(winter().document(), NOW)
    assert parse(written, NOW).digest == parse(winter().document(), NOW).digest


def test_nothing_is_checked_before_the_whole_is_parsed() -> None:
    campaign = Campaign("", "URGENT", None, colour="red")
    campaign.add_phase(rollout_percent=120)
    with pytest.raises(Refused) as refused:
        parse(campaign.document(), NOW)
    fields = {problem.field for problem in refused.value.problems}
    assert fields == {"name", "priority", "package", "colour", "phases.0.rollout_percent"}


def test_a_document_once_taken_does_not_change_with_its_builder() -> None:
    campaign = winter()
    before = campaign.document()
    campaign.add_rings([Phase(rollout_count=1)])
    assert len(before["phases"]) == 2
    assert campaign.document()["phases"][2]["rollout_count"] == 1


@pytest.mark.parametrize("name", ["winter-optimization.yaml", "winter-optimization.json"])
def test_the_examples_pass_the_door(name: str) -> None:
    text = (Path(__file__).parents[2] / "examples" / name).read_text()
    assert parse(yaml.safe_load(text), NOW).package_name == "Pkg_v2.4"
