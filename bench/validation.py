"""One OPConsultation, composed, validated and encoded, against two yardsticks in the same run.

    .venv/bin/python bench/validation.py [--rounds 60] [--visit examples/visits/….json] [--rival-python PYTHON]

The first yardstick is ``fhir.resources`` R4B ``model_validate`` of the same bundle, which knows base types and no
profile; the second is ``pyrofile-validator``, which runs in an environment of its own: with ``--rival-python`` a Python
that has it, else a virtual environment made for it in the system's temporary folder (``--without-rival`` does without).
It is given the guide's profiles when ../shared/nrces holds them, and only base types otherwise, which favours it.

Times are medians, rounds of all candidates interleaved so that a busy machine slows all alike. Exit code 1 when a ratio
is over its limit.
"""

import argparse
import gc
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

from fhir.resources.R4B.bundle import Bundle

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.visit_records.reading import VisitRecordReader
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType

ROOT = Path(__file__).resolve().parents[1]
VISIT = ROOT / "examples" / "visits" / "04a-fatima-sheikh-87502.json"
GUIDE = ROOT.parent / "shared" / "nrces" / "ndhm.in-6.5.0-stripped.json.gz"

MODELS, WHOLE, VALIDATE, RIVAL = "fhir.resources", "compose + validate + encode", "validate", "pyrofile-validator"
MOST_OF_MODELS = 3.0
STRETCH = 1.5
LEAST_SPEED_UP = 20
ENTRIES = range(12, 20)

# The rival takes hundreds of milliseconds a bundle: one of its rounds to this many of the others.
SLOW_EVERY = 10

RIVAL_LOOP = """
import json, os, sys
from time import perf_counter_ns
from pyrofile_validator.config import ValidatorConfig
from pyrofile_validator.core.engine import Validator
bundle = json.load(open(sys.argv[1]))
validator = Validator(ValidatorConfig(local_package_paths=sys.argv[2:], error_on_unknown_profile=False))
answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # it prints traces of its own
for _ in sys.stdin:
    started = perf_counter_ns()
    validator.validate_resource(bundle)
    print(perf_counter_ns() - started, file=answers, flush=True)
"""


class Rival:
    """pyrofile-validator in a process of its own, which measures itself; a round is a line in and a line out."""

    def __init__(self, python: Path, content: bytes, folder: Path) -> None:
        bundle = folder / "bundle.json"
        bundle.write_bytes(content)
        loop = folder / "rival.py"
        loop.write_text(RIVAL_LOOP)
        self._process = subprocess.Popen(
            [python, loop, bundle, *profiles_in(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def round(self) -> int:
        """Nanoseconds of one validation."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def profiles_in(folder: Path) -> list[Path]:
    """The guide as the folder of definitions the rival reads."""
    if not GUIDE.exists():
        print(f"{GUIDE} is absent: the rival checks base types only")
        return []
    package = folder / "package"
    package.mkdir()
    for entry in json.loads(gzip.decompress(GUIDE.read_bytes()))["entry"]:
        resource = entry["resource"]
        (package / f"StructureDefinition-{resource['id']}.json").write_text(json.dumps(resource))
    return [package]


def rival_python(given: Path | None) -> Path:
    """A Python with pyrofile-validator; made once, kept in the temporary folder."""
    if given is not None:
        return given
    home = Path(tempfile.gettempdir()) / "hip-bench-pyrofile"
    python = home / "bin" / "python"
    if not python.exists():
        print(f"making an environment for pyrofile-validator in {home}")
        venv.create(home, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "pyrofile-validator"], check=True)
    return python


def timed(work: Callable[[], object]) -> int:
    started = perf_counter_ns()
    work()
    return perf_counter_ns() - started


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--rounds", type=int, default=60)
    arguments.add_argument("--visit", type=Path, default=VISIT)
    arguments.add_argument("--rival-python", type=Path)
    arguments.add_argument("--without-rival", action="store_true")
    given = arguments.parse_args()

    record = VisitRecordReader().read(given.visit.read_bytes())
    facility = Facility(hip_id=record.hip_id, name="District Hospital")
    composer, validator = FhirComposer(), NrcesValidator()
    content = composer.compose(record, HiType.OP_CONSULTATION, facility=facility)
    tree = json.loads(content)
    report = validator.validate(content)
    entries = len(tree["entry"])
    print(f"OPConsultation of {entries} entries, {len(content)} bytes, {given.rounds} rounds")
    if not report.valid or entries not in ENTRIES:
        print(f"the bundle must be valid and have {ENTRIES.start} to {ENTRIES.stop - 1} entries")
        return 1

    candidates: dict[str, Callable[[], object]] = {
        MODELS: lambda: Bundle.model_validate(tree),
        WHOLE: lambda: validator.validate(composer.compose(record, HiType.OP_CONSULTATION, facility=facility)),
        VALIDATE: lambda: validator.validate(content),
    }
    times: dict[str, list[int]] = {name: [] for name in (*candidates, RIVAL)}
    with tempfile.TemporaryDirectory() as folder:
        rival = None if given.without_rival else Rival(rival_python(given.rival_python), content, Path(folder))
        for work in candidates.values():
            work()
        if rival is not None:
            rival.round()
        gc.disable()
        for number in range(given.rounds):
            for name, work in candidates.items():
                times[name].append(timed(work))
            if rival is not None and number % SLOW_EVERY == 0:
                times[RIVAL].append(rival.round())
            gc.collect()
        if rival is not None:
            rival.close()
    return reported({name: statistics.median(measured) for name, measured in times.items() if measured})


def reported(medians: dict[str, float]) -> int:
    for name, median in medians.items():
        print(f"{name:30} {median / 1e6:9.3f} ms")
    ratio = medians[WHOLE] / medians[MODELS]
    print(f"{WHOLE}: {ratio:.2f} x {MODELS} (limit {MOST_OF_MODELS}, stretch {STRETCH})")
    print(f"{VALIDATE}: {medians[VALIDATE] / medians[MODELS]:.2f} x {MODELS}")
    failed = ratio > MOST_OF_MODELS
    if RIVAL in medians:
        speed_up = medians[RIVAL] / medians[VALIDATE]
        print(f"{VALIDATE}: {speed_up:.0f} times faster than {RIVAL} (limit {LEAST_SPEED_UP})")
        failed = failed or speed_up < LEAST_SPEED_UP
    else:
        print(f"{RIVAL}: not compared")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
