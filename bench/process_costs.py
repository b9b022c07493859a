"""What processes cost, as /proc has it: CPU seconds of whole families, and resident memory."""

import os
from dataclasses import dataclass
from pathlib import Path

from hip.entrypoints.demo.processes import descendants

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """CPU of a process and everything below it; of children that have ended too, once their parent waited for them."""
    ticks = 0
    for pid in (root, *descendants(root)):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS


def idle_seconds() -> float:
    """CPU that nobody wanted since the machine came up, over all processors."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / _TICKS


@dataclass(frozen=True)
class Memory:
    """MB: what is resident now and what was at most."""

    now: float
    peak: float


def memory(pid: int) -> Memory | None:
    """None once the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    figures = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Vm")}
    if "VmRSS" not in figures:
        return None
    return Memory(now=int(figures["VmRSS"]) / 1024, peak=int(figures["VmHWM"]) / 1024)
