from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from perdure.models.retry import JITTER, RetryPolicy, jitter_factor

attempts = st.integers(1, 10_000)
policies = st.builds(RetryPolicy, st.floats(0.001, 1e6), st.floats(0.001, 1e7))


@given(policies, st.uuids(), attempts)
def test_delay_stays_between_the_jittered_bounds(policy, identity, attempt):
    delay = policy.delay_seconds(identity, attempt)
    undisturbed = min(policy.base_seconds * 2 ** min(attempt - 1, 62), policy.max_seconds)
    assert undisturbed * (1 - JITTER) * 0.999999 <= delay <= undisturbed * (1 + JITTER) * 1.000001


@given(st.uuids(), attempts)
def test_jitter_is_the_same_at_every_call(identity, attempt):
    assert jitter_factor(identity, attempt) == jitter_factor(UUID(str(identity)), attempt)


def test_jitter_is_spread_evenly():
    factors = sorted(jitter_factor(UUID(int=number * 2**64 + number), 1) for number in range(2_000))
    quarter = [factors[len(factors) * part // 4] for part in (1, 2, 3)]
    assert all(abs(found - wanted) < 0.03 for found, wanted in zip(quarter, (0.9, 1.0, 1.1), strict=True))


def test_the_default_doubles_from_two_seconds_to_five_minutes():
    policy = RetryPolicy()
    undisturbed = [round(policy.delay_seconds(UUID(int=0), n) / jitter_factor(UUID(int=0), n)) for n in range(1, 11)]
    assert undisturbed == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
