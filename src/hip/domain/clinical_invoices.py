"""The bill of a visit, in Indian rupees, to the paisa."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from hip.domain.errors import InvalidValue
from hip.domain.recorded import Concept, Recorded, within

_PAISA = Decimal("0.01")
# Indian bills are commonly rounded to the rupee.
_ROUND_OFF = Decimal(1)


class InvoiceKind(StrEnum):
    """What the bill is for; the part of the guide's billing codes that its invoice types name."""

    CONSULTATION = "consultation"
    PHARMACY = "pharmacy"
    IPD = "ipd"
    OPD = "opd"
    OTHER = "other"


class ChargeKind(StrEnum):
    """What a line is for: the guide's billing codes."""

    CONSULTATION = "consultation"
    PHARMACY = "pharmacy"
    IPD = "ipd"
    OPD = "opd"
    PATHOLOGY = "pathology"
    MEDICINES = "medicines"
    NURSING = "nursing"
    HANDLING = "handling"
    DELIVERY = "delivery"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InvoiceLine(Concept):
    """One line. ``rate`` and ``mrp`` are for one unit, without and with tax; ``discount``, ``cgst`` and ``sgst`` are
    amounts for the whole line. ``hsn``, ``batch`` and ``expires`` describe a medicine sold."""

    kind: ChargeKind = ChargeKind.OTHER
    quantity: Decimal = Decimal(1)
    unit: str | None = None
    rate: Decimal
    mrp: Decimal | None = None
    discount: Decimal = Decimal(0)
    cgst: Decimal = Decimal(0)
    sgst: Decimal = Decimal(0)
    hsn: str | None = None
    batch: str | None = None
    expires: date | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        within(self.quantity, "0", "1000000", field="quantity")
        for name in ("rate", "mrp", "discount", "cgst", "sgst"):
            amount = getattr(self, name)
            if amount is not None:
                within(amount, "0", "1000000000", field=name)
        if self.discount > self.price:
            raise InvalidValue("discount", "an amount not above the line's price")

    @property
    def price(self) -> Decimal:
        """Rate times quantity, before discount and tax."""
        return (self.rate * self.quantity).quantize(_PAISA, ROUND_HALF_UP)

    @property
    def net(self) -> Decimal:
        """The line without tax."""
        return (self.price - self.discount).quantize(_PAISA, ROUND_HALF_UP)

    @property
    def gross(self) -> Decimal:
        """The line with CGST and SGST."""
        return (self.net + self.cgst + self.sgst).quantize(_PAISA, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Invoice(Recorded):
    """A bill. Stated totals are kept when they differ by at most a rupee (rounding off) from the sum of the lines."""

    number: str
    kind: InvoiceKind = InvoiceKind.OTHER
    issued: datetime | None = None
    lines: tuple[InvoiceLine, ...]
    stated_net: Decimal | None = None
    stated_gross: Decimal | None = None
    paid: bool = True

    def __post_init__(self) -> None:
        Recorded.__post_init__(self)
        if not self.lines:
            raise InvalidValue("lines", "at least one line")
        for name, stated, summed in (
            ("statedNet", self.stated_net, self._sum_net),
            ("statedGross", self.stated_gross, self._sum_gross),
        ):
            if stated is not None and not (stated.is_finite() and abs(stated - summed) <= _ROUND_OFF):
                raise InvalidValue(name, "the sum of the lines, rounded off by at most one rupee")

    @property
    def _sum_net(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))

    @property
    def _sum_gross(self) -> Decimal:
        return sum((line.gross for line in self.lines), Decimal(0))

    @property
    def net(self) -> Decimal:
        """The total without tax."""
        return self._sum_net if self.stated_net is None else self.stated_net

    @property
    def gross(self) -> Decimal:
        """The total to pay."""
        return self._sum_gross if self.stated_gross is None else self.stated_gross
