"""Synthetic visits for the small AMRIT-shaped database: any number, the same for the same seed, all of them invented.

One visit in ``odd`` has what real databases have: nothing where something should be, several ABHA mappings, lists in
one text, control characters, a temperature in °C, a range upside down, an order whose result is late.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hip.adapters.amrit import result_sets as sets
from hip.adapters.amrit import sample_people as people
from hip.adapters.amrit.result_sets import KEY, NUMBERS, ResultSet
from hip.domain.identifiers import HipId

Rows = dict[str, list[dict[str, Any]]]
"""Rows by table."""

_FIRST = datetime.fromisoformat("2026-03-02T09:00:00")
_ODDITIES = (
    "no name",
    "no birth date",
    "no staff",
    "several mappings",
    "no ABHA",
    "control characters",
    "celsius",
    "range upside down",
    "late result",
    "no gender",
    "no drug name",
    "empty texts",
)


def visits(
    count: int, *, seed: int, facility: HipId, trigger: str, first: int = 1, odd: int = 10
) -> Iterator[tuple[str, Rows]]:
    """The oddity of each visit ("" for none) and its rows; the trigger's row stands under ``trigger``."""
    for number in range(first, first + count):
        chance = Random(f"{seed}/{number}")  # noqa: S311 - the same visits for the same seed
        oddity = chance.choice(_ODDITIES) if odd and chance.randrange(odd) == 0 else ""
        yield oddity, _Visit(chance, number, facility, oddity).rows(trigger)


