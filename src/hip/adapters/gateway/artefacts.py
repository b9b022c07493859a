"""The consent artefact of a notify, member by member (contract §2.9)."""

from hip.adapters.gateway.members import Member
from hip.adapters.gateway.moments import read_moment
from hip.domain.consents import ConsentArtefact, ConsentedContext, DateRange
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    CareContextReference,
    ConsentId,
    HipId,
    PatientReference,
    hip_id,
    opaque,
)


def read_artefact(detail: Member, *, consent_id: ConsentId) -> ConsentArtefact:
    """``consentDetail`` of a GRANTED notify.

    What limits the consent must be there: patient, care contexts, HI types, purpose, access mode, dates and end. An
    HI type we do not know is counted and permits nothing; an unknown purpose or mode is kept for the domain to refuse.
    Raises InvalidValue.
    """
    stated = detail.member("consentId")
    if stated.present and stated.optional_text() != consent_id:
        raise InvalidValue(stated.path, "the same id as notification.consentId")
    permission = detail.member("permission")
    address, erase_at = detail.within("patient", "id"), permission.member("dataEraseAt")
    known, unknown = _hi_types(detail.member("hiTypes"))
    return ConsentArtefact(
        consent_id=consent_id,
        hip_id=_hip(detail.within("hip", "id")),
        hiu_id=_hiu(detail.within("hiu", "id")),
        patient=AbhaAddress.parse(address.text("an ABHA address"), field=address.path),
        care_contexts=_care_contexts(detail.member("careContexts")),
        hi_types=known,
        unknown_hi_types=unknown,
        purpose=detail.within("purpose", "code").text("a purpose code").upper(),
        access_mode=permission.member("accessMode").text("an access mode").upper(),
        date_range=read_date_range(permission.member("dateRange")),
        data_erase_at=read_moment(erase_at.text("a date and time"), field=erase_at.path),
        frequency=_frequency(permission.member("frequency")),
    )


def read_date_range(dates: Member) -> DateRange:
    """An object with ``from`` and ``to``, or an array that holds one (REL-08). Raises InvalidValue (ABDM-1063)."""
    ranges = dates.items()
    if len(ranges) != 1:
        raise InvalidValue(dates.path, "one date range", code="ABDM-1063")
    start, end = ranges[0].member("from"), ranges[0].member("to")
    began = read_moment(start.text("a date and time"), field=start.path)
    ended = read_moment(end.text("a date and time"), field=end.path)
    if began > ended:
        raise InvalidValue(ranges[0].path, "`from` not after `to`", code="ABDM-1063")
    return DateRange(start=began, end=ended)


def _care_contexts(contexts: Member) -> tuple[ConsentedContext, ...]:
    if not isinstance(contexts.raw, list):
        raise InvalidValue(contexts.path, "an array of care contexts")
    return tuple(
        ConsentedContext(
            patient_reference=PatientReference(context.member("patientReference").text("a patient reference")),
            care_context_reference=CareContextReference(
                context.member("careContextReference").text("a care context reference")
            ),
        )
        for context in contexts.items()
    )


def _hi_types(names: Member) -> tuple[frozenset[HiType], int]:
    if names.raw is None:
        raise InvalidValue(names.path, "an array of HI types")
    texts = [name.optional_text() for name in names.items()]
    recognised = [None if text is None else HiType.recognise(text) for text in texts]
    return frozenset(hi_type for hi_type in recognised if hi_type is not None), recognised.count(None)


def _hip(stated: Member) -> HipId | None:
    return hip_id(stated.text("a facility id"), field=stated.path) if stated.present else None


def _hiu(stated: Member) -> str | None:
    return opaque(stated.text("an id"), field=stated.path) if stated.present else None


def _frequency(frequency: Member) -> tuple[str, int, int] | None:
    """None for what cannot be read: no source shows a HIP that enforces it (REL-12)."""
    unit = frequency.member("unit").optional_text()
    try:
        value = frequency.member("value").whole("a number", low=0, high=2**31 - 1)
        repeats = frequency.member("repeats").whole("a number", low=0, high=2**31 - 1)
    except InvalidValue:
        return None
    return None if unit is None else (unit.upper(), value, repeats)
