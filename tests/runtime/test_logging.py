"""One line for one event, whoever wrote it; fields of the run are lifted; secrets never appear."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from temporalio import activity, workflow
from temporalio.testing import ActivityEnvironment

from runtime.logging import configure_logging
from runtime.settings import load_settings


class Log:
    """What was logged, one dict for each line."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def only(self) -> dict[str, Any]:
        (line,) = self.lines()
        return line


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    log = Log()
    configure_logging(load_settings(log_format="json"), log.stream)
    yield log
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers = handlers
    root.setLevel(level)


def test_structlog_and_the_standard_library_write_the_same_kind_of_line(log: Log) -> None:
    structlog.get_logger("ours").info("phase_opened", phase=1)
    logging.getLogger("theirs").info("phase %s", "opened", extra={"phase": 1})
    ours, theirs = log.lines()
    assert ours.keys() == theirs.keys() == {"event", "level", "logger", "phase", "timestamp"}
    assert (ours["event"], theirs["event"]) == ("phase_opened", "phase opened")


def test_context_bound_once_is_on_every_line(log: Log) -> None:
    with structlog.contextvars.bound_contextvars(campaign="4711"):
        structlog.get_logger().info("one")
        logging.getLogger("theirs").info("two")
    assert [line["campaign"] for line in log.lines()] == ["4711", "4711"]


async def test_a_line_of_an_activity_tells_its_run_and_attempt_as_fields(log: Log) -> None:
    def work() -> None:
        activity.logger.info("gate shut", extra={"phase": 2})

    ActivityEnvironment().run(work)
    line = log.only()
    assert line["event"] == "gate shut"
    assert (line["workflow_id"], line["run_id"], line["attempt"], line["phase"]) == ("test", "test-run", 1, 2)
    assert not [name for name in line if name.startswith("temporal_")]


def test_a_line_of_a_workflow_tells_its_run_as_fields(log: Log) -> None:
    # the record as workflow.logger makes it: outside a workflow it adds nothing of its own
    record = {"workflow_id": "campaign/4711", "run_id": "r1", "attempt": 1, "namespace": "default"}
    workflow.logger.base_logger.info("phase opened", extra={"temporal_workflow": record})
    line = log.only()
    assert (line["workflow_id"], line["run_id"], line["attempt"]) == ("campaign/4711", "r1", 1)
    assert "temporal_workflow" not in line
    assert "namespace" not in line
    assert workflow.logger.workflow_info_on_message is False


@pytest.mark.parametrize("name", ["apprise", "uvicorn.access", "uvicorn.error"])
def test_chatty_libraries_are_heard_only_when_something_is_wrong(
    log: Log, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A gateway started by another test in this process has switched its access log off for good.
    monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).error("trouble")
    assert log.only()["event"] == "trouble"


def test_passwords_in_urls_and_named_secrets_are_masked(log: Log) -> None:
    structlog.get_logger().info(
        "connecting to postgresql://ann:s3cret@db/fleet",
        api_key="s3cret",
        targets=["https://u:s3cret@host/x"],
        headers={"Authorization": "Bearer s3cret"},
    )
    assert "s3cret" not in log.stream.getvalue()
    assert log.only()["event"] == "connecting to postgresql://***@db/fleet"


def test_secrets_in_a_traceback_are_masked(log: Log) -> None:
    try:
        raise ValueError("cannot open postgresql://ann:s3cret@db/fleet")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "s3cret" not in log.stream.getvalue()
    assert "ValueError" in log.only()["exception"]


def test_the_console_shows_the_same_events_without_colours_when_it_is_no_terminal(log: Log) -> None:
    stream = io.StringIO()
    configure_logging(load_settings(log_level="warning"), stream)
    structlog.get_logger("ours").info("hidden")
    structlog.get_logger("ours").warning("shown", phase=1)
    assert "hidden" not in stream.getvalue()
    assert "shown" in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()
