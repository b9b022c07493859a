"""Figures → observations: field of the visit record, code, unit and where it is shown. One row a figure.

Codes are LOINC's unless a row says otherwise; units are UCUM's. ``profile`` and ``title`` are the observation profile
and section of a wellness record (profiles.md §2).
"""

from typing import NamedTuple

from hip.adapters.fhir.composition.codes import LOINC, OBSERVATION_CATEGORY, SNOMED, Code

VITAL_SIGNS = Code(OBSERVATION_CATEGORY, "vital-signs", "Vital Signs")
LABORATORY = Code(OBSERVATION_CATEGORY, "laboratory", "Laboratory")
EXAM = Code(OBSERVATION_CATEGORY, "exam", "Exam")
ACTIVITY = Code(OBSERVATION_CATEGORY, "activity", "Activity")
SOCIAL_HISTORY = Code(OBSERVATION_CATEGORY, "social-history", "Social History")
SURVEY = Code(OBSERVATION_CATEGORY, "survey", "Survey")


class Group(NamedTuple):
    """A section of the wellness record and the profile of its observations."""

    title: str
    profile: str


SIGNS = Group("Vital Signs", "ObservationVitalSigns")
BODY = Group("Body Measurement", "ObservationBodyMeasurement")
MOVEMENT = Group("Physical Activity", "ObservationPhysicalActivity")
ASSESSMENT = Group("General Assessment", "ObservationGeneralAssessment")
WOMEN = Group("Women Health", "ObservationWomenHealth")
LIFESTYLE = Group("Lifestyle", "ObservationLifestyle")
GROUPS = (SIGNS, BODY, MOVEMENT, ASSESSMENT, WOMEN, LIFESTYLE)


class Measure(NamedTuple):
    """One row. ``unit`` is what people read, ``ucum`` its code; both empty for words and dates."""

    field: str
    code: Code
    unit: str
    ucum: str
    category: Code
    group: Group


def _loinc(code: str, display: str) -> Code:
    return Code(LOINC, code, display)


def _snomed(code: str, display: str) -> Code:
    return Code(SNOMED, code, display)


VITALS: tuple[Measure, ...] = (
    Measure("temperature_f", _loinc("8310-5", "Body temperature"), "°F", "[degF]", VITAL_SIGNS, SIGNS),
    Measure("pulse", _loinc("8867-4", "Heart rate"), "beats/min", "/min", VITAL_SIGNS, SIGNS),
    Measure("respiratory_rate", _loinc("9279-1", "Respiratory rate"), "breaths/min", "/min", VITAL_SIGNS, SIGNS),
    Measure("spo2", _loinc("2708-6", "Oxygen saturation in Arterial blood"), "%", "%", VITAL_SIGNS, SIGNS),
    Measure("weight_kg", _loinc("29463-7", "Body weight"), "kg", "kg", VITAL_SIGNS, BODY),
    Measure("height_cm", _loinc("8302-2", "Body height"), "cm", "cm", VITAL_SIGNS, BODY),
    Measure("bmi", _loinc("39156-5", "Body mass index (BMI) [Ratio]"), "kg/m2", "kg/m2", VITAL_SIGNS, BODY),
    Measure(
        "glucose_fasting",
        _loinc("1558-6", "Fasting glucose [Mass/volume] in Serum or Plasma"),
        "mg/dL",
        "mg/dL",
        LABORATORY,
        ASSESSMENT,
    ),
    Measure(
        "glucose_random", _loinc("2339-0", "Glucose [Mass/volume] in Blood"), "mg/dL", "mg/dL", LABORATORY, ASSESSMENT
    ),
    Measure(
        "glucose_postprandial",
        _loinc("1521-4", "Glucose [Mass/volume] in Serum or Plasma --2 hours post meal"),
        "mg/dL",
        "mg/dL",
        LABORATORY,
        ASSESSMENT,
    ),
)

# Blood pressure is one observation with two components, never two readings apart (amrit.md §4).
BLOOD_PRESSURE = Measure(
    "blood_pressure",
    _loinc("85354-9", "Blood pressure panel with all children optional"),
    "mmHg",
    "mm[Hg]",
    VITAL_SIGNS,
    SIGNS,
)
PRESSURES: tuple[tuple[str, Code], ...] = (
    ("systolic", _loinc("8480-6", "Systolic blood pressure")),
    ("diastolic", _loinc("8462-4", "Diastolic blood pressure")),
)

