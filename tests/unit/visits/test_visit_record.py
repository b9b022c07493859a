"""The visit record: which bundles it needs, when it happened, what it may be called."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from tests.builders.visits import IST, JPEG, PDF, PNG, a_bare_visit, a_visit, visits

from hip.domain import identifiers
from hip.domain.clinical import Allergy, CarePlan, Complaint, Diagnosis, FollowUp, Measurement, ReactionSeverity
from hip.domain.clinical_documents import MAX_FILE_BYTES, Attachment, Document, MediaType
from hip.domain.clinical_invoices import Invoice, InvoiceLine
from hip.domain.clinical_reports import Interpretation, LabResult, ReferenceRange, Specimen
from hip.domain.clinical_vitals import Vitals
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.recorded import plain
from hip.domain.visits import VisitClass


def test_the_stated_types_are_the_required_ones():
    assert a_visit(hi_types=(HiType.PRESCRIPTION,)).required_hi_types == (HiType.PRESCRIPTION,)


def test_without_stated_types_every_type_with_data_is_required():
    assert a_visit().required_hi_types == (HiType.OP_CONSULTATION, HiType.PRESCRIPTION, HiType.WELLNESS_RECORD)


def test_only_an_inpatient_visit_gets_a_discharge_summary_by_itself():
    """amrit.md §3: AMRIT makes one for every out-patient visit."""
    for visit_class in VisitClass:
        required = a_visit(visit_class=visit_class).required_hi_types
        assert (HiType.DISCHARGE_SUMMARY in required) == (visit_class is VisitClass.INPATIENT)
        assert (HiType.OP_CONSULTATION in required) == (visit_class is not VisitClass.INPATIENT)


def test_a_stated_type_without_data_is_refused_by_its_place():
    with pytest.raises(InvalidValue, match="labReports") as refused:
        a_visit(hi_types=(HiType.PRESCRIPTION, HiType.DIAGNOSTIC_REPORT))
    assert refused.value.field == "hiTypes[1]"


def test_a_stated_type_stands_once():
    with pytest.raises(InvalidValue) as refused:
        a_visit(hi_types=(HiType.PRESCRIPTION, HiType.PRESCRIPTION))
    assert refused.value.field == "hiTypes[1]"


def test_a_visit_without_any_clinical_data_is_refused():
    with pytest.raises(InvalidValue) as refused:
        a_bare_visit()
    assert refused.value.field == "hiTypes"


def test_the_clinical_date_is_the_start_in_utc():
    """REL-09: half past midnight in India is the day before in UTC."""
    visit = a_visit(start=datetime(2026, 3, 12, 0, 30, tzinfo=IST), end=None)
    assert visit.clinical_date == datetime(2026, 3, 11, 19, 0, tzinfo=UTC)
    assert visit.clinical_date.tzinfo is UTC


@pytest.mark.parametrize(
    ("visit_class", "label"),
    [
        (VisitClass.AMBULATORY, "OPD visit 12 Mar 2026"),
        (VisitClass.INPATIENT, "Admission 12 Mar 2026"),
        (VisitClass.EMERGENCY, "Emergency visit 12 Mar 2026"),
    ],
)
def test_the_care_context_is_called_by_kind_and_day(visit_class, label):
    assert a_visit(visit_class=visit_class).care_context_display == label


@given(visits())
@settings(max_examples=10, deadline=None)
def test_no_care_context_display_says_who_or_what(visit):
    """Contract §1.4: pattern P3, and no clinical content; amrit.md §9.7 shows the ABHA number there."""
    shown = identifiers.display(visit.care_context_display, field="display")
    assert "abha" not in shown.casefold()
    assert not any(each.value in shown for each in HiType)
    assert visit.patient.reference not in shown
    assert "@" not in shown


def test_no_repr_shows_clinical_data():
    canary = "Syphilis canary"
    visit = a_visit(complaints=(Complaint(text=canary),), notes=canary, category=canary)
    assert "canary" not in repr(visit)
    assert "canary" not in repr(visit.complaints)
    assert visit.patient.name not in repr(visit)


def test_a_time_without_an_offset_is_refused():
    with pytest.raises(InvalidValue) as refused:
        a_visit(start=datetime(2026, 3, 12, 10, 5))  # noqa: DTZ001
    assert refused.value.field == "start"


def test_an_end_before_the_start_is_refused():
    with pytest.raises(InvalidValue) as refused:
        a_visit(end=datetime(2026, 3, 12, 9, 0, tzinfo=IST))
    assert refused.value.field == "end"


@pytest.mark.parametrize("text", ["", "  ", "\u00a0", "a\x00b", "a\x1bb", "\ufffe", "x" * 20_001])
def test_text_that_fhir_cannot_carry_is_refused(text):
    with pytest.raises(InvalidValue) as refused:
        Complaint(text=text)
    assert refused.value.field == "text"


@pytest.mark.parametrize("code", ["12345", "0123456", "12a456", "1234567890123456789"])
def test_a_snomed_code_has_6_to_18_digits(code):
    with pytest.raises(InvalidValue, match="snomed"):
        Diagnosis(text="Fever", snomed=code)


@pytest.mark.parametrize(
    ("name", "value"), [("pulse", "900"), ("spo2", "101"), ("temperature_f", "38.5"), ("bmi", "NaN")]
)
def test_a_figure_that_cannot_be_is_refused(name, value):
    with pytest.raises(InvalidValue):
        Vitals(**{name: Decimal(value)})


def test_a_unit_needs_a_number():
    with pytest.raises(InvalidValue, match="unit"):
        Measurement(text="Grade", value="Trace", unit="mg")


def test_a_severity_needs_a_reaction():
    with pytest.raises(InvalidValue, match="severity"):
        Allergy(text="Peanut", severity=ReactionSeverity.MILD)


def test_a_follow_up_is_either_a_day_or_an_hour():
    with pytest.raises(InvalidValue):
        FollowUp(text="Soon")
    start = datetime(2026, 4, 1, 9, 0, tzinfo=IST)
    with pytest.raises(InvalidValue, match="either"):
        FollowUp(day=start.date(), start=start)


def test_a_care_plan_names_the_activity_at_fault():
    with pytest.raises(InvalidValue) as refused:
        CarePlan(title="Rest", activities=("Walk", " "))
    assert refused.value.field == "activities[1]"


@pytest.mark.parametrize(("data", "kind"), [(PDF, "application/pdf"), (JPEG, "image/jpeg"), (PNG, "image/png")])
def test_the_kind_of_a_file_is_read_from_its_bytes(data, kind):
    assert Attachment(title="Scan", data=data).media_type == kind


def test_a_file_that_is_not_what_it_claims_is_refused():
    with pytest.raises(InvalidValue) as refused:
        Attachment(title="Scan", data=JPEG, content_type="application/pdf")
    assert refused.value.field == "contentType"


@pytest.mark.parametrize("data", [b"", b"<html>", b"MZ\x90", b" %PDF-1.4"])
def test_a_file_of_another_kind_is_refused(data):
    assert MediaType.sniff(data) is None
    with pytest.raises(InvalidValue, match="PDF, JPEG or PNG"):
        Attachment(title="Scan", data=data)


def test_a_file_above_the_limit_is_refused():
    with pytest.raises(InvalidValue, match="10 MiB"):
        Attachment(title="Scan", data=PDF.ljust(MAX_FILE_BYTES + 1))


def test_all_files_of_a_visit_together_have_a_limit():
    half = PDF.ljust(6 * 1024 * 1024)
    with pytest.raises(InvalidValue, match="11 MiB") as refused:
        a_visit(documents=(Document(title="One", data=half), Document(title="Two", data=half)))
    assert refused.value.field == "documents"


def test_a_document_leaves_with_its_own_type_only():
    visit = a_visit(documents=(Document(title="Old papers", data=PDF),))
    assert visit.documents_of(HiType.HEALTH_DOCUMENT_RECORD) == visit.documents
    assert visit.documents_of(HiType.OP_CONSULTATION) == ()


def test_a_prescription_has_room_for_one_scan():
    scan = Document(title="Scan", data=PDF, belongs_to=HiType.PRESCRIPTION)
    with pytest.raises(InvalidValue, match="at most one document"):
        a_visit(documents=(scan, scan))


def test_an_invoice_carries_no_document():
    with pytest.raises(InvalidValue, match="belongsTo"):
        Document(title="Bill", data=PDF, belongs_to=HiType.INVOICE)


@pytest.mark.parametrize(
    ("value", "low", "high", "read_as"),
    [
        ("9.8", "12", "15", "L"),
        ("13", "12", "15", "N"),
        ("15.1", "12", "15", "H"),
        ("3", None, "5", "N"),
        ("3", "4", None, "L"),
    ],
)
def test_a_result_is_read_against_its_range(value, low, high, read_as):
    limits = ReferenceRange(low=low and Decimal(low), high=high and Decimal(high))
    assert LabResult(text="Hb", value=Decimal(value), reference_range=limits).read_as == read_as


def test_the_laboratorys_own_interpretation_wins():
    limits = ReferenceRange(low=Decimal(1), high=Decimal(2))
    result = LabResult(
        text="Hb", value=Decimal(3), reference_range=limits, interpretation=Interpretation.CRITICALLY_HIGH
    )
    assert result.read_as is Interpretation.CRITICALLY_HIGH


def test_a_range_in_words_reads_nothing():
    limits = ReferenceRange(text="Negative")
    assert LabResult(text="HBsAg", value="Negative", reference_range=limits).read_as is None


def test_a_specimen_is_not_received_before_it_is_collected():
    taken = datetime(2026, 3, 12, 7, 0, tzinfo=IST)
    with pytest.raises(InvalidValue, match="received"):
        Specimen(text="Serum", collected=taken, received=taken - timedelta(minutes=1))


def test_an_invoice_adds_up_to_the_paisa():
    line = InvoiceLine(
        text="Tablet", quantity=Decimal(3), rate=Decimal("10.15"), discount=Decimal("0.45"), cgst=Decimal("1.80")
    )
    bill = Invoice(number="1", lines=(line,))
    assert (line.price, bill.net, bill.gross) == (Decimal("30.45"), Decimal("30.00"), Decimal("31.80"))
    rounded = Invoice(number="1", lines=(line,), stated_gross=Decimal(32))
    assert rounded.gross == 32


def test_a_stated_total_that_is_not_the_sum_is_refused():
    with pytest.raises(InvalidValue, match="statedGross"):
        Invoice(number="1", lines=(InvoiceLine(text="Tablet", rate=Decimal(10)),), stated_gross=Decimal(12))


@pytest.mark.parametrize(
    ("number", "short"), [("5.10", "5.1"), ("1E+2", "100"), ("0.0", "0"), ("92", "92"), ("0.001", "0.001")]
)
def test_equal_numbers_have_one_spelling(number, short):
    assert str(plain(Decimal(number))) == short
