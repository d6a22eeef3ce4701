"""Child processes of ``dev`` and ``demo``: started in order, watched, stopped in reverse.

Not an init system: a child that dies is reported, not restarted. In production a container runtime or
systemd does this work.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self

from runtime.errors import EmbeddedServerFault
from runtime.orphans import ending_with_us

#: Time to end in good order; a worker lets its running activities finish.
GRACE = timedelta(seconds=15)

#: Time to become ready; a first start makes a database.
STARTUP = timedelta(seconds=60)

#: How often readiness is looked at, in seconds; start-up takes a few of these.
LOOK_SECONDS = 0.05

TAIL_LINES = 15


class ChildDied(EmbeddedServerFault):
    """A child process ended though nobody stopped it; the text holds its last log lines."""


class NotReady(EmbeddedServerFault):
    """A child process runs, but was not ready in time."""


class Child:
    """One process with its own process group; its output goes to `log`, or where ours goes."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Start `command`; `env` is added to our environment. Call from a thread that outlives the child.

        Raises EmbeddedServerFault when the program cannot be run at all.
        """
        if shutil.which(command[0]) is None:
            raise EmbeddedServerFault(f"cannot start {name}: there is no program {command[0]}")
        self.name = name
        self.log = log
        self._stopping = False
        self._log_start = 0
        output: IO[bytes] | None = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            output = log.open("ab")
            self._log_start = output.tell()
        try:
            self._process = subprocess.Popen(
                ending_with_us(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env={**os.environ, **(env or {})},
                # A group of its own: Ctrl-C reaches us alone, and we stop the children in order.
                **_own_group(),
            )
        except OSError as error:
            raise EmbeddedServerFault(f"cannot start {name}: {command[0]}: {error.strerror}") from error
        finally:
            if output is not None:
                output.close()

    @property
    def pid(self) -> int:
        """The process id, also after the end."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def wait(self, within: timedelta) -> int:
        """Its exit status when it ends; negative for a signal. Raises subprocess.TimeoutExpired."""
        return self._process.wait(within.total_seconds())

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of this start's log; empty when the output goes elsewhere."""
        if self.log is None or not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def check(self) -> None:
        """Raises ChildDied when the process ended and nobody asked it to."""
        if self._stopping or self.running:
            return
        text = f"{self.name} ended with status {self._process.returncode}"
        tail = self.tail()
        raise ChildDied(f"{text}; the end of {self.log}:\n{tail}" if tail else text)

    def wait_until(self, ready: Callable[[], bool], within: timedelta = STARTUP) -> None:
        """Return when `ready()` is true. Raises ChildDied at once when the process ends, else NotReady."""
        deadline = time.monotonic() + within.total_seconds()
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                where = f"; see {self.log}" if self.log else ""
                raise NotReady(f"{self.name} was not ready within {within.total_seconds():g} s{where}")
            time.sleep(LOOK_SECONDS)
        self.check()

    def stop(self, grace: timedelta = GRACE) -> None:
        """End it in good order, by force after `grace`. Does nothing when it has ended already."""
        self._stopping = True
        if not self.running:
            return
        _signal_group(self._process, signal.SIGTERM)
        try:
            self._process.wait(grace.total_seconds())
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it by force, with all of its process group, and wait for the end."""
        self._stopping = True
        if self.running:
            _signal_group(self._process, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._process.wait()


class Processes:
    """The children of one command. As a context manager it leaves none behind, whatever ends the block.

    SIGTERM and SIGHUP end the block as Ctrl-C does (SystemExit with 128 + the signal's number).
    """

    def __init__(self, logs: Path | None = None, grace: timedelta = GRACE) -> None:
        """`logs` is the folder for NAME.log; None lets the children write where we write."""
        self._logs = logs
        self._grace = grace
        self._children: list[Child] = []
        self._handlers: dict[int, Any] = {}

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        ready: Callable[[], bool] | None = None,
        within: timedelta = STARTUP,
    ) -> Child:
        """Start a child and, with `ready`, wait for it. Raises EmbeddedServerFault and its kinds."""
        child = Child(name, command, self._logs / f"{name}.log" if self._logs else None, env)
        self._children.append(child)
        if ready is not None:
            child.wait_until(ready, within)
        return child

    def check(self) -> None:
        """Raises ChildDied for the first child that ended though nobody stopped it."""
        for child in self._children:
            child.check()

    def stop(self) -> None:
        """Stop all, the last started first. A second Ctrl-C stops by force."""
        try:
            for child in reversed(self._children):
                child.stop(self._grace)
        except BaseException:
            for child in reversed(self._children):
                child.kill()
            raise
        self._children.clear()

    def __enter__(self) -> Self:
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                with contextlib.suppress(ValueError):  # not in the main thread: the caller's business
                    self._handlers[number] = signal.signal(number, _leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)


def listening(host: str, port: int) -> Callable[[], bool]:
    """Whether something accepts connections there, for `wait_until`."""

    def ready() -> bool:
        try:
            with socket.create_connection((host, port), timeout=1):
                return True
        except OSError:
            return False

    return ready


def answering(url: str) -> Callable[[], bool]:
    """Whether a GET of the http:// URL is answered with 2xx, for `wait_until`."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ready() -> bool:
        try:
            with opener.open(url, timeout=2) as response:
                return bool(200 <= response.status < 300)
        except (OSError, ValueError, urllib.error.URLError):
            return False

    return ready


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        if sys.platform != "win32":  # as servers do, so that a connection just closed does not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    if sys.platform == "win32":
        process.terminate()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
