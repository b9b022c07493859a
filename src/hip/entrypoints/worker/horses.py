"""RQ's worker, but one that lets a batch be given back: on SIGTERM it tells the work-horse as well."""

import os
import signal
from contextlib import suppress
from types import FrameType

from rq import Worker

_told = False


def stopping() -> bool:
    """True in a work-horse whose worker was told to stop: what it has not begun is to be given back."""
    return _told


def _tell(_signal: int, _frame: FrameType | None) -> None:
    global _told  # noqa: PLW0603 - a signal handler has nowhere else to leave its word
    _told = True


class HipWorker(Worker):
    """Forks for each batch. SIGTERM and SIGINT end it with the batch in hand, as far as that was begun."""

    def handle_warm_shutdown_request(self) -> None:
        """Pass the word on: RQ alone would wait until the whole batch is done, for up to ten minutes."""
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]
        if self.horse_pid:
            with suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def setup_work_horse_signals(self) -> None:
        """RQ's own, which lets SIGTERM kill the horse, and then ours."""
        super().setup_work_horse_signals()  # type: ignore[no-untyped-call]
        signal.signal(signal.SIGTERM, _tell)
