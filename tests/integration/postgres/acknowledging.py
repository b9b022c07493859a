"""A process that puts deliveries into an inbox for as long as it lives, and prints each that it could acknowledge.

python -m tests.integration.postgres.acknowledging DATABASE_URL
"""

import asyncio
import itertools
import sys

from tests.builders.databases import a_postgres_database
from tests.builders.inboxes import a_delivery

from hip.application.inbox import Inbox
from hip.domain.callbacks import Receipt

AT_ONCE = 32


async def _deliver(url: str) -> None:
    inbox, keys = Inbox(a_postgres_database(url).unit), itertools.count()

    async def deliver() -> None:
        for key in keys:
            if await inbox.put(a_delivery(key, "a")) is Receipt.STORED:
                sys.stdout.write(f"request-{key}\n")
                sys.stdout.flush()

    await asyncio.gather(*(deliver() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(_deliver(sys.argv[1]))
