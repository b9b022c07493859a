"""``hip worker``: an RQ worker that forks for each batch, with every module imported before the first fork."""

import importlib

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from hip.adapters.rq_jobs import QUEUES
from hip.domain.errors import StorageFailed
from hip.entrypoints.logs import configure, log
from hip.entrypoints.settings import Settings
from hip.entrypoints.wiring import client_secret, vault
from hip.entrypoints.worker.horses import HipWorker
from hip.entrypoints.worker.warming import warm

# Importing the stack costs 1.1 s of CPU; a fork that has it already costs 0.09 s (style.md §5). Imports only: no
# client, thread or loop may exist before a fork.
_PRELOADED = (
    "hip.entrypoints.container",
    "hip.entrypoints.worker.jobs",
    "hip.adapters.fhir.composition.composer",
    "hip.adapters.fhir.validation.validator",
    "hip.adapters.postgres.units",
    "hip.adapters.mongo.documents",
    "anyio._backends._asyncio",
    "asyncpg",
    "beanie",
)


def work(settings: Settings, *, burst: bool = False) -> None:
    """Work until SIGTERM or SIGINT: then what is begun of the batch in hand ends first, and the rest is given back."""
    configure()
    settings.require("facilities")
    for module in _PRELOADED:
        importlib.import_module(module)
    # What every batch needs of HashiCorp Vault is fetched once, here, and inherited; no connection to it stays open.
    vault(settings)
    client_secret(settings)
    warm()
    url = settings.redis_url
    if url is None:
        return
    connection = Redis.from_url(url.get_secret_value())
    try:
        queues = [Queue(name, connection=connection, serializer=JSONSerializer) for name in QUEUES]
        log.info("worker-started", component="worker")
        HipWorker(queues, connection=connection, serializer=JSONSerializer).work(burst=burst, logging_level="CRITICAL")
    except (RedisError, OSError):
        raise StorageFailed("Redis does not answer") from None
    finally:
        connection.close()
