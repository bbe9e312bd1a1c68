"""A stretch of time becomes whole steps that cover it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import ValidationFailed
from perdure.models.history import FEW_POINTS, HOUR, MAX_POINTS, MINUTE, STEPS, Stretch

moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)


@given(moments, st.timedeltas(timedelta(microseconds=1), timedelta(days=900)), st.sampled_from([None, *STEPS]))
def test_the_steps_cover_the_stretch_and_no_more(start, length, step):
    end = start + length
    try:
        stretch = Stretch.covering(start, end, step)
    except ValidationFailed as refused:
        assert refused.problems[0].code == "too_many_points"
        assert length.total_seconds() / (step or STEPS[-1]) > MAX_POINTS - 2
        return
    one = timedelta(seconds=stretch.step_seconds)
    assert stretch.start <= start < stretch.start + one
    assert stretch.end - one < end <= stretch.end
    assert stretch.start.timestamp() % stretch.step_seconds == 0
    assert stretch.points <= MAX_POINTS
    assert step in (None, stretch.step_seconds)


@pytest.mark.parametrize(("hours", "step"), [(1, 60), (2, 60), (3, 300), (24, 3_600), (200, 86_400)])
def test_the_finest_step_with_few_points_is_taken(hours, step):
    stretch = Stretch.covering(NOON - timedelta(hours=hours), NOON, None)
    assert stretch.step_seconds == step
    assert stretch.points <= FEW_POINTS
    assert stretch.width_seconds == (HOUR if step % HOUR == 0 else MINUTE)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(seconds=-1)])
def test_a_stretch_that_does_not_go_forward_is_refused(length):
    with pytest.raises(ValidationFailed, match="before `to`"):
        Stretch.covering(NOON, NOON + length, None)
