"""What processes take: memory and the time of the processor. Linux only, as it reads ``/proc``."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

_PROC = Path("/proc")


def resident_mib(pid: int, *, peak: bool = False) -> float:
    """The resident memory of a process: now, or at its highest."""
    name = "VmHWM" if peak else "VmRSS"
    lines = (_PROC / str(pid) / "status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def busy_seconds(pid: int) -> float:
    """The time that a process has computed, with that of its children, ended ones included."""
    return _own(pid) + sum(_own(child) for child in children(pid))


def children(pid: int, name: str = "") -> list[int]:
    """The processes that a process has started, those whose name begins so."""
    found = []
    for each in _processes():
        try:
            before, fields = _fields(each)
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == pid and before.startswith(name):
            found.append(each)
    return found


def _own(pid: int) -> float:
    try:
        fields = _fields(pid)[1]
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND


def _fields(pid: int) -> tuple[str, list[str]]:
    """The name of a process and what its ``stat`` says after it, from the state on."""
    before, _, after = (_PROC / str(pid) / "stat").read_text().rpartition(")")
    return before.partition("(")[2], after.split()


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
