"""SecantusDB, which speaks MongoDB's protocol, as a process of its own on a free loopback port.

It acknowledges default writes before they are safe, hence ``w=majority&journal=true`` in every URL.
"""

import re
import socket
from pathlib import Path

from hip.entrypoints.embedded import places, wheels
from hip.entrypoints.embedded.child import Child, Conduct, Launcher
from hip.entrypoints.embedded.child_server import ChildServer

HOST = "127.0.0.1"
_OPTIONS = "directConnection=true&w=majority&journal=true"
_LISTENING = re.compile(rb"listening on [0-9.]+:(\d+)\s")


class MongoServer(ChildServer):
    """One SecantusDB server; the port it gets at its first start is kept over restarts."""

    def __init__(self, *, home: Path, run: Path, launcher: Launcher) -> None:
        self._home = home
        self._port = 0
        super().__init__(Child(conduct=Conduct(name="SecantusDB"), folder=run, launcher=launcher))

    @property
    def url(self) -> str:
        """The pymongo URL; only after ``await_ready``."""
        return f"mongodb://{HOST}:{self._port}/?{_OPTIONS}"

    def launch(self) -> None:
        """Start without waiting. Raises WheelMissing, ServerFailed."""
        command = wheels.secantus_command()
        # Without --config it would read ./secantusd.toml and others.
        config = self._home / "secantusd.toml"
        config.touch()
        data = places.private_folder(self._home, "data")
        where = ("--host", HOST, "--port", str(self._port), "--storage-path", str(data))
        options = ("--config", str(config), "--log-level", "INFO", "--cache-size", "256M")
        self._child.launch((*command, *options, *where), home=self._home)

    def stop(self) -> None:
        """Stop with a checkpoint; returns when the process is gone."""
        self._child.stop(nudge=self._connect_once)

    def _is_ready(self) -> bool:
        found = _LISTENING.search(self._child.log.read_bytes())
        if found is None:
            return False
        self._port = int(found[1])
        return self._connect_once()

    def _connect_once(self) -> bool:
        """Connect and hang up. A stopping server notices its order when a connection comes, else after two seconds."""
        try:
            socket.create_connection((HOST, self._port), timeout=1.0).close()
        except OSError:
            return False
        return True
