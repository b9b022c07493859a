"""Become a server that dies with the process that asked for it: PARENT SIGNAL UID GID PROGRAM [ARGUMENT…].

Run as a script under ``python -I -S``, so it imports the standard library only and starts in a few hundredths of a
second. A script of its own, not ``preexec_fn``: between fork and exec of a process with threads nothing is safe.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_KEEP = -1


def main(arguments: list[str]) -> None:
    """Drop to UID and GID (-1 keeps them), ask for SIGNAL at the parent's death, and become PROGRAM."""
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    os.umask(0o077)
    if uid != _KEEP:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of account, for that clears the setting.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:  # it died before we could ask
        return
    os.execv(command[0], command)  # noqa: S606 - a list of arguments, never a shell


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[5]} could not be started: {error}")
