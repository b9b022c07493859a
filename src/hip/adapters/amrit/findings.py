"""Rows of AMRIT's result sets → what was found at the visit. Uncoded entries are kept, codes are never invented."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from hip.adapters.amrit.result_sets import Row
from hip.adapters.amrit.values import coded_terms, loinc, measured, moment, number, several, snomed, words
from hip.domain.clinical import Allergy, AllergyCategory, Complaint, Diagnosis, FamilyCondition, FamilyMember, FollowUp
from hip.domain.clinical_medications import Medication, MedicationTaken
from hip.domain.clinical_reports import Immunization, LabReport, LabResult, ReferenceRange
from hip.domain.clinical_vitals import Vitals
from hip.domain.errors import InvalidValue
from hip.domain.recorded import Concept

_CATEGORIES = {
    "food": AllergyCategory.FOOD,
    "medication": AllergyCategory.MEDICATION,
    "drug": AllergyCategory.MEDICATION,
    "environment": AllergyCategory.ENVIRONMENT,
    "environmental": AllergyCategory.ENVIRONMENT,
}


def complaints(rows: Iterable[Row]) -> tuple[Complaint, ...]:
    made = []
    for row in rows:
        text = words(row["chiefcomplaint"])
        if text is None:
            continue
        days, unit = measured(row["duration"]), words(row["unitofduration"])
        made.append(
            Complaint(
                text=text,
                snomed=snomed(row["sctcode"]),
                duration=f"{days:f} {unit}" if days is not None and unit is not None else None,
                note=words(row["description"]),
            )
        )
    return tuple(made)


def diagnoses(rows: Iterable[Row]) -> tuple[Diagnosis, ...]:
    """Each once, however many of AMRIT's four tables name it."""
    found = dict.fromkeys(
        pair for row in rows for pair in coded_terms(row["diagnosissctterm"], row["diagnosissctcode"])
    )
    return tuple(Diagnosis(text=text, snomed=code) for text, code in found)


def vitals(rows: Sequence[Row]) -> Vitals | None:
    """The newest set. Raises InvalidValue for a figure that cannot be, such as a temperature in °C."""
    if not rows:
        return None
    row = max(enumerate(rows), key=lambda each: (moment(each[1]["createddate"]) or _NEVER, each[0]))[1]
    systolic = measured(row["systolicbp_1streading"]) or measured(row["averagesystolicbp"])
    diastolic = measured(row["diastolicbp_1streading"]) or measured(row["averagediastolicbp"])
    figures: dict[str, Decimal | None] = {
        "temperature_f": measured(row["temperature"]),
        "pulse": measured(row["pulserate"]),
        "respiratory_rate": measured(row["respiratoryrate"]),
        "systolic": systolic,
        "diastolic": diastolic,
        "weight_kg": measured(row["weight_kg"]),
        "height_cm": measured(row["height_cm"]),
        "bmi": measured(row["bmi"]),
        "glucose_fasting": measured(row["bloodglucose_fasting"]),
        "glucose_random": measured(row["bloodglucose_random"]),
    }
    if not any(value is not None for value in figures.values()):
        return None
    status = words(row["bloodpressurestatus"]) if systolic is not None or diastolic is not None else None
    try:
        return Vitals(**figures, blood_pressure_status=status)
    except InvalidValue as fault:
        raise InvalidValue(f"vitals.{fault.field}", fault.expected) from None


_NEVER = datetime.fromisoformat("1900-01-01T00:00:00+05:30")


def allergies(rows: Iterable[Row]) -> tuple[Allergy, ...]:
    made = []
    for row in rows:
        kind = words(row["allergytype"])
        text = words(row["sctterm"]) or (f"{kind} allergy" if kind else None)
        if (words(row["allergystatus"]) or "").lower() != "yes" or text is None:
            continue
        made.append(
            Allergy(
                text=text,
                snomed=snomed(row["sctcode"]),
                category=_CATEGORIES.get((kind or "").lower()),
                reactions=tuple(Concept(text=each) for each in several(row["allergicreactiontype"])),
            )
        )
    return tuple(made)


