"""Processor time that processes have used: a figure that other work on the machine hardly moves.

Linux only; elsewhere there is none, and nothing is told of it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def seconds(pid: int) -> float:
    """What a process has used so far, in the program and in the system on its behalf."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Used:
    """What was used between the beginning and the end of a block; seconds."""

    total = 0.0


@contextmanager
def used(pids: Sequence[int]) -> Iterator[Used]:
    """What these processes use until the block ends."""
    found = Used()
    before = sum(seconds(pid) for pid in pids)
    yield found
    found.total = sum(seconds(pid) for pid in pids) - before
