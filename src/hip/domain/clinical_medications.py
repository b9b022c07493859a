"""What was prescribed and what the patient already takes."""

from dataclasses import dataclass
from decimal import Decimal

from hip.domain.recorded import Concept, partial_date, within


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Medication(Concept):
    """One prescribed medicine. ``text`` names drug, strength and form as written.

    ``dose`` ("1 tablet"), ``frequency`` ("TDS", "1-0-1", "every 6 hours"), ``route`` ("oral"), ``duration`` ("3 days")
    and ``instruction`` ("after food") are the prescriber's words; they are structured where they are understood and
    always shown as written. ``quantity`` is what is to be dispensed, in ``quantity_unit``.
    """

    dose: str | None = None
    frequency: str | None = None
    route: str | None = None
    duration: str | None = None
    instruction: str | None = None
    quantity: Decimal | None = None
    quantity_unit: str | None = None
    reason: Concept | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if self.quantity is not None:
            within(self.quantity, "0", "1000000", field="quantity")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MedicationTaken(Concept):
    """A medicine the patient takes, or took, on someone's earlier advice. ``since`` may be partial."""

    since: str | None = None
    stopped: bool = False
    dosage: str | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if self.since is not None:
            partial_date(self.since, field="since")
