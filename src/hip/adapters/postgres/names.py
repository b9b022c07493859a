"""What the trigger table and its flag are called: the seed's names, or AMRIT's (amrit.md §1.1)."""

from dataclasses import dataclass
from typing import ClassVar, Self

from hip.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names in one database, chosen before its first migration."""

    trigger_table: str = "ndhm_trigger_visit_data"
    trigger_flag: str = "process_flag"

    _AMRIT: ClassVar[tuple[str, str]] = ("ndhm_trg_visitdata", "Processed_Flag")

    @classmethod
    def called(cls, name: str) -> Self:
        """``seed`` or ``amrit``, as the setting HIP_NAMES says. Raises InvalidValue."""
        match name:
            case "seed":
                return cls()
            case "amrit":
                table, flag = cls._AMRIT
                return cls(trigger_table=table, trigger_flag=flag)
            case _:
                raise InvalidValue("HIP_NAMES", "seed or amrit")
