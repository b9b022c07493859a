"""Where log lines go."""

import io
from contextlib import redirect_stderr

import structlog

from hip.entrypoints.logs import configure, log


def test_a_line_goes_to_standard_error_as_it_is_now_and_not_as_it_was_when_logging_was_set_up():
    before, now = io.StringIO(), io.StringIO()
    try:
        with redirect_stderr(before):
            configure()
        before.close()
        with redirect_stderr(now):
            log.warning("row-failed", topic="callback")
    finally:
        structlog.reset_defaults()
    assert '"event": "row-failed"' in now.getvalue()
