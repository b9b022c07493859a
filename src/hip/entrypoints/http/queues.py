"""``GET /v1/queue``: who shared a profile at which counter, for the registration desk (contract §2.8)."""

from typing import Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.di import NamedDependency

from hip.application.ports import Clock
from hip.application.storage import Listing, Units
from hip.domain.audit import AuditEntry
from hip.domain.shares import QueueToken
from hip.entrypoints.http.description import refusals
from hip.entrypoints.http.records import Hip, Limit, Since, hips_of


class QueueView(msgspec.Struct, rename="camel", kw_only=True):
    """A place in a queue, with the profile that the patient shared; None once the account was closed."""

    hip_id: str
    counter: str
    token_number: str
    issued_at: str
    expires_at: str
    profile: dict[str, Any] | None


def _view(token: QueueToken) -> QueueView:
    profile = token.profile
    shown = None
    if profile is not None:
        shown = {
            "abhaAddress": str(profile.abha_address),
            "abhaNumber": None if profile.abha_number is None else profile.abha_number.dashed,
            "name": profile.name,
            "gender": profile.gender.value,
            "yearOfBirth": profile.birth_year,
            "monthOfBirth": profile.birth_month,
            "dayOfBirth": profile.birth_day,
            "phone": profile.phone,
            "address": None if profile.address is None else msgspec.to_builtins(profile.address),
        }
    return QueueView(
        hip_id=token.hip_id,
        counter=token.counter,
        token_number=token.text,
        issued_at=token.issued_at.isoformat(timespec="milliseconds"),
        expires_at=token.expires_at.isoformat(timespec="milliseconds"),
        profile=shown,
    )


@get(
    "/v1/queue",
    summary="Shared profiles and their queue tokens, newest first",
    operation_id="listQueue",
    responses=refusals(400, 401, 403, 503),
)
async def list_queue(
    request: Request[Any, Any, Any],
    units: NamedDependency[Units],
    clock: NamedDependency[Clock],
    hip: Hip = None,
    since: Since = None,
    limit: Limit = 100,
) -> Response[list[QueueView]]:
    """Every look at profiles is audited, by the name of the key."""
    tokens: list[QueueToken] = []
    async with units() as uow:
        for hip_id in hips_of(request, hip):
            found = await uow.shares.list(Listing(hip_id=hip_id, since=since, limit=limit))
            tokens += found
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=clock(),
                    actor=f"key {request.state.caller.name}",
                    action="queue-viewed",
                    subject=hip_id,
                    detail=(("profiles", str(len(found))),),
                )
            )
        await uow.commit()
    tokens.sort(key=lambda token: token.issued_at, reverse=True)
    return Response([_view(token) for token in tokens[:limit]], headers={"Cache-Control": "no-store"})


queue_router = Router(path="/", route_handlers=[list_queue], tags=["records"])
