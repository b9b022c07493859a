"""Why embedded servers could not be had. The whole tree::

    EmbeddedServersError
    ├── WheelMissing       the ``embedded`` extra is not installed, or has no wheel here
    ├── FolderInUse        another process runs servers in the same data folder
    ├── FolderUnusable     the data folder, or what it points to, cannot be used
    └── ServerFailed       a server did not start, stop or answer; carries the end of its log

No text of this tree holds a password, a token or a row: the servers are configured not to log any.
"""


class EmbeddedServersError(Exception):
    """An embedded server is not to be had; the text says what to do about it."""


class WheelMissing(EmbeddedServersError):
    """A server's wheel is not installed, or none exists for this Python or machine."""


class FolderInUse(EmbeddedServersError):
    """Another process runs its servers in the same data folder."""


class FolderUnusable(EmbeddedServersError):
    """The data folder cannot be used by the account the servers run as."""


class ServerFailed(EmbeddedServersError):
    """A server ended early or stayed silent; the text ends with the last lines of its log."""
