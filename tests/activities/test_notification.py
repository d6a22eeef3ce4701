"""Telling people: a wrong URL is refused at start, a failing channel is tried again, no URL is ever shown."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import structlog
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.messages import Notice
from activities.notification import Notification
from runtime.logging import QUIET, configure_logging
from runtime.settings import Settings
from worker import SLOTS, build_engine, build_worker

NOTICE = Notice(title="Paused: Winter", body="1 of 10 failed", urgent=True)
DEAD = "json://ann:s3cret@127.0.0.1:9/t0ken"
SECRETS = ("s3cret", "t0ken")

#: Apprise imports it where Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def notify(urls: list[str], notice: Notice = NOTICE) -> None:
    ActivityEnvironment().run(Notification(urls).notify, notice)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything this process would log at the most talkative level."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    quiet = {name: logging.getLogger(name).level for name in QUIET}
    stream = io.StringIO()
    configure_logging(Settings(log_level="DEBUG", log_format="json"), stream)
    yield stream
    root.handlers, root.level = handlers, level
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook: its URL, and what came."""
    came: list[dict[str, Any]] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *given: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"json://127.0.0.1:{server.server_port}/hook", came
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("urgent", "kind"), [(True, "warning"), (False, "info")])
def test_a_notice_arrives(inbox: tuple[str, list[dict[str, Any]]], urgent: bool, kind: str) -> None:
    url, came = inbox
    notify([url], NOTICE.model_copy(update={"urgent": urgent}))
    [message] = came
    assert (message["title"], message["message"], message["type"]) == (NOTICE.title, NOTICE.body, kind)


def test_without_a_channel_the_log_is_told(log: io.StringIO) -> None:
    notify([])
    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["event"], line["title"], line["body"], line["level"]) == (
        "notice",
        NOTICE.title,
        NOTICE.body,
        "warning",
    )


def test_a_channel_that_fails_is_tried_again() -> None:
    with pytest.raises(ApplicationError) as caught:
        notify([DEAD])
    assert (caught.value.type, caught.value.non_retryable) == ("NotSent", False)


def test_one_channel_that_fails_does_not_keep_the_others_from_being_told(
    inbox: tuple[str, list[dict[str, Any]]],
) -> None:
    url, came = inbox
    with pytest.raises(ApplicationError):
        notify([DEAD, url])
    assert len(came) == 1


def test_a_url_is_never_logged_nor_told_to_temporal(log: io.StringIO) -> None:
    with pytest.raises(ApplicationError) as caught:
        notify([DEAD])
    assert "notice" in log.getvalue()
    for secret in SECRETS:
        assert secret not in log.getvalue()
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["nonsense://ann:s3cret@host/t0ken", "s3cret", "", "slack://s3cret"])
def test_a_url_that_apprise_does_not_know_is_refused_by_its_place(url: str, log: io.StringIO) -> None:
    with pytest.raises(ValueError, match=r"the 2\. URL is not one Apprise knows") as caught:
        Notification(["json://localhost", url])
    assert "s3cret" not in str(caught.value) + log.getvalue()


async def test_a_worker_with_a_wrong_url_does_not_start(temporal_env: WorkflowEnvironment) -> None:
    settings = Settings(notify_urls=("nonsense://host",))
    engine = build_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    with ThreadPoolExecutor(SLOTS) as threads, pytest.raises(ValueError, match="RINGMASTER_NOTIFY_URLS"):
        build_worker(temporal_env.client, engine, settings, threads)
