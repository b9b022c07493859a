"""``hip serve | relay | worker | db upgrade``: the long-running processes and their database."""

import asyncio
import signal
import sys
from typing import Annotated

import typer

from hip.entrypoints.cli.terminal import exits_as_promised, lasting_settings, say
from hip.entrypoints.setting_faults import SettingsInvalid
from hip.entrypoints.settings import Settings

database = typer.Typer(help="The databases.", no_args_is_help=True)


@exits_as_promised
def serve() -> None:
    """Answer the gateway and the hospital's system over HTTP. In memory mode relay and worker run inside."""
    import uvicorn

    from hip.entrypoints.container import adapters_for
    from hip.entrypoints.http.app import create_app
    from hip.entrypoints.http.serving import serve_on
    from hip.entrypoints.logs import configure, log

    configure()
    settings = Settings.read()
    host, port = settings.address
    adapters = adapters_for(settings)
    adapters.gateway()  # opens the key vault and reads our secret: what is missing is said before anything is served
    app = create_app(settings, adapters=adapters)
    if settings.api_keys is None:
        log.warning("sandbox-api-key", setting="HIP_API_KEYS", mode="sandbox")
    try:
        listener = uvicorn.Config(app, host=host, port=port, log_config=None).bind_socket()
    except SystemExit:
        raise SettingsInvalid([("HIP_BIND", f"an address to listen on: {settings.bind} is not free")]) from None
    with listener:
        listener.listen(2048)  # who connects from here on waits for the application instead of being refused
        bound_host, bound_port = listener.getsockname()[:2]
        say(f"listening http://{bound_host}:{bound_port}")
        sys.stdout.flush()
        serve_on(listener, app)


@exits_as_promised
def relay() -> None:
    """Move due outbox rows to the workers, and mark conversations that nobody answered."""
    from hip.entrypoints.container import adapters_for, opened, use_cases
    from hip.entrypoints.logs import configure, log
    from hip.entrypoints.worker.loops import RelayLoop

    configure()
    settings = lasting_settings()

    async def run() -> None:
        adapters = adapters_for(settings)
        uses = use_cases(adapters, settings)
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        async with opened(adapters):
            log.info("relay-started", component="relay")
            loop = RelayLoop(uses.relay_outbox(), uses.sweep(), adapters.database(), adapters.waits())
            await loop(stop)

    asyncio.run(run())


@exits_as_promised
def worker(
    burst: Annotated[bool, typer.Option("--burst", help="Stop when the queues are empty.")] = False,
) -> None:
    """Run what the relay hands over, one forked process for each batch."""
    from hip.entrypoints.worker.main import work

    work(lasting_settings(), burst=burst)


@database.command("upgrade")
@exits_as_promised
def upgrade() -> None:
    """Bring the Postgres schema and the MongoDB indexes up to date; safe to run again."""
    from hip.adapters.postgres.names import Names
    from hip.adapters.postgres.schema import upgrade as upgrade_schema
    from hip.entrypoints.wiring import mongo

    settings = lasting_settings()
    settings.require()
    address = settings.database_url.get_secret_value() if settings.database_url else ""
    upgrade_schema(address, names=Names.called(settings.names))

    async def indexes() -> None:
        documents = mongo(settings)
        try:
            await documents.ensure_indexes()
        finally:
            await documents.close()

    asyncio.run(indexes())
    say("the databases are up to date")
