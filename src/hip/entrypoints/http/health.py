"""Liveness and readiness, open and without detail beyond names, up or down, and the gateway's circuit."""

from collections.abc import Awaitable, Callable, Mapping

from litestar import MediaType, Response, Router, get
from litestar.di import NamedDependency

from hip.domain.circuits import CircuitState
from hip.domain.errors import Transient
from hip.entrypoints.http.description import answers

Readiness = Mapping[str, Callable[[], Awaitable[None]]]
"""The name of each store and how to ask it; a call that raises Transient is a no."""

CircuitStates = Mapping[str, Callable[[], Awaitable[CircuitState]]]
"""Whom we call, and how to ask for the state of its circuit; that never raises."""


@get("/health/live", summary="The process runs", security=[])
async def live() -> dict[str, str]:
    """Always 200 while the process answers."""
    return {"status": "UP"}


@get(
    "/health/ready",
    summary="The stores answer",
    security=[],
    responses=answers(dict[str, object], status=503, description="a store does not answer"),
)
async def ready(
    readiness: NamedDependency[Readiness], circuit_states: NamedDependency[CircuitStates]
) -> Response[dict[str, object]]:
    """200 when every store answers, else 503. A gateway that is away is shown, and makes nothing of ours unready."""
    checks: dict[str, str] = {}
    for name, ping in readiness.items():
        try:
            await ping()
            checks[name] = "UP"
        except Transient:
            checks[name] = "DOWN"
    up = all(state == "UP" for state in checks.values())
    return Response(
        {
            "status": "UP" if up else "DOWN",
            "checks": checks,
            "circuits": {name: await state() for name, state in circuit_states.items()},
        },
        status_code=200 if up else 503,
        media_type=MediaType.JSON,
    )


health_router = Router(path="/", route_handlers=[live, ready], tags=["health"])
