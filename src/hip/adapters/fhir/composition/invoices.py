"""The bill: Invoice, ChargeItem, Medication."""

from decimal import Decimal
from typing import Any

from hip.adapters.fhir.composition.codes import (
    CHARGE_TYPES,
    IDENTIFIER_TYPES,
    INVOICE_TYPES,
    PRICE_COMPONENTS,
    SNOMED,
)
from hip.adapters.fhir.composition.draft import Draft, Part, Reference, Resource, codeable
from hip.adapters.fhir.composition.observations import quantity
from hip.adapters.fhir.composition.wording import number, with_notes
from hip.domain.clinical_invoices import InvoiceLine
from hip.domain.recorded import plain


def invoice(draft: Draft) -> list[Part]:
    """The N:Invoice with a price component for rate, MRP, discount, CGST and SGST of every line, and its totals."""
    bill = draft.record.invoice
    if bill is None:
        return []
    lines = []
    for index, line in enumerate(bill.lines):
        charge = _charge(draft, line, index)
        lines.append({"sequence": index + 1, "chargeItemReference": charge, "priceComponent": _prices(line)})
    made: Resource = {
        "resourceType": "Invoice",
        "identifier": [{"system": draft.system("invoices"), "value": bill.number.strip()}],
        "status": "balanced" if bill.paid else "issued",
        "type": INVOICE_TYPES[bill.kind].concept(),
        "subject": draft.patient,
        "date": (bill.issued or draft.moment).isoformat(),
        "participant": [{"actor": draft.practitioner}],
        "issuer": draft.organization,
        "lineItem": lines,
        "totalNet": _rupees(bill.net),
        "totalGross": _rupees(bill.gross),
    }
    reference = draft.add(made, "invoice", profile="Invoice")
    words = [f"Invoice {bill.number.strip()}: total Rs {bill.gross:.2f}", *(_words(line) for line in bill.lines)]
    return [Part(reference, words[0]), *(Part({}, each) for each in words[1:])]


def _charge(draft: Draft, line: InvoiceLine, index: int) -> Reference:
    made: Resource = {
        "resourceType": "ChargeItem",
        "status": "billed",
        "code": CHARGE_TYPES[line.kind].concept(),
        "subject": draft.patient,
        "context": draft.encounter,
        "occurrenceDateTime": draft.record.start.isoformat(),
        "performer": [{"actor": draft.practitioner}],
        "quantity": quantity(line.quantity, line.unit, None),
    }
    if line.hsn is None and line.batch is None and line.expires is None:
        made["productCodeableConcept"] = codeable(line, SNOMED)
    else:
        made["productReference"] = _medicine(draft, line, index)
    return draft.add(made, "charge", index, profile="ChargeItem")


def _medicine(draft: Draft, line: InvoiceLine, index: int) -> Reference:
    made: Resource = {"resourceType": "Medication"}
    if line.hsn is not None:
        made["identifier"] = [{"type": IDENTIFIER_TYPES["hsn"].concept(), "value": line.hsn.strip()}]
    made["code"] = codeable(line, SNOMED)
    batch: dict[str, Any] = {}
    if line.batch is not None:
        batch["lotNumber"] = line.batch.strip()
    if line.expires is not None:
        batch["expirationDate"] = line.expires.isoformat()
    if batch:
        made["batch"] = batch
    return draft.add(made, "sold", index, profile="Medication")


def _prices(line: InvoiceLine) -> list[dict[str, Any]]:
    """The components a line has; the base price always, the others when they are not nought."""
    prices = []
    for field, kind, code in PRICE_COMPONENTS:
        amount = getattr(line, field)
        if field == "price" or amount:
            prices.append({"type": kind, "code": code.concept(), "amount": _rupees(amount)})
    return prices


def _rupees(amount: Decimal) -> dict[str, Any]:
    return {"value": plain(amount), "currency": "INR"}


def _words(line: InvoiceLine) -> str:
    tax = line.cgst + line.sgst
    return with_notes(
        f"{line.text.strip()}: {number(line.quantity)} {line.unit or ''}".strip(),
        f"Rs {line.gross:.2f}",
        f"tax Rs {tax:.2f}" if tax else None,
    )
