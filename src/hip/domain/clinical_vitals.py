"""Vital signs, body measurements and the self-care figures of a wellness record, each in one fixed unit."""

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from hip.domain.clinical import Measurement
from hip.domain.errors import InvalidValue
from hip.domain.recorded import Concept, Recorded, camel_case, within

# Far wider than life allows: these bounds catch a wrong unit or a slipped decimal point, not a sick patient.
BOUNDS: dict[str, tuple[str, str]] = {
    "temperature_f": ("50", "130"),
    "pulse": ("0", "500"),
    "respiratory_rate": ("0", "200"),
    "systolic": ("0", "400"),
    "diastolic": ("0", "300"),
    "spo2": ("0", "100"),
    "weight_kg": ("0.1", "700"),
    "height_cm": ("10", "300"),
    "bmi": ("1", "300"),
    "glucose_fasting": ("0", "3000"),
    "glucose_random": ("0", "3000"),
    "glucose_postprandial": ("0", "3000"),
    "neck_cm": ("5", "200"),
    "waist_cm": ("10", "500"),
    "mid_upper_arm_cm": ("3", "150"),
    "steps": ("0", "1000000"),
    "sleep_hours": ("0", "24"),
    "calories_burned": ("0", "100000"),
    "body_fat_kg": ("0", "600"),
    "fluid_intake_ml": ("0", "100000"),
    "calorie_intake": ("0", "100000"),
    "resting_metabolic_rate": ("0", "100000"),
    "vo2_max": ("0", "200"),
    "age_at_menarche": ("5", "60"),
    "age_at_menopause": ("15", "100"),
    "periods_per_year": ("0", "60"),
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Figures(Recorded):
    """A set of named figures: each present number lies within its bounds, and at least one thing is present."""

    def __post_init__(self) -> None:
        Recorded.__post_init__(self)
        for each in fields(self):
            held = getattr(self, each.name)
            if isinstance(held, Decimal):
                low, high = BOUNDS[each.name]
                within(held, low, high, field=camel_case(each.name))
        if not any(getattr(self, each.name) not in (None, ()) for each in fields(self)):
            raise InvalidValue("", "at least one measurement")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Vitals(Figures):
    """One set of vital signs. Temperature in °F, rates per minute, pressures in mm Hg, SpO2 in %, weight in kg,
    height in cm, BMI in kg/m², glucose in mg/dL. ``blood_pressure_status`` is the nurse's word for it."""

    temperature_f: Decimal | None = None
    pulse: Decimal | None = None
    respiratory_rate: Decimal | None = None
    systolic: Decimal | None = None
    diastolic: Decimal | None = None
    blood_pressure_status: str | None = None
    spo2: Decimal | None = None
    weight_kg: Decimal | None = None
    height_cm: Decimal | None = None
    bmi: Decimal | None = None
    glucose_fasting: Decimal | None = None
    glucose_random: Decimal | None = None
    glucose_postprandial: Decimal | None = None

    def __post_init__(self) -> None:
        Figures.__post_init__(self)
        if self.systolic is None and self.diastolic is None and self.blood_pressure_status is not None:
            raise InvalidValue("bloodPressureStatus", "no status without systolic or diastolic")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Wellness(Figures):
    """What a wellness record holds beyond vital signs: body measurements in cm, activity (steps, hours, kcal),
    general assessment (kg, mL and kcal a day, mL/kg/min), women's health, and lifestyle in words."""

    neck_cm: Decimal | None = None
    waist_cm: Decimal | None = None
    mid_upper_arm_cm: Decimal | None = None
    steps: Decimal | None = None
    sleep_hours: Decimal | None = None
    calories_burned: Decimal | None = None
    activity_level: str | None = None
    body_fat_kg: Decimal | None = None
    fluid_intake_ml: Decimal | None = None
    calorie_intake: Decimal | None = None
    resting_metabolic_rate: Decimal | None = None
    vo2_max: Decimal | None = None
    mental_status: Concept | None = None
    wellbeing: Concept | None = None
    age_at_menarche: Decimal | None = None
    age_at_menopause: Decimal | None = None
    periods_per_year: Decimal | None = None
    last_period: date | None = None
    ovulation_date: date | None = None
    alcohol: Concept | None = None
    smoking: Concept | None = None
    tobacco_chewing: Concept | None = None
    diet: Concept | None = None
    other: tuple[Measurement, ...] = ()
