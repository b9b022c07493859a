"""A key file on this machine, for hospitals without a key management service.

The file is text, one key a line, ``<key id> <32 bytes in base64>``; empty lines and lines that begin with ``#`` are
skipped. Only its owner may read it. Whoever loses it loses every sealed value: back it up apart from the databases.
"""

import base64
import binascii
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from hip.adapters.key_vault.keys import KEY_BYTES, LARGEST_KEY_ID, KeyRing
from hip.domain.errors import InvalidValue

_TITLE = "# hip key file. The last key seals, every key opens. Keep it secret and keep a copy.\n"
_OTHERS = 0o077


class LocalKeyVault:
    """``KeyVault`` over a key file, read once when opened."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> Self:
        """Read the key file; with ``create``, make one of a single random key where none is.

        Of several processes that create at once one wins and all read the same key. Raises InvalidValue, naming the
        file, when it is missing, open to group or others, or not a key file.
        """
        try:
            return cls(KeyRing(_read(path)))
        except FileNotFoundError:
            if not create:
                raise InvalidValue(f"key file {path}", "an existing file") from None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _written_beside(path, {1: os.urandom(KEY_BYTES)}) as written:
                os.link(written, path)  # unlike a rename it fails when another process was faster
                _sync_folder(path.parent)
        except FileExistsError:
            return cls(KeyRing(_read(path)))
        except OSError as fault:
            raise InvalidValue(f"key file {path}", f"a folder that can be written: {fault.strerror}") from None
        return cls(KeyRing(_read(path)))

    @staticmethod
    def add_key(path: Path) -> int:
        """Add a random key and return its id. Vaults that are open go on with the older ones until opened again.

        Raises InvalidValue as ``open`` does.
        """
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # two at once would each write a file without the other's key
            try:
                keys = dict(_read(path))
            except FileNotFoundError:
                raise InvalidValue(f"key file {path}", "an existing file") from None
            newest = max(keys) + 1
            with _written_beside(path, keys | {newest: os.urandom(KEY_BYTES)}) as written:
                written.replace(path)
                _sync_folder(path.parent)
            return newest
        finally:
            os.close(folder)

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Seal with the newest key."""
        return self._ring.seal(plaintext, context=context)

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Raises Unsealable."""
        return self._ring.unseal(sealed, context=context)


def _read(path: Path) -> Mapping[int, bytes]:
    field = f"key file {path}"
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())  # of the file that is open: a name may change hands in between
            if not stat.S_ISREG(found.st_mode):
                raise InvalidValue(field, "a regular file")
            if found.st_mode & _OTHERS:
                mode = stat.S_IMODE(found.st_mode)
                raise InvalidValue(field, f"a file that only its owner may read (chmod 600), not mode {mode:04o}")
            content = file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InvalidValue(field, f"a readable file ({error.strerror})") from None
    keys: dict[int, bytes] = {}
    for number, line in enumerate(content.decode("ascii", "replace").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key_id, key = _key_of(line, field=f"{field}, line {number}")
        if key_id in keys:
            raise InvalidValue(f"{field}, line {number}", "a key id that no other line has")
        keys[key_id] = key
    if not keys:
        raise InvalidValue(field, "at least one key")
    return keys


def _key_of(line: str, *, field: str) -> tuple[int, bytes]:
    key_id, _, encoded = line.strip().partition(" ")
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        key = b""
    if not (key_id.isascii() and key_id.isdigit() and 1 <= int(key_id) <= LARGEST_KEY_ID and len(key) == KEY_BYTES):
        raise InvalidValue(field, "a key id, a space and 32 bytes in base64")
    return int(key_id), key


@contextmanager
def _written_beside(path: Path, keys: Mapping[int, bytes]) -> Iterator[Path]:
    """A complete file of these keys, mode 0600 from its first moment, in the same folder; removed afterwards."""
    text = _TITLE + "".join(f"{key_id} {base64.b64encode(key).decode()}\n" for key_id, key in sorted(keys.items()))
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    written = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield written
    finally:
        written.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
