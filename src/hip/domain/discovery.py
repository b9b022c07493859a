"""Finding one patient for a patient app, or saying why not (contract §2.5, DISC-01)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from hip.domain.errors import DomainError
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId, PatientReference, TransactionId, phone_number
from hip.domain.link_attempts import TOO_MANY, OfferedContext
from hip.domain.patients import Gender, IdentifierType, Patient

YEARS_APART = 5
"""Year of birth may differ by this much when only the mobile number matches."""

NAME_LIKENESS = 0.7
"""Smallest likeness (0 to 1) of two names that count as one person's; see ``NameLikeness``."""

NameLikeness = Callable[[str, str], float]
"""How alike two names are, 0 to 1, whatever their order, case, initials and honorifics."""


class PatientNotFound(DomainError):
    """Nobody here fits, or nothing is left to link (contract §1.11, codes of our own)."""

    code = "ABDM-1010"


class SeveralPatients(DomainError):
    """More than one person fits: an error, never a list of people."""

    code = "ABDM-1010"


class TooManyDiscoveries(DomainError):
    """One ABHA address searched too often (DISC-02); the code is the gateway's own for too many requests."""

    code = TOO_MANY


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientIdentifiers:
    """Identifiers of one person after every spelling has been mapped; unknown types and unusable values are left out.

    ``mobiles`` are ten digits. The ABHA address in ``patient.id`` counts as verified.
    """

    abha_addresses: frozenset[AbhaAddress] = frozenset()
    abha_numbers: frozenset[AbhaNumber] = frozenset()
    mobiles: frozenset[str] = field(default=frozenset(), repr=False)
    references: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """From (type, value) pairs as they came; never raises, for one bad value must not hide the others."""
        addresses: set[AbhaAddress] = set()
        numbers: set[AbhaNumber] = set()
        mobiles: set[str] = set()
        references: set[str] = set()
        for kind, value in pairs:
            try:
                match IdentifierType.recognise(kind):
                    case IdentifierType.ABHA_ADDRESS:
                        addresses.add(AbhaAddress.parse(value))
                    case IdentifierType.ABHA_NUMBER:
                        numbers.add(AbhaNumber.parse(value))
                    case IdentifierType.MOBILE:
                        mobiles.add(phone_number(value))
                    case IdentifierType.MR if value.strip():
                        references.add(value.strip())
                    case _:
                        pass
            except DomainError:
                continue
        return cls(
            abha_addresses=frozenset(addresses),
            abha_numbers=frozenset(numbers),
            mobiles=frozenset(mobiles),
            references=frozenset(references),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demographics:
    """Whom a mobile number may stand for: this gender, born from ``born_from`` to ``born_to``, inclusive years."""

    gender: Gender
    born_from: int
    born_to: int

    def fit(self, patient: Patient) -> bool:
        """True of a patient who could be meant."""
        return patient.gender is self.gender and self.born_from <= patient.birth_year <= self.born_to


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryQuery:
    """What the patient's app says of the patient. ``verified`` was checked by the gateway, ``unverified`` typed in."""

    transaction_id: TransactionId
    abha_address: AbhaAddress
    name: str = field(repr=False)
    gender: Gender
    birth_year: int
    verified: PatientIdentifiers
    unverified: PatientIdentifiers

    @property
    def demographics(self) -> Demographics:
        """What a patient has to fit whom nothing but a mobile number points to."""
        return Demographics(
            gender=self.gender, born_from=self.birth_year - YEARS_APART, born_to=self.birth_year + YEARS_APART
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryMatch:
    """The one patient that fits, and the identifiers that led there."""

    patient: Patient
    matched_by: tuple[IdentifierType, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryRequest:
    """A discovery as written down (table ``discovery_request``); ``patient_reference`` is None when nobody fitted.

    ``offered`` is what the answer offered: link init may choose of it and of nothing else.
    """

    hip_id: HipId
    transaction_id: TransactionId
    abha_address: AbhaAddress
    patient_reference: PatientReference | None
    received_at: datetime
    offered: tuple[OfferedContext, ...] = ()


_DECISIVE = frozenset({IdentifierType.ABHA_ADDRESS, IdentifierType.ABHA_NUMBER, IdentifierType.MR})


def match_patient(
    query: DiscoveryQuery, candidates: Iterable[Patient], *, likeness: NameLikeness, complete: bool = True
) -> DiscoveryMatch:
    """The one candidate a verified identifier and the demographics agree on.

    An ABHA address or number identifies by itself; a verified mobile needs gender, year of birth within five, a like
    name, and no other ABHA number than the verified one. A record number (MR) only narrows what was found so.
    Not ``complete`` says that more people share the mobile than were looked at: the mobile then decides nothing, for
    another one might fit as well. Raises PatientNotFound or SeveralPatients.
    """
    found: dict[PatientReference, DiscoveryMatch] = {}
    for patient in candidates:
        matched = _matched_by(query, patient, likeness)
        if matched:
            found[patient.reference] = DiscoveryMatch(patient=patient, matched_by=matched)
    if len(found) > 1:
        by_reference = {r: m for r, m in found.items() if IdentifierType.MR in m.matched_by}
        found = by_reference or found
    if len(found) > 1:
        raise SeveralPatients("more than one patient matches")
    if not complete and not any(_DECISIVE & set(match.matched_by) for match in found.values()):
        raise SeveralPatients("more people share the mobile than can be told apart")
    if not found:
        raise PatientNotFound("no patient matches")
    return next(iter(found.values()))


def _matched_by(query: DiscoveryQuery, patient: Patient, likeness: NameLikeness) -> tuple[IdentifierType, ...]:
    matched: list[IdentifierType] = []
    addresses = query.verified.abha_addresses | {query.abha_address}
    strong = False
    if patient.abha_address in addresses:
        matched.append(IdentifierType.ABHA_ADDRESS)
        strong = True
    if patient.abha_number in query.verified.abha_numbers:
        matched.append(IdentifierType.ABHA_NUMBER)
        strong = True
    mobile = patient.phone is not None and patient.phone in query.verified.mobiles
    if mobile:
        matched.append(IdentifierType.MOBILE)
    if not strong:
        # Relatives share a telephone and are alike in name and age, but a person has one ABHA number.
        another = patient.abha_number is not None and bool(query.verified.abha_numbers)
        same_person = (
            mobile
            and not another
            and query.demographics.fit(patient)
            and likeness(query.name, patient.name) >= NAME_LIKENESS
        )
        if not same_person:
            return ()
    references = query.unverified.references | query.verified.references
    if str(patient.reference) in references:
        matched.append(IdentifierType.MR)
    return tuple(matched)
