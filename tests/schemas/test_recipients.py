"""Recipients are recognised by whoever knows them, and learnt by nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.schemas.recipients import shown


@pytest.mark.parametrize(
    ("channel", "recipient", "wanted"),
    [
        ("email", "ada@example.com", "a***@e***.com"),
        ("email", "endpoint:ada@example.com", "e***@e***.com"),
        ("slack", "slack", "slack"),
        ("webhook", "endpoint:billing", "endpoint:billing"),
        ("webhook", "https://user:pw@hooks.example.com:8443/t/s3cret?key=k#f", "https://hooks.example.com:8443/…"),
        ("webhook", "https://[2001:db8::1]/s3cret", "https://[2001:db8::1]/…"),
        ("webhook", "https://ada@example.com", "https://example.com/…"),
        ("webhook", "https://[broken/s3cret", "***"),
        ("webhook", "https:///s3cret", "***"),
        ("sms", "+49123456789", "+***"),
        ("chat", "ada@example.com", "a***@e***.com"),
    ],
)
def test_what_is_shown_of_a_recipient(channel, recipient, wanted):
    assert shown(channel, recipient) == wanted
    assert wanted == "***" or shown(channel, wanted) == wanted, "shown once more, it stays the same"


@given(st.sampled_from(["email", "slack", "webhook", "sms"]), st.text(max_size=60))
def test_whatever_it_is_it_can_be_shown(channel, recipient):
    assert isinstance(shown(channel, recipient), str)


@given(st.text(alphabet="abcdefghij0123456789/?#&=:@", min_size=8, max_size=60))
def test_nothing_behind_the_host_of_a_url_is_shown(rest):
    assert shown("webhook", f"https://example.com/{rest}") == "https://example.com/…"
