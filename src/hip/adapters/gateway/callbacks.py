"""What the gateway says to us, read with every tolerance the field has taught (contract §1.4, §1.13, §2, §4).

Only what a flow cannot do without is demanded. Prose is never branched on, with one exception the contract makes:
a status that says failure beside a missing ``error``.
"""

from collections.abc import Callable, Mapping

from hip.adapters.gateway.consent_callbacks import read_consent, read_health_information
from hip.adapters.gateway.envelopes import read_answers, read_error
from hip.adapters.gateway.errors import CATCH_ALL, clean_text
from hip.adapters.gateway.members import Member, read_object
from hip.adapters.gateway.paths import Inbound, recognise
from hip.adapters.gateway.patient_callbacks import read_account, read_discovery, read_link_confirm, read_link_init
from hip.adapters.gateway.profiles import read_profile_share
from hip.application.gateway_calls import GatewayError
from hip.application.gateway_events import (
    GatewayEvent,
    LinkAnswered,
    NotifyAnswered,
    TokenAnswered,
    Unrecognised,
)
from hip.domain.errors import InvalidValue

_FAILURES = frozenset({"ERRORED", "ERROR", "FAILED", "FAILURE"})
_LONGEST_TOKEN = 8192


class V3CallbackReader:
    """The ``CallbackReader`` port for HIECM v3; ``also`` are paths that an operator named, see ``recognise``."""

    def __init__(self, also: Mapping[str, Inbound] | None = None) -> None:
        self._also = also

    def read(self, path: str, body: bytes) -> GatewayEvent:
        """The event in ``body``; Unrecognised, whatever the body, when no flow listens on ``path``.

        Raises InvalidValue with the dotted path of the member that is missing or wrong, and nothing else.
        """
        inbound = recognise(path, self._also)
        if inbound is None:
            return Unrecognised()
        return _READERS[inbound](read_object(body))


def _token(body: Member) -> TokenAnswered:
    answers, error = read_answers(body), read_error(body)
    if error is not None:
        return TokenAnswered(answers=answers, token=None, error=error)
    expected = "a link token, or an error"
    token = body.member("linkToken")
    value = token.text(expected, longest=_LONGEST_TOKEN)
    # It goes into a header of ours later on.
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise InvalidValue(token.path, expected)
    return TokenAnswered(answers=answers, token=value, error=None)


def _link(body: Member) -> LinkAnswered:
    status = body.member("status").optional_text(longest=1000) or ""
    error = read_error(body)
    if error is None and status.lower().startswith("failed"):
        error = GatewayError(code=CATCH_ALL, message=clean_text(status))
    return LinkAnswered(answers=read_answers(body), error=error)


def _notify(body: Member) -> NotifyAnswered:
    acknowledgement = body.member("acknowledgement", "acknowledgment")
    status = acknowledgement.member("status").optional_text() or body.member("status").optional_text() or ""
    error = read_error(body)
    if error is None and status.upper() in _FAILURES:
        error = GatewayError(code=CATCH_ALL, message="refused without a reason")
    return NotifyAnswered(answers=read_answers(body), error=error)


_READERS: Mapping[Inbound, Callable[[Member], GatewayEvent]] = {
    Inbound.TOKEN: _token,
    Inbound.LINK: _link,
    Inbound.NOTIFY: _notify,
    Inbound.DISCOVER: read_discovery,
    Inbound.LINK_INIT: read_link_init,
    Inbound.LINK_CONFIRM: read_link_confirm,
    Inbound.SHARE: read_profile_share,
    Inbound.CONSENT: read_consent,
    Inbound.HEALTH_INFORMATION: read_health_information,
    Inbound.ACCOUNT: read_account,
}