WELLNESS: tuple[Measure, ...] = (
    Measure("neck_cm", _loinc("56074-8", "Circumference Neck"), "cm", "cm", EXAM, BODY),
    Measure("waist_cm", _loinc("8280-0", "Waist Circumference at umbilicus by Tape measure"), "cm", "cm", EXAM, BODY),
    Measure("mid_upper_arm_cm", _loinc("56072-2", "Circumference Mid upper arm - right"), "cm", "cm", EXAM, BODY),
    Measure(
        "steps",
        _loinc("55423-8", "Number of steps in unspecified time Pedometer"),
        "steps",
        "{steps}",
        ACTIVITY,
        MOVEMENT,
    ),
    Measure("sleep_hours", _loinc("93832-4", "Sleep duration"), "h", "h", ACTIVITY, MOVEMENT),
    Measure("calories_burned", _loinc("41981-2", "Calories burned"), "kcal", "kcal", ACTIVITY, MOVEMENT),
    Measure("activity_level", _loinc("80493-0", "Activity level [Acceleration]"), "", "", ACTIVITY, MOVEMENT),
    Measure("body_fat_kg", _loinc("73708-0", "Body fat [Mass] Calculated"), "kg", "kg", EXAM, ASSESSMENT),
    Measure("fluid_intake_ml", _loinc("8999-5", "Fluid intake oral Estimated"), "mL", "mL", SURVEY, ASSESSMENT),
    Measure("calorie_intake", _loinc("9052-2", "Calorie intake total"), "kcal", "kcal", SURVEY, ASSESSMENT),
    Measure(
        "resting_metabolic_rate", _loinc("69429-9", "Metabolic rate --resting"), "kcal/d", "kcal/d", EXAM, ASSESSMENT
    ),
    Measure(
        "vo2_max",
        _loinc("94122-9", "Oxygen consumption (VO2)/Body weight [Volume Rate Content] --peak during exercise"),
        "mL/kg/min",
        "mL/kg/min",
        EXAM,
        ASSESSMENT,
    ),
    Measure("mental_status", _loinc("8693-4", "Mental status"), "", "", SURVEY, ASSESSMENT),
    Measure("wellbeing", _snomed("365275006", "General well-being finding"), "", "", SURVEY, ASSESSMENT),
    Measure("age_at_menarche", _loinc("42798-9", "Age at menarche"), "years", "a", SURVEY, WOMEN),
    Measure("age_at_menopause", _loinc("42802-9", "Age at menopause"), "years", "a", SURVEY, WOMEN),
    Measure("periods_per_year", _loinc("92656-8", "Number of menstrual periods per year"), "/a", "/a", SURVEY, WOMEN),
    Measure("last_period", _loinc("8665-2", "Last menstrual period start date"), "", "", SURVEY, WOMEN),
    Measure("ovulation_date", _loinc("11976-8", "Ovulation date"), "", "", SURVEY, WOMEN),
    Measure(
        "alcohol",
        _snomed("228273003", "Finding relating to alcohol drinking behavior"),
        "",
        "",
        SOCIAL_HISTORY,
        LIFESTYLE,
    ),
    Measure("smoking", _snomed("365981007", "Finding of tobacco smoking behavior"), "", "", SOCIAL_HISTORY, LIFESTYLE),
    Measure(
        "tobacco_chewing",
        _snomed("228509002", "Finding relating to tobacco chewing"),
        "",
        "",
        SOCIAL_HISTORY,
        LIFESTYLE,
    ),
    Measure("diet", _snomed("41829006", "Dietary finding"), "", "", SOCIAL_HISTORY, LIFESTYLE),
)

# Units as laboratories in India print them, in lower case without spaces → UCUM.
UCUM_OF: dict[str, str] = {
    "g/dl": "g/dL",
    "gm/dl": "g/dL",
    "gm%": "g/dL",
    "g%": "g/dL",
    "g/l": "g/L",
    "mg/dl": "mg/dL",
    "mg%": "mg/dL",
    "mg/l": "mg/L",
    "ug/dl": "ug/dL",
    "µg/dl": "ug/dL",
    "mcg/dl": "ug/dL",
    "ng/ml": "ng/mL",
    "ng/dl": "ng/dL",
    "pg/ml": "pg/mL",
    "pg": "pg",
    "fl": "fL",
    "%": "%",
    "mmol/l": "mmol/L",
    "umol/l": "umol/L",
    "µmol/l": "umol/L",
    "meq/l": "meq/L",
    "u/l": "U/L",
    "iu/l": "[IU]/L",
    "iu/ml": "[IU]/mL",
    "miu/l": "m[IU]/L",
    "miu/ml": "m[IU]/mL",
    "uiu/ml": "u[IU]/mL",
    "µiu/ml": "u[IU]/mL",
    "cells/cumm": "/mm3",
    "/cumm": "/mm3",
    "/cmm": "/mm3",
    "million/cumm": "10*6/mm3",
    "mill/cumm": "10*6/mm3",
    "lakhs/cumm": "10*5/mm3",
    "10^3/ul": "10*3/uL",
    "10^6/ul": "10*6/uL",
    "/hpf": "/[HPF]",
    "mm/hr": "mm/h",
    "mm/1sthr": "mm/h",
    "ml/min": "mL/min",
    "ml/min/1.73m2": "mL/min/{1.73_m2}",
    "sec": "s",
    "seconds": "s",
    "ratio": "{ratio}",
    "mmhg": "mm[Hg]",
    "beats/min": "/min",
    "bpm": "/min",
    "/min": "/min",
    "°f": "[degF]",
    "°c": "Cel",
    "cm": "cm",
    "mm": "mm",
    "kg": "kg",
    "g": "g",
    "ml": "mL",
}
