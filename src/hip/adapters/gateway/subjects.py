"""What a callback is about, read from ids in its body alone (contract §1.3, §1.9)."""

from typing import Any

from hip.adapters.gateway.members import Member
from hip.application.tenants import Subject
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import ConsentId, LinkReference, TransactionId, opaque


def read_subject(content: dict[str, Any]) -> Subject:
    """Never raises: an id that is absent or unusable is None."""
    body = Member(content)
    reference = _id(body.within("confirmation", "linkRefNumber"))
    transaction = _id(body.member("transactionId"))
    consent = _id(body.within("notification", "consentId")) or _id(body.within("hiRequest", "consent", "id"))
    return Subject(
        link_reference=None if reference is None else LinkReference(reference),
        transaction_id=None if transaction is None else TransactionId(transaction),
        consent_id=None if consent is None else ConsentId(consent),
    )


def _id(stated: Member) -> str | None:
    text = stated.optional_text()
    try:
        return None if text is None else opaque(text, field=stated.path)
    except InvalidValue:
        return None
