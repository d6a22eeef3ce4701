"""Another DDI server in Python under the same load: goosebit, as its documentation starts it, on its SQLite.

It is fetched into a folder of its own; where that cannot be, it is left out and said so.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runtime.processes import Child, answering, free_port

VERSION = "0.2.12"

#: Its migrations are run by a tool that reads this file.
_PROJECT = """[tool.aerich]
tortoise_orm = "goosebit.db.config.TORTOISE_CONF"
location = "{migrations}"
src_folder = "./."
"""


class NotToBeHad(Exception):
    """It could not be installed, or did not start."""


@contextmanager
def goosebit(folder: Path) -> Iterator[tuple[int, int]]:
    """A running server: its port and its process id. Raises NotToBeHad."""
    python = _installed(folder)
    port = free_port()
    environment = {**os.environ, "GOOSEBIT_DB_URI": f"sqlite://{folder / 'db.sqlite3'}"}
    command = [str(python.parent / "aerich"), "upgrade"]
    if subprocess.run(command, cwd=folder, env=environment, capture_output=True).returncode:
        raise NotToBeHad("its tables could not be made")
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "error"]
    command = [str(python), "-m", "uvicorn", "goosebit:app", *options]
    child = Child("goosebit", command, folder / "goosebit.log", environment)
    try:
        child.wait_until(answering(f"http://127.0.0.1:{port}/login"))
        yield port, child.pid
    finally:
        child.stop()


def _installed(folder: Path) -> Path:
    """The interpreter of an environment that has it."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", f"goosebit=={VERSION}"]
    if subprocess.run(command, capture_output=True).returncode:
        raise NotToBeHad("it could not be installed")
    package = next((folder / "venv").glob("**/goosebit/db/migrations"))
    (folder / "pyproject.toml").write_text(_PROJECT.format(migrations=package))
    return python


def introductions(vins: Sequence[str]) -> list[bytes]:
    """What each vehicle says of itself, so that it counts as registered."""
    body = '{"data":{"hw_revision":"1","hw_boardname":"radar","sw_version":"1.3.0"}}'
    return [
        (
            f"PUT /DEFAULT/controller/v1/{vin}/configData HTTP/1.1\r\nHost: gateway\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        for vin in vins
    ]
