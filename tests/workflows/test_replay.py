"""Histories of campaigns that other versions of the code have run must replay on this one.

A failure here means: campaigns that are under way would be stuck after the update. Put the old way behind
``workflow.patched``, or see `record_histories.py`.
"""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.workflows.reading import texts, vins
from tests.workflows.record_histories import FOLDER, STORIES
from workflows.campaign import CampaignWorkflow

#: A path from the root of a machine's files.
PLACE = re.compile(r"(?<![\w./])(?:[A-Z]:)?/(?:\w[\w.-]*/)+\w+|[A-Z]:/\w+")

HISTORIES = sorted(FOLDER.glob("*.json"))


def _text(path: Path) -> str:
    return path.read_text()


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
async def test_a_recorded_history_replays(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, _text(path))
    replayer = Replayer(workflows=[CampaignWorkflow], data_converter=pydantic_data_converter)
    await replayer.replay_workflow(history)


#: What the clock does between two events of a history: it stands still, or it races.
CLOCKS = {"still": timedelta(0), "racing": timedelta(days=1)}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
async def test_a_recorded_history_replays_whatever_its_clock_says(path: Path, clock: str) -> None:
    """What a workflow does must not hang on the clock: after a worker has died, replay sees another one."""
    history = json.loads(_text(path))
    first = datetime.fromisoformat(history["events"][0]["eventTime"])
    for number, event in enumerate(history["events"]):
        event["eventTime"] = (first + number * CLOCKS[clock]).isoformat()
    replayer = Replayer(workflows=[CampaignWorkflow], data_converter=pydantic_data_converter)
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, history))


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
def test_a_recorded_history_names_no_vehicle_and_no_place_of_the_recorder(path: Path) -> None:
    assert vins(_text(path)) == []
    assert PLACE.findall(texts(_text(path))) == []


def test_the_search_for_places_finds_one() -> None:
    trace = ("""File \\"/opt/x/workflows/campaign.py\\", line 3""", "File /home/ann/x.py", "at C:/Users/x")
    assert all(PLACE.search(line) for line in trace)
    assert not PLACE.search('File \\"workflows/campaign.py\\", line 3, and 1/2 of it')


def test_every_story_has_a_history_and_every_history_a_story() -> None:
    recorded = {path.name.split(".")[0] for path in HISTORIES}
    assert recorded == {story.__name__ for story in STORIES}


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
def test_a_recorded_history_is_small(path: Path) -> None:
    assert path.stat().st_size < 150_000


def test_the_search_for_vins_finds_one() -> None:
    payload = '"data": "eyJ2aW4iOiAiV1ZXWlpaMUpaM1cwMDAwMDEifQ=="'
    assert vins(payload) == ["WVWZZZ1JZ3W000001"]
