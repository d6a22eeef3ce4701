"""Ending a process that has used the Temporal SDK.

The SDK's native threads may still hold Python objects when the interpreter is torn down, and then abort the
process (``PyGILState_Release``, status 134) after all its work was done.
"""

import atexit
import os
import sys
import time
from typing import NoReturn

#: Native threads need some instructions after their last answer, not seconds.
REST_SECONDS = 0.5


def rest_before_exit() -> None:
    """Let the interpreter wait for the native threads before its end; for scripts, which end themselves."""
    atexit.unregister(_rest)
    atexit.register(_rest)


def _rest() -> None:
    time.sleep(REST_SECONDS)


def leave(status: int) -> NoReturn:
    """End this process with ``status``, after the exit handlers, without tearing the interpreter down."""
    atexit.unregister(_rest)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
