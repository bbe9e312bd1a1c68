import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.key_format import generate_key, read_key

KEY = "pdr_0123456789ab_" + "x" * 43


def test_a_key_is_read_back_and_no_two_are_alike():
    keys = {generate_key() for _ in range(200)}
    assert len(keys) == 200
    for key in keys:
        presented = read_key(key)
        assert re.fullmatch(r"pdr_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", key)
        assert presented.key_id == key.split("_")[1]
        assert len(presented.secret_hash) == 32
    assert len({read_key(key).secret_hash for key in keys}) == 200


def test_the_form_stays_as_it_is():
    """Scanners of leaked secrets, and keys given out long ago, rely on it."""
    assert read_key(KEY + "10OLFs") is not None


@given(st.data())
def test_a_mistyped_key_is_none(data):
    key = generate_key()
    position = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.characters().filter(lambda one: one != key[position]))
    assert read_key(key[:position] + other + key[position + 1 :]) is None


@pytest.mark.parametrize("text", ["", "pdr_", "x" * 66, KEY, f" {KEY}10OLFs", f"{KEY}10OLFs\n", "ü" * 66])
def test_what_is_no_key_is_none(text):
    assert read_key(text) is None
