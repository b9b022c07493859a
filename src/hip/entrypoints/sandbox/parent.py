"""A sandbox process ends when the process that started it does."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


class Orphaned(RuntimeError):
    """The parent is gone already."""


def end_with_parent() -> None:
    """Ask Linux for SIGTERM at the parent's death; elsewhere do nothing. Raises Orphaned when it died just before."""
    parent = os.getppid()
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (AttributeError, OSError):
        return
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise Orphaned("the parent process ended")
