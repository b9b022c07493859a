"""Every way a time was seen to be written (contract §1.4)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip.adapters.gateway.moments import read_expiry, read_moment
from hip.domain.errors import InvalidValue

AT = datetime(2026, 3, 14, 6, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-14T06:50:00.000Z", AT),
        ("2026-03-14T06:50:00Z", AT),
        ("2026-03-14T06:50:00", AT),
        ("2026-03-14T06:50", AT),
        ("2026-03-14 06:50:00", AT),
        ("2026-03-14t06:50:00z", AT),
        (" 2026-03-14T06:50:00+00:00 ", AT),
        ("2026-03-14T12:20:00+05:30", AT),
        ("2026-03-14T12:20:00.000+0530", AT),
        ("2026-03-14T11:50:00+05", AT),
        ("2026-03-14T01:20:00-05:30", AT),
        ("2026-03-14T06:50:00.1", AT.replace(microsecond=100_000)),
        ("2026-03-14T06:50:00.123456789Z", AT.replace(microsecond=123_456)),
        ("2026-03-14T06:50:00.999999999", AT.replace(microsecond=999_999)),
        ("2026-03-14T06:50:00,5Z", AT.replace(microsecond=500_000)),
        ("2026-03-14", datetime(2026, 3, 14, tzinfo=UTC)),
    ],
)
def test_each_form_is_read_as_utc(text: str, moment: datetime) -> None:
    assert read_moment(text, field="x") == moment
    assert read_moment(text, field="x").tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-3-14",
        "2026-02-30",
        "2026-03-14T25:00:00Z",
        "2026-03-14T06:50:00.1234567890Z",
        "2026-03-14T06:50:00+99:00",
        "2026-03-14T06:50:00 IST",
        "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+05:30",
        "0000-01-01",
        "14/03/2026",
        "1773471000",
        "\u0662026-03-14",
        "2026-W11-6",
    ],
)
def test_what_is_no_moment_names_its_field(text: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        read_moment(text, field="permission.dataEraseAt")
    assert refusal.value.field == "permission.dataEraseAt"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-14T06:50:00.000Z", AT),
        ("14/03/2026", datetime(2026, 3, 14, tzinfo=UTC)),
        ("14-03-2026", datetime(2026, 3, 14, tzinfo=UTC)),
        ("4.3.2026", datetime(2026, 3, 4, tzinfo=UTC)),
        ("14/03/2026 06:50", AT),
        ("14/03/2026 06:50:00", AT),
        ("14/03/2026, 6:50:00", AT),
        ("14/03/2026T06:50:00", AT),
        ("31/02/2026", None),
        ("03/14/2026", None),
        ("", None),
        ("never", None),
    ],
)
def test_a_key_expiry_may_also_be_written_day_first(text: str, moment: datetime | None) -> None:
    assert read_expiry(text) == moment


@given(
    moment=st.integers(-2_000_000_000_000_000, 7_000_000_000_000_000),
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_every_iso_moment_is_read_back_from_any_offset(moment: int, offset: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
    written = at.astimezone(timezone(timedelta(minutes=offset))).isoformat()
    assert read_moment(written, field="x") == at


@given(text=st.text(max_size=40))
def test_no_text_upsets_the_readers(text: str) -> None:
    read_expiry(text)
    try:
        read_moment(text, field="x")
    except InvalidValue as refusal:
        assert refusal.field == "x"  # noqa: PT017