def family(rows: Iterable[Row]) -> tuple[FamilyMember, ...]:
    """One for each relative: AMRIT names several in one text."""
    conditions: dict[str, list[FamilyCondition]] = defaultdict(list)
    for row in rows:
        term = words(row["sctterm"])
        for relative in several(row["familymember"]) if term else ():
            conditions[relative].append(FamilyCondition(text=term or "", snomed=snomed(row["sctcode"])))
    return tuple(FamilyMember(relationship=who, conditions=tuple(what)) for who, what in conditions.items())


def medications(rows: Iterable[Row]) -> tuple[Medication, ...]:
    """A line without a medicine's name is refused: a prescription must not lose a line in silence."""
    made = []
    for index, row in enumerate(rows):
        name = words(row["genericdrugname"]) or words(row["sctterm"])
        if name is None:
            raise InvalidValue(f"medications[{index}].text", "the name of a medicine")
        strength, form = words(row["drugstrength"]), words(row["drugform"])
        duration = " ".join(part for part in (words(row["duration"]), words(row["duartionunit"])) if part)
        made.append(
            Medication(
                text=" ".join(part for part in (name, strength, form) if part),
                snomed=snomed(row["sctcode"]),
                snomed_term=words(row["sctterm"]) if snomed(row["sctcode"]) else None,
                dose=words(row["dose"]),
                frequency=words(row["frequency"]),
                route=words(row["route"]),
                duration=duration or None,
                instruction=words(row["specialinstruction"]),
                quantity=measured(row["qtyprescribed"]),
            )
        )
    return tuple(made)


def history(rows: Iterable[Row]) -> tuple[MedicationTaken, ...]:
    made = []
    for row in rows:
        text, since = words(row["currentmedication"]), moment(row["year"])
        if text is not None:
            made.append(MedicationTaken(text=text, since=None if since is None else f"{since.year:04d}"))
    return tuple(made)


def follow_ups(rows: Iterable[Row], *, start: datetime) -> tuple[FollowUp, ...]:
    """Appointments that lie after the visit."""
    made = []
    for row in rows:
        at = moment(row["requestdate"])
        if at is not None and at > start:
            made.append(FollowUp(start=at, text=words(row["designationname"])))
    return tuple(made)


def immunizations(rows: Iterable[Row]) -> tuple[Immunization, ...]:
    """Without a date of receipt the vaccine was not given (amrit.md §4)."""
    made = []
    for row in rows:
        text = words(row["vaccinename"]) or words(row["sctterm"])
        if text is None:
            continue
        given = moment(row["receiveddate"])
        made.append(
            Immunization(
                text=text,
                snomed=snomed(row["sctcode"]),
                given=given is not None,
                occurred=None if given is None else given.date().isoformat(),
                place=words(row["receivedfacilityname"]),
                note=words(row["defaultreceivingage"]),
            )
        )
    return tuple(made)


def lab_reports(rows: Iterable[Row]) -> tuple[LabReport, ...]:
    """One report for each procedure, issued with its newest result. An order without a result is no report yet."""
    by_procedure: dict[tuple[object, str], list[Row]] = defaultdict(list)
    for row in rows:
        if words(row["testresultvalue"]) is not None:
            title = words(row["procedurename"]) or words(row["testcomponentname"]) or "Laboratory report"
            by_procedure[row["procedureid"], title].append(row)
    reports = []
    for (_, title), results in by_procedure.items():
        issued = [at for at in (moment(row["createddate"]) for row in results) if at is not None]
        remarks = list(dict.fromkeys(text for text in (words(row["remarks"]) for row in results) if text))
        reports.append(
            LabReport(
                text=title,
                results=tuple(_result(row, title) for row in results),
                conclusion="; ".join(remarks) or None,
                issued=max(issued) if issued else None,
            )
        )
    return tuple(reports)


def _result(row: Row, title: str) -> LabResult:
    shown, unit = words(row["testresultvalue"]) or "", words(row["testresultunit"])
    value = number(shown)
    low, high = number(row["range_min"]), number(row["range_max"])
    limits = None
    # 0 to 0 is how AMRIT fills a range it does not know.
    if value is not None and (low or high) and (low is None or high is None or low <= high):
        limits = ReferenceRange(low=low, high=high)
    return LabResult(
        text=words(row["testcomponentname"]) or title,
        loinc=loinc(row["loinc_num"]),
        loinc_term=words(row["loinc_component"]) if loinc(row["loinc_num"]) else None,
        value=value if value is not None else f"{shown} {unit}" if unit else shown,
        unit=unit if value is not None else None,
        reference_range=limits,
    )
