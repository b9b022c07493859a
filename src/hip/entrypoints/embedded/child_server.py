"""A server that is a child process of ours: how any of them is started, awaited and ended."""

from abc import ABC, abstractmethod

from hip.entrypoints.embedded.child import Child


class ChildServer(ABC):
    """One server; its URL stays the same over restarts."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid

    @abstractmethod
    def launch(self) -> None:
        """Start without waiting. Raises WheelMissing, ServerFailed."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether it takes connections."""

    def await_ready(self) -> None:
        """Wait until it takes connections. Raises ServerFailed."""
        self._child.await_ready(self._is_ready)

    def start(self) -> None:
        """Start and wait until it takes connections. Raises as ``launch`` and ``await_ready``."""
        self.launch()
        self.await_ready()

    def ask_to_stop(self) -> None:
        """Begin to stop and return at once."""
        self._child.ask_to_stop()

    def stop(self) -> None:
        """Stop; returns when no process of the server is left."""
        self._child.stop()

    def kill(self) -> None:
        """SIGKILL; returns when no process of the server is left."""
        self._child.kill()

    def restart(self) -> None:
        """Stop, if it still runs, and start again."""
        self.stop()
        self.start()
