"""Whoever is not on the list is not reached; what could be read in two ways is refused."""

import pytest

from perdure.core.notifications.allowed_recipients import EVERYBODY, AllowedRecipients
from perdure.errors import ConfigurationError

ALLOWED = AllowedRecipients(["Ada@Example.com", "@team.test", "hooks.example.com", "endpoint:orders", "slack"])


@pytest.mark.parametrize(
    "recipient",
    [
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        "anybody@Team.test",
        "https://hooks.example.com/in?key=1",
        "https://HOOKS.example.com:8443/in",
        "endpoint:orders",
        "slack",
    ],
)
def test_who_is_listed_is_reached(recipient):
    assert ALLOWED.allows(recipient)


@pytest.mark.parametrize(
    "recipient",
    [
        "bob@example.com",
        "ada@example.com.evil.test",
        "x@sub.team.test",
        "team.test",
        "hooks.example.com@evil.test",
        "https://evil.test/hooks.example.com",
        "https://hooks.example.com@evil.test/",
        "https://ada@example.com/",
        "https://[",
        "endpoint:other",
        "",
    ],
)
def test_nobody_else_is(recipient):
    assert not ALLOWED.allows(recipient)
    assert EVERYBODY.allows(recipient)


@pytest.mark.parametrize(
    "listed", ["*", "*@example.com", "@", "Ada <ada@example.com>", "https://a.example", "a b", "@@x"]
)
def test_what_is_no_recipient_is_refused_at_the_start(listed):
    with pytest.raises(ConfigurationError, match="PERDURE_ALLOWED_RECIPIENTS") as refused:
        AllowedRecipients([listed])
    assert listed not in str(refused.value) or listed == "@"
