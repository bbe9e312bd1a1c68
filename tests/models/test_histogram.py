"""A quantile that is read from a histogram is as near as it says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.models.histogram import BUCKETS, FIRST_SECONDS, RELATIVE_ERROR, bucket_of, quantile_seconds

LONGEST = 30 * 86_400
durations = st.floats(0, LONGEST) | st.floats(0, 0.01) | st.sampled_from([FIRST_SECONDS, FIRST_SECONDS * 1.25])


def counts_of(seconds):
    counts = [0] * BUCKETS
    for one in seconds:
        counts[bucket_of(one)] += 1
    return counts


@given(st.lists(durations, min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_the_stated_error(seconds, part):
    exact = sorted(seconds)[math.ceil(len(seconds) * part) - 1]
    found = quantile_seconds(counts_of(seconds), part)
    if exact <= FIRST_SECONDS:
        assert found <= FIRST_SECONDS
    else:
        assert found == pytest.approx(exact, rel=RELATIVE_ERROR)


def test_nothing_counted_has_no_quantile():
    assert quantile_seconds([], 0.5) is None
    assert quantile_seconds([0, 0], 0.5) is None


def test_what_takes_longer_than_the_last_bucket_is_counted_there():
    assert bucket_of(1e12) == BUCKETS - 1
