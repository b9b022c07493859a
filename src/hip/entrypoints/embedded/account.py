"""Which account PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hip.entrypoints.embedded.errors import FolderUnusable

_UNPRIVILEGED = ("nobody", "daemon", "bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of this machine that a server gives up its rights for."""

    name: str
    uid: int
    gid: int

    @classmethod
    def for_postgres(cls) -> Self | None:
        """None unless we are root; then the first unprivileged account this machine already has.

        Raises FolderUnusable when there is none: an account is never created.
        """
        if os.geteuid() != 0:
            return None
        for name in _UNPRIVILEGED:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
        raise FolderUnusable(
            f"PostgreSQL does not run as root and none of the accounts {', '.join(_UNPRIVILEGED)} exists: "
            "run hip as an ordinary user"
        )

    @classmethod
    def owning(cls, folder: Path) -> Self:
        """The account that owns ``folder``, named by number when it has no name."""
        status = folder.stat()
        try:
            name = pwd.getpwuid(status.st_uid).pw_name
        except KeyError:
            name = str(status.st_uid)
        return cls(name=name, uid=status.st_uid, gid=status.st_gid)

    def may_enter(self, folder: Path) -> bool:
        """True when the permissions of ``folder`` and of every folder above it let this account through."""
        resolved = folder.resolve()
        return all(self._may_search(step) for step in (resolved, *resolved.parents))

    def own(self, folder: Path) -> None:
        """Give ``folder``, which we made, to this account. Raises FolderUnusable where root may not do that."""
        try:
            os.chown(folder, self.uid, self.gid)
        except OSError as error:
            raise FolderUnusable(
                f"{folder} cannot be given to the account {self.name} that PostgreSQL runs as ({error.strerror}): "
                "run hip as an ordinary user, or as root of the machine rather than of a user namespace"
            ) from None

    def _may_search(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)
