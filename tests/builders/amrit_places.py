"""Where an AMRIT-shaped database may stand, and what its result sets are read from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.builders.amrit import NAMES, asked

from hip.adapters.amrit.names import AmritNames, Form


@dataclass(frozen=True, slots=True)
class Place:
    url: str
    names: AmritNames

    @property
    def is_mysql(self) -> bool:
        return self.url.startswith("mysql")

    @property
    def kind(self) -> str:
        """What a result set is."""
        if self.names.form is Form.VIEWS:
            return "VIEW"
        return "PROCEDURE" if self.is_mysql else "FUNCTION"


ROUTINES = [pytest.param("postgres functions", marks=pytest.mark.servers), "mysql procedures"]
ALL_PLACES = [pytest.param("postgres views", marks=pytest.mark.servers), "mysql views", *ROUTINES]


async def an_empty_place(called: str, fixture: Callable[[str], Any], *, database: str = "amrit") -> Place:
    """A new database of this worker's; ``fixture`` gives the servers by name."""
    server, _, form = called.partition(" ")
    names = replace(NAMES, form=Form.VIEWS if form == "views" else Form.ROUTINES)
    if server == "postgres":
        servers = fixture("servers")
        name = f"{database}_{servers.worker}"
        servers.databases.drop(name)
        servers.databases.create(name)
        return Place(str(servers.databases.url(name)), names)
    bare = fixture("mysql_url")
    await asked(bare, f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
    return Place(bare.replace("localhost/?", f"localhost/{database}?"), names)
