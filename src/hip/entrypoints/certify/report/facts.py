"""What a report says of the run itself: versions, configuration and its digest."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files

import msgspec

from hip.entrypoints.configuration import described
from hip.entrypoints.settings import Settings

LIBRARIES = ("cryptography", "fhir.resources", "httpx", "litestar", "sqlalchemy")


class Facts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``run`` is what was asked for; of the settings secrets are left out."""

    run: Mapping[str, str]
    versions: Mapping[str, str]
    configuration: Mapping[str, str]
    configuration_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How the command was called, and when, in UTC."""

    mode: str
    seed: int
    started: datetime
    finished: datetime


def facts(asked: Asked, settings: Settings | None) -> Facts:
    """``settings`` are those of the service that was tested, where it is ours; addresses of a run are left out."""
    shown = {} if settings is None else dict(described(settings))
    kept = {name: value for name, value in shown.items() if value and not _of_this_run(name)}
    lines = "".join(f"{name}={value}\n" for name, value in sorted(kept.items()))
    return Facts(
        run={
            "mode": asked.mode,
            "seed": str(asked.seed),
            "started": f"{asked.started:%Y-%m-%dT%H:%M:%SZ}",
            "finished": f"{asked.finished:%Y-%m-%dT%H:%M:%SZ}",
        },
        versions=_versions(),
        configuration=kept,
        configuration_digest=hashlib.sha256(lines.encode()).hexdigest(),
    )


def _versions() -> dict[str, str]:
    content = (files("hip.entrypoints.certify") / "cases.toml").read_bytes()
    return {
        "hip": version("abdm-hip"),
        "cases": hashlib.sha256(content).hexdigest(),
        "contract": "ABDM v3",
        "Python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _of_this_run(name: str) -> bool:
    """Ports, folders and addresses are others in every run, and say nothing of how the service decides."""
    return name.endswith(("_URL", "_FILE", "_BIND")) and name != "HIP_PUBLIC_URL"
