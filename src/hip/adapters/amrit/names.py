"""What AMRIT's database calls things, and how its values are to be read."""

from dataclasses import dataclass
from datetime import timedelta, timezone

from hip.domain.identifiers import HipId

INDIA = timezone(timedelta(hours=5, minutes=30))
"""AMRIT writes the hospital's wall clock, without an offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmritNames:
    """``views`` is put before the name of each result set; ``schema`` may be empty (the connection's own).

    ``window``: rows that became due within it are claimed first. Older ones are never left out: a quarter of each claim
    is theirs, and all of it when nothing is recent. ``facility`` stands in for visits without an ABDM facility.
    """

    trigger_table: str = "ndhm_trg_visitdata"
    trigger_flag: str = "processed_flag"
    views: str = "fhir_r_"
    schema: str | None = None
    window: timedelta | None = None
    facility: HipId | None = None
