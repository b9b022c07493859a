"""JSON lines with allow-listed fields: what is not on the list cannot be logged (DATA-03, design.md rule 2)."""

import logging
import sys
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, cast

import structlog

from hip.domain.identifiers import HipId

ALLOWED = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "attempt",
        "bind",
        "code",
        "component",
        "correlation",
        "count",
        "error",
        "flow",
        "hip_id",
        "host",
        "kind",
        "method",
        "mode",
        "row",
        "rows",
        "setting",
        "state",
        "status",
        "topic",
        "until",
    }
)


def _only_allowed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if key in ALLOWED}


def configure() -> None:
    """One JSON object a line on standard error; libraries' own loggers are kept to warnings without arguments."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_allowed,
            structlog.processors.JSONRenderer(),
        ],
        # Standard error as it is when something is said, not as it was at the start: it may have been replaced since.
        logger_factory=lambda *_: structlog.PrintLogger(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # httpx logs URLs, rq job descriptions, asyncmy the server's warnings: all may carry what must not be seen.
    for name in ("httpx", "httpcore", "rq", "rq.worker", "pymongo", "asyncio", "asyncmy", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


log = cast("structlog.stdlib.BoundLogger", structlog.get_logger())


def report_alarm(event: str, *, hip_id: HipId, subject: str, detail: str = "") -> None:
    """Something a person should look at."""
    log.warning(event, component="alarm", hip_id=hip_id, correlation=subject, kind=detail)


def report_row(event: str, *, topic: str, row: int, attempt: int, error: str) -> None:
    """What became of an outbox row that did not simply succeed."""
    log.warning(event, component="worker", topic=topic, row=row, attempt=attempt, error=error)


def report_circuit(event: str, *, host: str, failures: int, until: datetime | None) -> None:
    """A circuit opened or closed: nothing is sent to this host ``until`` (UTC) then."""
    log.warning(event, component="circuit", host=host, count=failures, until=until.isoformat() if until else None)
