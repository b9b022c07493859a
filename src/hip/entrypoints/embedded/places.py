"""Where the servers of one data folder keep their files.

``FOLDER/lock``, ``FOLDER/run`` (logs and locks), ``FOLDER/postgres``, ``FOLDER/valkey``, ``FOLDER/mongo``. The path of
a socket is limited to 107 bytes and stands in a URL, and as root PostgreSQL's account must be able to reach its files,
while no permission of a folder that we did not make is ever changed. What therefore cannot live in FOLDER lives in a
folder of its own under the system's temporary folders, and a symbolic link in FOLDER says where.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hip.entrypoints.embedded.account import Account
from hip.entrypoints.embedded.errors import FolderInUse, FolderUnusable

_SOCKET_PATH_LIMIT = 107  # bytes of sun_path on Linux, without its closing zero
_OUTER, _INNER = "hip-", "files"  # the names of what is made elsewhere
_LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"
_PLAIN = re.compile(r"[A-Za-z0-9/._+=~-]+")  # a comma or a colon in a URL's host means several hosts
_DURABLE_FIRST = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108 - /var/tmp outlives a reboot


@contextmanager
def fresh_folder(*, inside: Path | None = None) -> Iterator[Path]:
    """A new data folder in ``inside``, by default the system's temporary folder; gone afterwards with all it points to.

    As root it may be passed through by everyone, as PostgreSQL's account must; what is in it may not be read.
    """
    folder = Path(tempfile.mkdtemp(prefix=_OUTER, dir=inside))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    try:
        yield folder
    finally:
        for entry in folder.iterdir():
            _remove_elsewhere(entry)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Make ``folder`` if need be and hold it for this process alone; yields its absolute path.

    Raises FolderInUse when another process holds it, FolderUnusable when it cannot be made or written.
    """
    root = folder.resolve()
    try:
        root.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderUnusable(f"the data folder {root} cannot be used: {error.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace")
            raise FolderInUse(f"process {holder} runs its servers in {root}: stop it or use another folder") from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode("ascii"), 0)
        yield root
    finally:
        os.close(lock)


def private_folder(root: Path, name: str) -> Path:
    """``root/name``, made for our eyes only."""
    path = root / name
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def postgres_home(root: Path, account: Account | None, report: Callable[[str], None]) -> Path:
    """The folder that holds PostgreSQL's data, owned by the account it runs as.

    Raises FolderUnusable when a link of an earlier run points to a folder that is gone: its rows are lost, while the
    documents beside them are not.
    """
    link = root / "postgres"
    if link.is_symlink() and not link.exists():
        raise FolderUnusable(f"{link.readlink()}, where {root} keeps its PostgreSQL data, is gone: remove {root}")
    if link.exists():
        home = link.resolve()
        # Root's own after a kill between the two steps of making it.
        return _given(home, account) if home.stat().st_uid == 0 else home
    if account is None or account.may_enter(root):
        return _given(private_folder(root, "postgres"), account)
    home = _elsewhere(account, _DURABLE_FIRST)
    link.symlink_to(home)
    report(f"PostgreSQL runs as {account.name}, who may not enter {root}: its data is in {home}")
    return home


@contextmanager
def socket_folder(root: Path, name: str, preferred: Path, account: Account | None) -> Iterator[Path]:
    """``preferred`` when a socket's path fits there, else a short folder that lasts as long as the servers.

    A folder that a killed run left behind is used again.
    """
    if _fits(preferred):
        yield preferred
        return
    link = root / f"{name}-socket"
    if not link.is_dir():
        link.unlink(missing_ok=True)
        link.symlink_to(_elsewhere(account, (Path(tempfile.gettempdir()), *reversed(_DURABLE_FIRST))))
    folder = link.resolve()
    try:
        yield folder
    finally:
        _remove_elsewhere(link)


def _fits(folder: Path) -> bool:
    """True when a URL can name a socket in ``folder``."""
    path = str(folder / _LONGEST_SOCKET_NAME)
    return len(path) <= _SOCKET_PATH_LIMIT and _PLAIN.fullmatch(path) is not None


def _given(folder: Path, account: Account | None) -> Path:
    if account is not None:
        account.own(folder)
    return folder


def _elsewhere(account: Account | None, candidates: tuple[Path, ...]) -> Path:
    """A new folder for ``account`` inside a new one of ours, in the first candidate that serves."""
    for candidate in candidates:
        if not os.access(candidate, os.W_OK | os.X_OK) or not _fits(candidate / f"{_OUTER}12345678" / _INNER):
            continue
        if account is not None and not account.may_enter(candidate):
            continue
        outer = Path(tempfile.mkdtemp(prefix=_OUTER, dir=candidate))
        outer.chmod(0o700 if account is None else 0o711)
        return _given(private_folder(outer, _INNER), account)
    raise FolderUnusable(f"none of {', '.join(map(str, candidates))} can hold the servers' sockets and data")


def _remove_elsewhere(link: Path) -> None:
    """Remove what ``_elsewhere`` made and ``link`` points to, with the link; anything else stays."""
    if not link.is_symlink():
        return
    target = link.readlink()
    if target.name == _INNER and target.parent.name.startswith(_OUTER):
        shutil.rmtree(target.parent, ignore_errors=True)
        link.unlink()
