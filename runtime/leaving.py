"""Ending a process that has used the Temporal SDK."""

import atexit
import os
import sys
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End this process with ``status``, after the exit handlers.

    The SDK's native threads may still hold Python objects when the interpreter is torn down, and then abort
    the process (``PyGILState_Release``, status 134) after all its work was done. So it is not torn down.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
