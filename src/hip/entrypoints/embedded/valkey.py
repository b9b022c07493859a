"""Valkey, which speaks Redis, from its wheel: a Unix socket, no port, nothing kept on disk."""

import socket
from pathlib import Path
from urllib.parse import quote

from hip.entrypoints.embedded import wheels
from hip.entrypoints.embedded.child import Child, Conduct, Launcher
from hip.entrypoints.embedded.child_server import ChildServer

DATABASES = 64


class ValkeyServer(ChildServer):
    """One Valkey server. It holds nothing that cannot be rebuilt, so every start is empty."""

    def __init__(self, *, home: Path, sockets: Path, run: Path, launcher: Launcher) -> None:
        self._home = home
        self._socket = sockets / "valkey.sock"
        super().__init__(Child(conduct=Conduct(name="Valkey"), folder=run, launcher=launcher))

    def url(self, database: int = 0) -> str:
        """The redis-py URL of one of DATABASES databases."""
        if not 0 <= database < DATABASES:
            raise ValueError(f"Valkey has databases 0 to {DATABASES - 1}, not {database}")
        return f"unix://{quote(str(self._socket))}?db={database}"

    def launch(self) -> None:
        """Start without waiting. Raises WheelMissing, ServerFailed."""
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "databases": str(DATABASES),
            "dir": str(self._home),
            "daemonize": "no",
            "maxmemory-policy": "noeviction",
        }
        arguments = (part for name, value in settings.items() for part in (f"--{name}", value))
        program = wheels.valkey_program()
        self._socket.unlink(missing_ok=True)
        self._child.launch((str(program), *arguments), home=self._home)

    def _is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)
            try:
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False
