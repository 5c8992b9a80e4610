from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairalloc.instants import NANOSECONDS, format_instant, instant_of, parse_instant


def test_nanoseconds_survive():
    assert parse_instant("2026-03-01T09:00:00.123456789+03:00") % NANOSECONDS == 123_456_789
    assert format_instant(parse_instant("2026-03-01T09:00:00.123456789+03:00")) == "2026-03-01T06:00:00.123456789Z"


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_agrees_with_datetime(moment, minutes):
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_instant(aware.isoformat()) == instant_of(aware)
    elapsed = aware - datetime(1970, 1, 1, tzinfo=UTC)
    assert instant_of(aware) == elapsed // timedelta(microseconds=1) * 1000


@given(st.integers(-(10**18), 4 * 10**18))
def test_canonical_form_reads_back(instant):
    assert parse_instant(format_instant(instant)) == instant


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:00:00",
        "2026-03-01",
        "2026-02-30T09:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T09:00:00.1234567890Z",
        "2026-03-01T09:00:00+25:00",
        "\uff12026-03-01T09:00:00Z",
        " 2026-03-01T09:00:00Z",
        "",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


def test_naive_datetimes_name_no_instant():
    with pytest.raises(ValueError, match="offset"):
        instant_of(datetime(2026, 1, 1))  # noqa: DTZ001
