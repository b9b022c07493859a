"""Prescribers' words and the timing FHIR gets from them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.visits import frequencies, recorded

from hip.adapters.fhir.composition.dosage import dosage, rhythm
from hip.domain.clinical_medications import Medication


def dosed(**said: str) -> dict[str, object]:
    return dosage(Medication(text="Paracetamol 500 mg", **said))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("OD", (1, 1, "d", ())),
        ("bd", (2, 1, "d", ())),
        ("B.D.", (2, 1, "d", ())),
        ("TDS", (3, 1, "d", ())),
        ("three times a day", (3, 1, "d", ())),
        ("QID", (4, 1, "d", ())),
        ("HS", (1, 1, "d", ("HS",))),
        ("1-0-1", (2, 1, "d", ("MORN", "NIGHT"))),
        ("1 - 1 - 1", (3, 1, "d", ("MORN", "AFT", "NIGHT"))),
        ("0-0-1", (1, 1, "d", ("NIGHT",))),
        ("½-0-½", (2, 1, "d", ("MORN", "NIGHT"))),
        ("0.5-0-0.5", (2, 1, "d", ("MORN", "NIGHT"))),
        ("1-1-1-1", (4, 1, "d", ("MORN", "AFT", "EVE", "NIGHT"))),
        ("q6h", (1, 6, "h", ())),
        ("every 8 hours", (1, 8, "h", ())),
        ("12 hourly", (1, 12, "h", ())),
        ("alternate days", (1, 2, "d", ())),
        ("once a week", (1, 1, "wk", ())),
        ("fortnightly", (1, 2, "wk", ())),
        ("monthly", (1, 1, "mo", ())),
    ],
)
def test_a_known_frequency_is_structured(words, expected):
    found = rhythm(words)
    assert (found.frequency, found.period, found.unit, found.when) == expected


@pytest.mark.parametrize("words", ["as the doctor says", "0-0-0", "1-", "1-2-3-4-5", "q99h", "दिन में दो बार", "1/0-1"])
def test_an_unknown_frequency_stays_text(words):
    assert rhythm(words) is None
    made = dosed(frequency=words)
    assert made["text"] == words
    assert "frequency" not in str(made.get("timing", ""))


@pytest.mark.parametrize("words", ["SOS", "PRN", "s.o.s."])
def test_as_needed_is_said_so(words):
    made = dosed(frequency=words)
    assert made["asNeededBoolean"] is True
    assert "timing" not in made


def test_stat_is_once():
    assert dosed(frequency="STAT")["timing"] == {"repeat": {"count": 1}}


@pytest.mark.parametrize(
    ("words", "value", "code"), [("3 days", 3, "d"), ("x 5 d", 5, "d"), ("for 2 weeks", 2, "wk"), ("6 months", 6, "mo")]
)
def test_a_duration_bounds_the_timing(words, value, code):
    bounds = dosed(duration=words)["timing"]["repeat"]["boundsDuration"]
    assert (bounds["value"], bounds["code"], bounds["system"]) == (value, code, "http://unitsofmeasure.org")


@pytest.mark.parametrize("words", ["0 days", "till better", "5"])
def test_an_unclear_duration_stays_text(words):
    made = dosed(duration=words)
    assert "timing" not in made
    assert made["text"] == words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"dose": "1 tablet"}, {"value": 1, "unit": "tablet"}),
        ({"dose": "½ tab"}, {"value": Decimal("0.5"), "unit": "tab"}),
        ({"dose": "1/2 tab"}, {"value": Decimal("0.5"), "unit": "tab"}),
        ({"dose": "2.50 ml"}, {"value": Decimal("2.5"), "unit": "ml"}),
        ({"frequency": "2-0-2"}, {"value": 2}),
    ],
)
def test_a_dose_is_a_quantity(said, expected):
    assert dosed(**said)["doseAndRate"] == [{"doseQuantity": expected}]


@pytest.mark.parametrize(
    "said", [{"dose": "thin layer"}, {"dose": "1/0 tab"}, {"frequency": "1-0-2"}, {"dose": "0 tab"}]
)
def test_an_unclear_dose_stays_text(said):
    assert "doseAndRate" not in dosed(**said)


def test_a_known_rhythm_carries_hl7s_code_and_the_words():
    timing = dosed(frequency="BD")["timing"]
    assert timing["code"]["coding"][0]["code"] == "BID"
    assert timing["code"]["text"] == "BD"


def test_a_medicine_without_any_words_is_as_directed():
    assert dosed() == {"text": "As directed"}


def test_an_unknown_route_is_text():
    assert dosed(route="under the tongue")["route"] == {"text": "under the tongue"}


@given(recorded(Medication))
@settings(max_examples=40, deadline=None)
def test_the_words_always_stand_beside_the_structure(medication):
    text = dosage(medication)["text"]
    for part in (medication.dose, medication.frequency, medication.route, medication.duration, medication.instruction):
        assert part is None or part.strip() in text


@given(st.one_of(frequencies, st.from_regex(r"[0-9½./ -]{1,12}", fullmatch=True)))
@settings(max_examples=50, deadline=None)
def test_every_rhythm_is_one_fhir_can_hold(words):
    found = rhythm(words)
    assert found is None or (found.frequency > 0 and found.period > 0 and found.unit in ("h", "d", "wk", "mo"))
