"""Memory taken by validating one HealthDocument of 20 MB, against its size.

    .venv/bin/python bench/validation_memory.py [--megabytes 20]

The measured process reads the document, validates a small one (so that the rules are built), notes its memory, and
validates the large one; growth is the peak resident set after that minus the one noted. The document is a visit's PDF
in base64. Exit code 1 when the growth is over four times the document's size. Linux only: it reads /proc.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from hip.adapters.fhir.validation.validator import NrcesValidator

MOST_GROWTH = 4.0

XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">Record</div>'


def health_document(data: bytes) -> bytes:
    """A document with one attached PDF; base R4 only, so that it needs no corpus."""
    resources = {
        1: {
            "resourceType": "Composition",
            "status": "final",
            "type": {"text": "Record artifact"},
            "date": "2026-03-12",
            "title": "Health document",
            "author": [{"display": "Records office"}],
            "text": {"status": "generated", "div": XHTML},
            "section": [{"entry": [{"reference": url(2)}]}],
        },
        2: {
            "resourceType": "DocumentReference",
            "status": "current",
            "type": {"text": "Scanned record"},
            "content": [{"attachment": {"contentType": "application/pdf", "data": "DATA"}}],
        },
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "document",
        "meta": {"versionId": "1"},
        "identifier": {"system": "https://example.org/bundles", "value": "1"},
        "timestamp": "2026-03-12T10:00:00+05:30",
        "entry": [{"fullUrl": url(number), "resource": resource} for number, resource in resources.items()],
    }
    return json.dumps(bundle).encode().replace(b"DATA", base64.b64encode(data))


def url(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def memory(field: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def measured(path: Path) -> int:
    """Runs in a process of its own: prints size, growth and seconds as JSON."""
    validator = NrcesValidator()
    validator.validate(health_document(b"%PDF-1.7"))
    content = path.read_bytes()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    started = perf_counter()
    report = validator.validate(content)
    seconds = perf_counter() - started
    growth = memory("VmHWM") - before
    print(json.dumps({"valid": report.valid, "size": len(content), "growth": growth, "seconds": seconds}))
    return 0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--megabytes", type=int, default=20)
    arguments.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.measure is not None:
        return measured(given.measure)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document.json"
        path.write_bytes(health_document(os.urandom(given.megabytes * 1_000_000 * 3 // 4)))
        process = subprocess.run(
            [sys.executable, __file__, "--measure", path], check=True, capture_output=True, text=True
        )
    result = json.loads(process.stdout)
    ratio = result["growth"] / result["size"]
    print(
        f"{result['size'] / 1e6:.1f} MB, valid {result['valid']}, {result['seconds']:.2f} s, "
        f"memory grew by {result['growth'] / 1e6:.1f} MB: {ratio:.2f} x the size (limit {MOST_GROWTH})"
    )
    return int(ratio > MOST_GROWTH or not result["valid"])


if __name__ == "__main__":
    sys.exit(main())
