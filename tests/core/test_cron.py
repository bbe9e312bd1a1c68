"""The times of a cron expression where clocks are changed, and that they are the same however one looks."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.cron import Cron
from perdure.errors import ValidationFailed

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Africa/Casablanca", "Asia/Kolkata"]
TIMES = [  # a time that is named, and a star
    *("30 2 * * *", "0 0 * * *", "15,45 1-3 * * SUN", "0 */4 1 * *"),
    *("*/20 * * * *", "30 * * * *", "*/15 1-3 * * *", "* 0 * * SAT,SUN"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("expression", "zone", "after", "times"),
    [
        # Berlin leaves 02:00 to 03:00 out on 29 March 2026: what is named there comes right after, and once.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:00"]),
        ("30 * * * *", "Europe/Berlin", "2026-03-29T00:00", ["2026-03-29T00:30", "2026-03-29T01:30"]),
        # It has the hour from 02:00 twice on 25 October 2026: what is named comes the first time.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", ["2026-10-26T01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:05", ["2026-10-26T01:30"]),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            [f"2026-10-25T0{h}:{m}" for h in "01" for m in ("00", "30")],
        ),
        # New York, on 8 March and 1 November 2026; Santiago changes at midnight.
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00", ["2026-03-08T07:00", "2026-03-09T06:30"]),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00", ["2026-11-01T05:30", "2026-11-02T06:30"]),
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00", ["2026-09-06T04:00", "2026-09-07T03:00"]),
        # Lord Howe shifts by half an hour.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00", ["2026-10-03T15:30", "2026-10-04T15:15"]),
        ("@daily", "Asia/Kolkata", "2026-01-01T00:00", ["2026-01-01T18:30"]),
        ("0 0 L * *", "UTC", "2028-02-01T00:00", ["2028-02-29T00:00", "2028-03-31T00:00"]),
        ("0 7 * * MON#1", "UTC", "2026-01-01T00:00", ["2026-01-05T07:00", "2026-02-02T07:00"]),
    ],
)
def test_what_comes_where_clocks_are_changed(expression, zone, after, times):
    assert Cron(expression, zone).upcoming(utc(after), len(times)) == [utc(one) for one in times]


some = settings(max_examples=40)
starts = st.integers(0, 7 * 366 * 24 * 60).map(lambda minutes: utc("2024-01-01T00:00") + timedelta(minutes=minutes))
near_changes = st.tuples(
    st.sampled_from(
        ["2026-03-29T01:00", "2026-10-25T01:00", "2026-03-08T07:00", "2026-11-01T06:00", "2026-09-06T04:00"]
    ),
    st.timedeltas(timedelta(hours=-30), timedelta(hours=30)),
).map(lambda one: utc(one[0]) + one[1])


@some
@given(
    st.sampled_from(TIMES), st.sampled_from(ZONES), near_changes | starts, st.timedeltas(timedelta(), timedelta(days=3))
)
def test_wherever_one_begins_the_times_are_the_same_in_order_and_none_is_left_out(expression, zone, start, ahead):
    cron = Cron(expression, zone)
    times = cron.upcoming(start, 12)
    assert all(earlier < later for earlier, later in pairwise([start, *times]))
    middle = start + ahead
    assert cron.upcoming(middle, 3) == list(islice((one for one in cron.after(start) if one > middle), 3))


@some
@given(st.sampled_from(TIMES), st.sampled_from(ZONES), near_changes, st.integers(0, 40), st.integers(1, 30))
def test_the_last_so_many_are_those_of_all(expression, zone, until, days, limit):
    cron = Cron(expression, zone)
    since = until - timedelta(days=days)
    all_of_them = list(takewhile(lambda at: at <= until, cron.after(since)))
    assert cron.within(since, until, limit) == all_of_them[-limit:]


@some
@given(st.sampled_from(["*/20 * * * *", "30 * * * *"]), st.sampled_from(ZONES), near_changes)
def test_with_a_star_time_goes_on_as_if_nobody_had_changed_a_clock(expression, zone, start):
    step = {"*/20 * * * *": 20, "30 * * * *": 60}[expression]
    times = Cron(expression, zone).upcoming(start, 100)
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=step)}


@pytest.mark.parametrize(
    ("expression", "zone", "fields"),
    [
        ("", "UTC", ["expression"]),
        ("* * * *", "UTC", ["expression"]),
        ("* * * * * *", "UTC", ["expression"]),
        ("60 * * * *", "UTC", ["expression"]),
        ("0 0 30 2 *", "UTC", ["expression"]),
        ("@reboot", "UTC", ["expression"]),
        ("9" * 190 + " * * * *", "UTC", ["expression"]),
        ("* * * * *", "Mars/Olympus", ["time_zone"]),
        ("* * * * *", "America", ["time_zone"]),
        ("* * * * *", "localtime", ["time_zone"]),
        ("* * * * *", "../../etc/passwd", ["time_zone"]),
        ("* * * * *", "Euro\x00pe", ["time_zone"]),
        ("secret", "secret", ["expression", "time_zone"]),
    ],
)
def test_what_is_wrong_is_named_and_not_echoed(expression, zone, fields):
    with pytest.raises(ValidationFailed) as refused:
        Cron(expression, zone)
    assert [problem.field for problem in refused.value.problems] == fields
    assert "secret" not in refused.value.detail


field = st.text("0123456789*/,-#L?WAMONJAN ²", max_size=6)


@given(st.lists(field, min_size=4, max_size=6).map(" ".join))
def test_whatever_is_sent_is_understood_or_refused(expression):
    try:
        cron = Cron(expression, "Europe/Berlin")
    except ValidationFailed:
        return
    assert cron.description
    assert cron.upcoming(datetime(2026, 1, 1, tzinfo=UTC), 1)
