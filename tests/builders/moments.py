"""Points in time for tests, in UTC."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 3, 12, 4, 55, 30, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
