"""
Children are started in order, watched, stopped in reverse, and never left behind.

Given the parent            | then the children
----------------------------|-------------------------------------
leaves the block            | stop, the last started first
gets Ctrl-C or SIGTERM      | stop, the last started first
is killed outright (Linux)  | stop
"""

import http.server
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from runtime.errors import EmbeddedServerFault
from runtime.processes import (
    Child,
    ChildDied,
    NotReady,
    Processes,
    answering,
    free_port,
    listening,
    port_is_free,
)

ROOT = Path(__file__).parents[2]
SHORT = timedelta(milliseconds=200)
LONG = timedelta(seconds=30)

#: Says that it runs; says that it stops when asked to.
POLITE = """
import os, signal, sys
def say(word):
    os.write(1, f"{word} {sys.argv[1]}\\n".encode())  # one write: several share the pipe
def stop(*_):
    say("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
say("started")
while True:
    signal.pause()
"""

#: The same, and notes it in a file that others note it in as well: times of files may be alike.
NOTED = POLITE.replace('say("stopped")', 'say("stopped"); open(sys.argv[2], "a").write(sys.argv[1] + " ")')

DEAF = POLITE.replace("signal.SIGTERM, stop", "signal.SIGTERM, signal.SIG_IGN")

#: A parent with two children that write where it writes: its output ends when the last of them has ended.
PARENT = f"""
import signal, sys
from runtime.processes import Processes
with Processes() as processes:
    for name in ("one", "two"):
        processes.start(name, [sys.executable, "-c", {POLITE!r}, name])
    while True:
        signal.pause()
"""


def python(script: str, *words: str) -> list[str]:
    return [sys.executable, "-c", script, *words]


def says(child: Child, text: str) -> bool:
    return text in child.tail()


@pytest.fixture
def parent() -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(python(PARENT), stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert {process.stdout.readline().strip() for _ in range(2)} == {"started one", "started two"}
    yield process
    process.kill()
    process.wait()


def test_children_stop_in_reverse_order_when_the_block_ends(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with Processes(tmp_path) as processes:
        children = [processes.start(name, python(NOTED, name, str(notes))) for name in ("one", "two")]
        for child in children:
            child.wait_until(partial(says, child, "started"), LONG)
    assert [child.tail() for child in children] == ["started one\nstopped one", "started two\nstopped two"]
    assert notes.read_text() == "two one "


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_parent_stops_the_children_in_reverse_order(
    parent: "subprocess.Popen[str]", number: int
) -> None:
    parent.send_signal(number)
    output, _ = parent.communicate(timeout=30)
    assert output.splitlines() == ["stopped two", "stopped one"]
    assert parent.returncode not in (0, None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs prctl(2)")
def test_a_parent_killed_outright_leaves_no_orphan(parent: "subprocess.Popen[str]") -> None:
    parent.kill()
    output, _ = parent.communicate(timeout=30)  # returns when nobody holds the pipe any more
    assert set(output.splitlines()) == {"stopped one", "stopped two"}


def test_an_early_death_is_noticed_at_once_with_the_last_words(tmp_path: Path) -> None:
    script = "import sys; print('cannot open the fleet'); sys.exit(3)"
    with Processes(tmp_path) as processes, pytest.raises(ChildDied) as died:
        processes.start("worker", python(script), ready=lambda: False, within=LONG)
    assert str(died.value) == (
        f"worker ended with status 3; the end of {tmp_path}/worker.log:\ncannot open the fleet"
    )


def test_a_death_later_is_noticed_by_a_look(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        child = processes.start("worker", python("input()"))
        child.wait(LONG)
        with pytest.raises(ChildDied, match="worker ended with status 1"):
            processes.check()


def test_a_child_stopped_on_purpose_is_no_death(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("worker", python(POLITE, "w")).kill()
        processes.check()


def test_only_the_words_of_this_start_are_shown(tmp_path: Path) -> None:
    for word in ("old", "new"):
        child = Child("worker", python(f"print({word!r})"), tmp_path / "worker.log")
        child.wait(LONG)
    assert child.tail() == "new"
    assert (tmp_path / "worker.log").read_text() == "old\nnew\n"


def test_a_child_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    with (
        Processes(tmp_path) as processes,
        pytest.raises(NotReady, match=r"not ready within 0\.2 s; see"),
    ):
        processes.start("worker", python(POLITE, "w"), ready=lambda: False, within=SHORT)


def test_a_child_that_does_not_listen_is_stopped_by_force(tmp_path: Path) -> None:
    child = Child("deaf", python(DEAF, "d"), tmp_path / "deaf.log")
    child.wait_until(lambda: says(child, "started"), LONG)
    child.stop(SHORT)
    assert child.wait(LONG) == -signal.SIGKILL


def test_a_program_that_does_not_exist_is_named() -> None:
    with pytest.raises(EmbeddedServerFault, match="cannot start worker: there is no program no-such-program"):
        Child("worker", ["no-such-program"])


def test_the_environment_given_is_added_to_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    script = "import os; print(os.environ['OURS'], os.environ['THEIRS'])"
    child = Child("worker", python(script), tmp_path / "worker.log", {"THEIRS": "2"})
    child.wait(LONG)
    assert child.tail() == "1 2"


def test_a_port_and_a_page_tell_when_they_are_ready() -> None:
    port = free_port()
    assert port_is_free("127.0.0.1", port)
    assert not listening("127.0.0.1", port)()
    assert not answering(f"http://127.0.0.1:{port}/")()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", port), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            assert not port_is_free("127.0.0.1", port)
            assert listening("127.0.0.1", port)()
            assert answering(f"http://127.0.0.1:{port}/health")()
            assert not answering(f"http://127.0.0.1:{port}/other")()
        finally:
            server.shutdown()
            thread.join()
