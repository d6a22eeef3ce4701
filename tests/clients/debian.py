"""Programs from Debian's packages, unpacked into a folder: nothing is installed on the machine."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: apt and dpkg answer in seconds; one that hangs waits for a network that is not there.
PATIENCE_SECONDS = 120


class NotAvailable(Exception):
    """What a test needs cannot be had on this machine; the text says what and why."""


@dataclass(frozen=True)
class Programs:
    """Where unpacked packages lie; what the machine has installed itself comes first."""

    root: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment in which the programs find each other and their libraries."""
        usr = self.root / "usr"
        triplet = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
        libraries = [usr / "lib" / triplet, self.root / "lib" / triplet, usr / "lib"]
        return {
            **os.environ,
            "PATH": _joined(os.environ["PATH"], "/usr/sbin", "/sbin", usr / "bin", self.root / "bin"),
            "LD_LIBRARY_PATH": _joined(*libraries),
            "GI_TYPELIB_PATH": _joined(usr / "lib" / triplet / "girepository-1.0"),
            "PYTHONPATH": _joined(usr / "lib" / "python3" / "dist-packages"),
        }

    def program(self, name: str) -> str:
        """The path of a program. Raises NotAvailable where there is none."""
        found = shutil.which(name, path=self.environment["PATH"])
        if found is None:
            raise NotAvailable(f"there is no program {name}, though its package was unpacked")
        return found

    def run(self, *words: str | Path, cwd: Path | None = None, text: bytes | None = None) -> bytes:
        """Run a program to its end; its standard output. A failure shows what it said."""
        done = subprocess.run(
            [self.program(str(words[0])), *map(str, words[1:])],
            cwd=cwd,
            env=dict(self.environment),
            input=text,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, f"{words}: {done.stdout.decode()} {done.stderr.decode()}"
        return done.stdout


def unpack(packages: Sequence[str], folder: Path) -> Programs:
    """The programs of these packages and of what they depend on.

    Raises:
        NotAvailable: this is no Debian, or its package server cannot be reached from here.
    """
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise NotAvailable(f"apt-get is not here to fetch {names}")
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    fetch = ["apt-get", "install", "--yes", "--no-install-recommends", "--download-only"]
    options = ["-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}"]
    said = _run(*fetch, *options, *packages)
    if said is not None and os.getuid() == 0:  # perhaps its lists are old or empty
        _run("apt-get", "update")
        said = _run(*fetch, *options, *packages)
    if said is not None:
        raise NotAvailable(f"apt-get does not get {names}: {said}")
    for archive in sorted(archives.glob("*.deb")):
        said = _run("dpkg-deb", "--extract", str(archive), str(folder / "root"))
        if said is not None:
            raise NotAvailable(f"dpkg-deb does not unpack {archive.name}: {said}")
    return Programs(folder / "root")


def _run(*words: str) -> str | None:
    """None when it worked, else the last line it said."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def _joined(*paths: str | Path) -> str:
    return os.pathsep.join(map(str, paths))
