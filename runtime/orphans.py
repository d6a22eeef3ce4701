"""No orphans: a child process ends with its parent, also when the parent is killed outright.

A supervisor killed by SIGKILL (out of memory, an impatient person) runs no clean-up, and a worker or a
gateway left behind would go on in a fleet nobody watches. Linux can signal a child when its parent dies
(prctl(2), PR_SET_PDEATHSIG); Python has no call for it, hence ctypes. It must be called in the child, and
`preexec_fn` is unsafe in a process with threads: so this file, run as a script, makes the call and then
becomes the program. Elsewhere only an orderly end of the parent stops the children.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def ending_with_us(command: Sequence[str]) -> list[str]:
    """The command that runs `command` until it ends or we do.

    The signal (SIGTERM) follows the *thread* that starts it: take one that lives as long as it should.
    """
    if not sys.platform.startswith("linux"):
        return list(command)
    # -I -S: nothing of the environment, and no packages, for the moment before the program takes over
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def become(parent: int, command: list[str]) -> None:
    """Turn this process into `command`, to be told of the end of `parent`. Does not return."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