class _Visit:
    def __init__(self, chance: Random, number: int, facility: HipId, oddity: str) -> None:
        self._chance = chance
        self._number = number
        self._code = 30_000_000_000 + number
        self._patient = 500_000 + number
        self._facility = facility
        self._oddity = oddity
        self._at = _FIRST + timedelta(minutes=7 * number)
        self._rows: Rows = defaultdict(list)

    def rows(self, trigger: str) -> Rows:
        chance = self._chance
        category = chance.choice(people.CATEGORIES)
        self._rows[trigger].append(
            {
                "benflowid": self._number,
                "beneficiaryregid": self._patient,
                "beneficiary_id": 200_000_000_000 + self._number,
                "visit_reason": "New Chief Complaint",
                "visit_category": category,
                "visitid": self._number,
                "visitcode": self._code,
                "visitdate": self._at,
                "created_date": self._at + timedelta(minutes=25),
            }
        )
        self._who()
        for text, code in chance.sample(people.COMPLAINTS, chance.randint(1, 2)):
            shown = f"{text}\x0b\x1f" if self._oddity == "control characters" else text
            self._add(
                sets.COMPLAINTS,
                chiefcomplaint=shown,
                sctcode=code,
                duration=chance.randint(1, 9),
                unitofduration="Days",
            )
        for term, code in chance.sample(people.DIAGNOSES, chance.randint(0, 2)):
            self._add(sets.DIAGNOSES, diagnosissctterm=term, diagnosissctcode=code)
        self._vitals()
        self._medicines()
        self._laboratory()
        self._background()
        return self._rows

    def _who(self) -> None:
        chance, odd = self._chance, self._oddity
        gender = chance.choices(list(people.FIRST_NAMES), (49, 49, 2))[0]
        name = f"{chance.choice(people.FIRST_NAMES[gender])} {chance.choice(people.LAST_NAMES)}"
        state, district = chance.choice(people.PLACES)
        address = f"{name.split(maxsplit=1)[0].lower()}.{self._number}@sbx"
        linked: list[tuple[str | None, str | None]] = [
            (address, f"91-{1000 + self._number % 9000}-0000-{self._number % 10_000:04d}")
        ]
        if odd == "several mappings":
            linked = [("old-spelling", "12"), *linked, (None, None)]
        if odd == "no ABHA":
            linked = [(None, None)]
        for health_id, number in linked:
            self._add(
                sets.DEMOGRAPHICS,
                key=self._patient,
                healthid=health_id,
                healthidnumber=number,
                benregid=self._patient,
                beneficiaryid=200_000_000_000 + self._number,
                name=None if odd == "no name" else name,
                gender=None if odd == "no gender" else gender,
                dob=None
                if odd == "no birth date"
                else self._at.replace(hour=0, minute=0) - timedelta(days=chance.randint(400, 30_000)),
                preferredphonenum=f"9{self._number % 1_000_000_000:09d}",
                permstate=state,
                permdistrict=district,
            )
        self._add(
            sets.ORGANIZATIONS,
            serviceproviderid=1,
            serviceprovidername="District Health Society",
            abdmfacilityid=self._facility,
        )
        if odd == "no staff":
            return
        user, full, employee, degree, post = chance.choice(people.STAFF)
        self._add(
            sets.PRACTITIONERS,
            userid=user,
            fullname=full,
            employeeid=employee,
            qualificationname=degree,
            designationname=post,
        )

    def _vitals(self) -> None:
        chance = self._chance
        height, weight = chance.randint(145, 185), chance.randint(40, 95)
        systolic = chance.randint(95, 170)
        self._add(
            sets.VITALS,
            temperature=37.2 if self._oddity == "celsius" else round(chance.uniform(97, 103), 1),
            pulserate=chance.randint(60, 120),
            respiratoryrate=chance.choice((0, 14, 16, 18, 22)),
            systolicbp_1streading=systolic,
            diastolicbp_1streading=chance.randint(60, 105),
            bloodpressurestatus="Hypertensive" if systolic >= 140 else "Normotensive",
            bloodglucose_random=chance.choice((None, 0, chance.randint(80, 320))),
            weight_kg=weight,
            height_cm=height,
            bmi=round(weight / (height / 100) ** 2, 2),
        )

    def _medicines(self) -> None:
        chance = self._chance
        for name, strength, form, dose, often, route, code, term in chance.sample(people.DRUGS, chance.randint(0, 3)):
            unnamed = self._oddity == "no drug name"
            self._add(
                sets.MEDICATIONS,
                drugform=form,
                genericdrugname=None if unnamed else name,
                drugstrength=strength,
                dose=dose,
                route=route,
                frequency=often,
                duration=str(chance.randint(3, 30)),
                duartionunit="Days",
                specialinstruction=chance.choice(("After food", "", None)),
                qtyprescribed=chance.choice((0, 10, 20)),
                sctcode=None if unnamed else code,
                sctterm=None if unnamed else term,
            )

    def _laboratory(self) -> None:
        chance = self._chance
        for (procedure, title), components in chance.sample(people.TESTS, chance.randint(0, 2)):
            for component, name, code, term, unit, low, high, least, most in components:
                value = (
                    chance.choice(("Negative", "Positive"))
                    if least is None
                    else f"{chance.uniform(least, most or 1):.1f}"
                )
                late, upside_down = self._oddity == "late result", self._oddity == "range upside down"
                self._add(
                    sets.LAB_RESULTS,
                    procedureid=procedure,
                    testcomponentid=component,
                    procedurename=title,
                    testcomponentname=name,
                    testresultvalue=None if late else value,
                    range_min=high if upside_down else low,
                    range_max=low if upside_down else high,
                    loinc_num=code,
                    loinc_component=term,
                    remarks=chance.choice((None, "Sample repeated")),
                    testresultunit=unit,
                )

    def _background(self) -> None:
        chance = self._chance
        if chance.random() < 0.2:
            kind, code, term, reactions = chance.choice(people.ALLERGIES)
            self._add(
                sets.ALLERGIES,
                allergystatus="Yes",
                allergytype=kind,
                sctcode=code,
                sctterm=term,
                allergicreactiontype=reactions,
            )
        if chance.random() < 0.2:
            relatives, code, term = chance.choice(people.FAMILY)
            self._add(sets.FAMILY, familymember=relatives, sctcode=code, sctterm=term)
        if chance.random() < 0.15:
            name, age, code = chance.choice(people.VACCINES)
            given = self._at - timedelta(days=chance.randint(0, 300)) if chance.random() < 0.8 else None
            self._add(sets.IMMUNIZATIONS, vaccinename=name, defaultreceivingage=age, sctcode=code, receiveddate=given)
        if chance.random() < 0.2:
            self._add(sets.HISTORY, currentmedication="Thyroxine 50 mcg", year=self._at.replace(year=2020, day=1))
        if chance.random() < 0.1:
            self._add(
                sets.APPOINTMENTS, status="N", requestdate=self._at + timedelta(days=7), designationname="Specialist"
            )

    def _add(self, result_set: ResultSet, *, key: int | None = None, **values: Any) -> None:
        """Every table has every column in every row, so that rows go in together."""
        stated: dict[str, Any] = {
            "createddate": self._at + timedelta(minutes=10),
            "createdby": "nurse1",
            "visitcode": self._code,
        }
        stated |= dict.fromkeys(NUMBERS, self._number * 100 + len(self._rows[result_set.table])) | values
        row = {name: stated.get(name) for name in result_set.names}
        if self._oddity == "empty texts":
            row |= {name: "" for name in ("sctcode", "remarks", "description", "createdby") if name in row}
        self._rows[result_set.table].append({KEY: self._code if key is None else key, **row})
