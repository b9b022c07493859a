"""What stands on a page, in which order, and what can never break it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.fhir.presentation.examples import document, resource

from hip.adapters.fhir.presentation import words
from hip.adapters.fhir.presentation.pages import Item, Row, Section
from hip.adapters.fhir.presentation.rendering import present
from hip.domain.hi_types import HiType

CONSULT = ("04b", HiType.OP_CONSULTATION)
REPORT = ("05", HiType.DIAGNOSTIC_REPORT)


def told(rows: tuple[Row, ...]) -> dict[str, str | None]:
    return {row.label: row.words for row in rows}


def section(bundle: dict[str, Any], title: str) -> Section:
    [found] = [one for one in present(bundle).sections if one.title == title]
    return found


def test_the_page_names_document_patient_doctor_and_facility():
    page = present(document(*CONSULT))
    assert page.title == "Consultation Report"
    assert told(page.rows)["Document"] == "Clinical Consultation report"
    assert [item.kind for item in page.parties] == ["Patient", "Encounter", "Practitioner", "Organization"]
    patient = told(page.parties[0].rows)
    assert (patient["Name"], patient["Gender"]) == ("Fatima Sheikh", "female")
    assert told(page.parties[3].rows)["Name"] == "Demo Clinic"
    assert page.unplaced == ()


def test_sections_stand_in_the_documents_order_with_what_they_refer_to():
    bundle = document(*CONSULT)
    page = present(bundle)
    assert [one.title for one in page.sections] == [s["title"] for s in resource(bundle, "Composition")["section"]]
    medicines = section(bundle, "Medications").items
    assert {item.kind for item in medicines} == {"MedicationRequest", "MedicationStatement"}
    assert all(told(item.rows)["Medicine"] for item in medicines)


def test_results_stand_once_below_their_panel_and_are_named_elsewhere():
    bundle = document(*REPORT)
    [report] = present(bundle).sections[0].items
    panels = [item for item in report.items if item.kind == "Observation"]
    [panel] = [item for item in panels if told(item.rows)["Observation"] == "Complete blood count"]
    assert told(panel.items[0].rows)["Value"] == "12.4 g/dL"
    assert told(panel.items[0].rows)["Reference range"] == "13 g/dL to 17 g/dL"
    assert "Haemoglobin (shown elsewhere)" in [row.words for row in report.rows]


def test_a_blood_pressure_has_its_two_values():
    bundle = document(*CONSULT)
    rows = [told(item.rows) for item in section(bundle, "Physical Examination").items]
    [panel] = [row for row in rows if "Systolic blood pressure" in row]
    assert panel["Systolic blood pressure"] is not None
    assert panel["Systolic blood pressure"].endswith("mmHg")


def test_files_are_named_with_type_and_size_but_never_repeated():
    bundle = document("05", HiType.HEALTH_DOCUMENT_RECORD)
    [item] = present(bundle).sections[0].items
    data = resource(bundle, "DocumentReference")["content"][0]["attachment"]["data"]
    assert "application/pdf" in str(told(item.rows)["File"])
    assert data not in str(present(bundle).as_json())


def test_a_section_of_words_only_shows_them_without_markup():
    bundle = document(*CONSULT)
    written = {"div": "<div><p>Rest &amp; fluids</p><ul><li>Review <b>soon</b></li></ul></div>"}
    resource(bundle, "Composition")["section"].append({"title": "Advice", "text": written})
    assert section(bundle, "Advice").narrative == ("Rest & fluids", "Review soon")
    resource(bundle, "Composition")["section"].append({"title": "Empty"})
    [gap] = section(bundle, "Empty").rows
    assert gap.gap


def test_what_no_section_leads_to_stands_apart():
    bundle = document(*CONSULT)
    del resource(bundle, "Composition")["section"][0]
    assert {item.kind for item in present(bundle).unplaced} == {"Condition"}


def test_a_dangling_reference_is_a_gap_and_its_display_is_not():
    bundle = document("02", HiType.PRESCRIPTION)
    [prescription] = resource(bundle, "Composition")["section"]
    prescription["entry"].append({"reference": "urn:uuid:00000000-0000-4000-8000-000000000000", "type": "Binary"})
    prescription["entry"].append({"display": "Scan on paper"})
    rows = section(bundle, "Prescription").rows
    assert [row.words for row in rows] == [None, "Scan on paper"]


def test_a_circle_of_panels_ends():
    bundle = document(*REPORT)
    first = next(entry for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Observation")
    first["resource"]["hasMember"] = [{"reference": first["fullUrl"]}]
    assert str(present(bundle).as_json()).count("'Time'") > 0


def test_nothing_of_a_document_reaches_the_terminal_as_a_command():
    assert words.scalar("a\x1b[2Jb\x07\u202ec\ud800") == "a[2Jbc"
    assert words.scalar("[bold]x[/bold]\nnext") == "[bold]x[/bold]\nnext"
    assert words.scalar(" \x00 ") is None


def test_values_in_words():
    assert words.quantity({"value": 7.2, "unit": "%", "comparator": "<"}) == "< 7.2 %"
    assert words.interval({"high": {"value": 5}}) == "up to 5"
    assert words.period({"start": "2026-03-12T10:05:00+05:30"}) == "since 2026-03-12 10:05"
    assert words.scalar("2026-03-12T10:05:00Z") == "2026-03-12 10:05 Z"
    assert words.scalar(False) == "no"
    assert words.dosage({"doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}]}) == "1 tablet"
    assert words.timing({"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}) == "3 times in 1 d"
    assert words.concept({"coding": [{"display": "Fever"}, {"code": "x"}]}) == "Fever"
    assert words.concept({"coding": [{"code": "386661006"}]}) is None
    assert words.attachment({"title": "Report", "contentType": "application/pdf"}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "entry", "resource", "section", "code", "coding", "text", "name", "reference"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(junk=JSON, more=JSON, place=st.integers(min_value=0, max_value=200))
@settings(max_examples=50, deadline=None)
def test_no_json_breaks_a_page(junk, more, place):
    bundle = document("04b", HiType.OP_CONSULTATION)
    parts = [entry["resource"] for entry in bundle["entry"]]
    part = parts[place % len(parts)]
    part[list(part)[place % len(part)]] = junk
    bundle["entry"].append(more)
    page = present(bundle)
    assert isinstance(page.as_json()["gaps"], list)
    assert isinstance(present({"entry": junk}).as_json(), dict)


def all_items(items: tuple[Item, ...]) -> int:
    return sum(1 + all_items(item.items) for item in items)


def test_every_resource_stands_on_the_page_once():
    for case in (CONSULT, REPORT, ("05", HiType.DISCHARGE_SUMMARY), ("05", HiType.INVOICE)):
        bundle = document(*case)
        page = present(bundle)
        placed = all_items(page.parties) + sum(all_items(one.items) for one in page.sections) + all_items(page.unplaced)
        assert placed == len(bundle["entry"]) - 1
