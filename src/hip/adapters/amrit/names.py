"""What AMRIT's database calls things, and how its values are to be read."""

from dataclasses import dataclass
from datetime import timedelta, timezone
from enum import StrEnum

from hip.domain.identifiers import HipId

INDIA = timezone(timedelta(hours=5, minutes=30))
"""AMRIT writes the hospital's wall clock, without an offset."""


class Form(StrEnum):
    """What the clinical result sets are read from."""

    VIEWS = "views"
    ROUTINES = "routines"


@dataclass(frozen=True, slots=True, kw_only=True)
class AmritNames:
    """``views`` or ``routines`` is put before the name of each result set; ``schema`` may be empty (the connection's
    own). With routines, ``lab_table`` is where late laboratory results are looked for: AMRIT's own, by its columns
    VisitCode and CreatedDate.

    ``window``: rows that became due within it are claimed first. Older ones are never left out: a quarter of each claim
    is theirs, and all of it when nothing is recent. ``facility`` stands in for visits without an ABDM facility.
    """

    trigger_table: str = "ndhm_trg_visitdata"
    trigger_flag: str = "processed_flag"
    form: Form = Form.VIEWS
    views: str = "fhir_r_"
    routines: str = "fhir_r_"
    lab_table: str = "t_lab_testresult"
    schema: str | None = None
    window: timedelta | None = None
    facility: HipId | None = None

    def qualified(self, name: str) -> str:
        return f"{self.schema}.{name}" if self.schema else name
