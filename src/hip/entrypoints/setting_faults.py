"""What is wrong with settings: names and what was expected, never a value, for a secret may be among them."""

from collections.abc import Sequence

from pydantic import ValidationError

from hip.domain.errors import DomainError


class SettingsInvalid(DomainError):
    """One or more settings are missing or bad; ``faults`` are (setting, what was expected)."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("settings: " + "; ".join(f"{name}: {expected}" for name, expected in faults))
        self.faults = tuple(faults)


def faults_of(invalid: ValidationError) -> list[tuple[str, str]]:
    """Each as (setting, what was expected)."""
    faults: list[tuple[str, str]] = []
    for error in invalid.errors(include_input=False, include_url=False):
        message = error["msg"].removeprefix("Value error, ")
        if not error["loc"]:
            faults += [(part.partition(": ")[0], part.partition(": ")[2]) for part in message.split("; ")]
            continue
        name, *rest = error["loc"]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
        faults.append((f"HIP_{str(name).upper()}{where}", message))
    return faults
