"""AMRIT's clinical result sets (amrit.md §3): their columns in order, read by name or, failing that, by position.

As a view, its columns come in this order, followed by ``source_key``: the visit code, or for the demographics the
registration id of the patient. A routine is asked for one visit and needs no key. What follows is ignored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hip.adapters.amrit.layouts import TooFewColumns

Row = Mapping[str, Any]
KEY = "source_key"
NUMBERS = ("id", "prescribeddrugid", "prescriptionid", "tmrequestid")
"""What AMRIT numbers the rows of a result set by, where it does."""


class Argument(Enum):
    """What a routine is given: AMRIT calls them beneficiaryRegID_IN and visitCode_IN."""

    PATIENT = "beneficiaryRegID"
    VISIT = "visitCode"


_BOTH = (Argument.PATIENT, Argument.VISIT)


@dataclass(frozen=True, slots=True)
class ResultSet:
    """``columns`` as AMRIT spells them; a type stands behind the colon where it is not text.

    ``takes``: what AMRIT's procedure is given, in this order.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    takes: tuple[Argument, ...] = _BOTH

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.partition(":")[0].lower() for column in self.columns)

    def keyed(self, keys: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[tuple[Any, Row]]:
        """(source key, row by lower-case name) of each row; the last column is the key when none is named so.

        Raises TooFewColumns for fewer columns than the result set and its key have.
        """
        found = [_plain(key) for key in keys]
        places = self._places(found, at_least=len(self.columns) + 1)
        key_at = found.index(_plain(KEY)) if _plain(KEY) in found else len(found) - 1
        names = self.names
        return [(row[key_at], _row(names, row, places)) for row in rows]

    def unkeyed(self, keys: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Row]:
        """Rows by lower-case name. Raises TooFewColumns for fewer columns than the result set has."""
        places = self._places([_plain(key) for key in keys], at_least=len(self.columns))
        names = self.names
        return [_row(names, row, places) for row in rows]

    def _places(self, found: list[str], *, at_least: int) -> list[int]:
        wanted = [_plain(name) for name in self.names]
        if set(wanted) <= set(found):
            return [found.index(name) for name in wanted]
        if len(found) >= at_least:
            return list(range(len(wanted)))
        raise TooFewColumns(len(found))


def _row(names: Sequence[str], row: Sequence[Any], places: Sequence[int]) -> Row:
    return dict(zip(names, (row[at] for at in places), strict=True))


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_IDS = "BeneficiaryRegID:int VisitCode:int ProviderServiceMapID:int VanID:int"
_MADE = "CreatedDate:time CreatedBy"

DEMOGRAPHICS = ResultSet(
    "patientdemographic",
    "i_beneficiarydetails",
    _columns(
        "HealthID HealthIDNumber BenRegId:int BeneficiaryID:int Name GenderId:int Gender MaritalStatusId:int "
        "MaritalStatus DOB:time PreferredPhoneNum PermCountry PermState PermDistrict ProviderServiceMapID:int "
        f"{_MADE} healthCreatedDate:time"
    ),
    (Argument.PATIENT,),
)
COMPLAINTS = ResultSet(
    "chiefcomplaints",
    "t_benchiefcomplaint",
    _columns(f"ChiefComplaint SCTCode Duration:int UnitOfDuration Description {_MADE}"),
)
DIAGNOSES = ResultSet(
    "diagnosis",
    "t_prescription",
    _columns(
        "PrescriptionID:int BeneficiaryRegID:int VisitCode:int ProviderServiceMapID:int VanID:int DiagnosisSctTerm "
        f"DiagnosisSctCode {_MADE}"
    ),
)
VITALS = ResultSet(
    "vitals_anthropometry",
    "t_phy_vitals",
    _columns(
        "BeneficiaryRegID:int ProviderServiceMapID:int VisitCode:int Temperature:number PulseRate:int "
        "RespiratoryRate:int SystolicBP_1stReading:int DiastolicBP_1stReading:int AverageSystolicBP:int "
        "AverageDiastolicBP:int BloodPressureStatusID:int BloodPressureStatus BloodGlucose_Fasting:int "
        f"BloodGlucose_Random:int Weight_Kg:number Height_cm:number BMI:number {_MADE}"
    ),
)
ALLERGIES = ResultSet(
    "allergyintolerance",
    "t_benallergyhistory",
    _columns(f"ID:int {_IDS} AllergyStatus AllergyType sctcode sctTerm {_MADE} AllergicReactionType"),
)
MEDICATIONS = ResultSet(
    "medicationstatement",
    "t_prescribeddrug",
    _columns(
        f"PrescribedDrugID:int {_IDS} DrugForm GenericDrugName DrugStrength Dose Route Frequency Duration "
        f"DuartionUnit SpecialInstruction QtyPrescribed:int sctcode sctTerm {_MADE}"
    ),
)
LAB_RESULTS = ResultSet(
    "diagnosticreportlab",
    "t_lab_testresult",
    _columns(
        f"ID:int {_IDS} ProcedureID:int TestComponentID:int procedurename TestComponentName TestResultValue "
        f"Range_min:number Range_max:number Loinc_Num loinc_Component {_MADE} remarks TestResultUnit"
    ),
)
APPOINTMENTS = ResultSet(
    "appointment",
    "t_tmrequest",
    _columns(
        f"TMRequestID:int {_IDS} Status RequestDate:time UserID:int sName DesignationID:int DesignationName {_MADE}"
    ),
)
FAMILY = ResultSet(
    "familymemberhistory",
    "t_benfamilyhistory",
    _columns(f"id:int {_IDS} FamilyMember sctcode sctTerm {_MADE}"),
)
IMMUNIZATIONS = ResultSet(
    "immunization",
    "t_childvaccinedetail1",
    _columns(
        f"ID:int {_IDS} DefaultReceivingAge VaccineName ReceivedDate:time ReceivedFacilityName sctcode sctTerm {_MADE}"
    ),
)
PRACTITIONERS = ResultSet(
    "practitioner",
    "m_user",
    _columns(
        "BenVisitID:int UserID:int FullName DOB:time EmployeeID ContactNo EmailID QualificationName DesignationName "
        "GenderName GenderID:int ServiceProviderID:int VisitCode:int CreatedBy CreatedDate:time"
    ),
    (Argument.VISIT,),
)
ORGANIZATIONS = ResultSet(
    "organizationdetails",
    "m_providerserviceaddmapping",
    _columns(
        "BenVisitID:int ServiceProviderID:int ServiceProviderName StateID:int StateName DistrictID:int DistrictName "
        "LocationName Address ServiceID:int ServiceName IsNational:int AbdmFacilityId AbdmFacilityName PSAddMapID:int "
        "ProviderServiceMapID:int"
    ),
    (Argument.VISIT,),
)
HISTORY = ResultSet(
    "medicalhistorydetails",
    "t_benmedicationhistory",
    _columns("ID:int ProviderServiceMapID:int CurrentMedication Year:time CreatedBy CreatedDate:time"),
    (Argument.VISIT,),
)

OF_VISIT = (
    COMPLAINTS,
    DIAGNOSES,
    VITALS,
    ALLERGIES,
    MEDICATIONS,
    LAB_RESULTS,
    APPOINTMENTS,
    FAMILY,
    IMMUNIZATIONS,
    PRACTITIONERS,
    ORGANIZATIONS,
    HISTORY,
)

ALL = (DEMOGRAPHICS, *OF_VISIT)
