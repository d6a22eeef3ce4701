"""Histories of campaigns that other versions of the code have run must replay on this one.

A failure here means: campaigns that are under way would be stuck after the update. Put the old way behind
``workflow.patched``, or see `record_histories.py`.
"""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.workflows.reading import vins
from tests.workflows.record_histories import FOLDER, STORIES
from workflows.campaign import CampaignWorkflow

HISTORIES = sorted(FOLDER.glob("*.json"))


def _text(path: Path) -> str:
    return path.read_text()


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
async def test_a_recorded_history_replays(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, _text(path))
    replayer = Replayer(workflows=[CampaignWorkflow], data_converter=pydantic_data_converter)
    await replayer.replay_workflow(history)


def test_every_story_has_a_history_and_every_history_a_story() -> None:
    recorded = {path.name.split(".")[0] for path in HISTORIES}
    assert recorded == {story.__name__ for story in STORIES}


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
def test_a_recorded_history_is_small(path: Path) -> None:
    assert path.stat().st_size < 150_000


def test_the_search_for_vins_finds_one() -> None:
    payload = '"data": "eyJ2aW4iOiAiV1ZXWlpaMUpaM1cwMDAwMDEifQ=="'
    assert vins(payload) == ["WVWZZZ1JZ3W000001"]
