"""What any callback may carry: an id, an error, and the request of ours that it answers (contract §1.9, §1.10)."""

from hip.adapters.gateway.errors import CATCH_ALL, clean_code, clean_text
from hip.adapters.gateway.members import Member
from hip.application.gateway_calls import GatewayError
from hip.domain.identifiers import RequestId, opaque


def read_answers(body: Member) -> RequestId:
    """The REQUEST-ID of ours that is answered, under the v3 or the v0.5 name (contract §1.9)."""
    named = [body.within(name, "requestId") for name in ("response", "resp")]
    answered = next((one for one in named if one.present), named[0])
    return RequestId(read_id(answered).lower())


def read_id(stated: Member) -> str:
    """An id as it was stated: opaque, never empty."""
    return opaque(stated.text("an id"), field=stated.path)


def read_error(body: Member) -> GatewayError | None:
    """None for null, an empty object, or one whose members say nothing: that is success (contract §1.10)."""
    error = next(iter(body.member("error").items()), None)
    if error is None:
        return None
    if not isinstance(error.raw, dict):
        return GatewayError(code=CATCH_ALL, message=clean_text(error.raw))
    code, message = error.member("code"), error.member("message")
    if not code.present and not message.present:
        return None
    return GatewayError(code=clean_code(code.raw) or CATCH_ALL, message=clean_text(message.raw))
