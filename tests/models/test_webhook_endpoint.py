"""Which secrets of an endpoint sign, and how it is disabled and enabled."""

import base64
from datetime import UTC, datetime, timedelta

from perdure.models.webhook_endpoint import (
    MAX_SECRETS,
    DisabledReason,
    EndpointSecret,
    EndpointState,
    WebhookEndpoint,
    endpoint_of,
    recipient_of,
)

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def an_endpoint(**changes) -> WebhookEndpoint:
    fields = {"secrets": (EndpointSecret("first"),), "created_at": NOW, "updated_at": NOW, "set_by": "local"}
    return WebhookEndpoint(name="crm", url="https://crm.example/hook", **fields | changes)


def test_a_replaced_secret_signs_for_24_hours_more():
    endpoint = an_endpoint()
    assert (endpoint.signing(NOW), endpoint.former_secret_until) == (("first",), None)
    rotated = endpoint.rotated(EndpointSecret("second"), NOW, "ada")
    assert rotated.signing(NOW + 23 * HOUR) == ("second", "first")
    assert rotated.signing(NOW + 24 * HOUR) == ("second",)
    assert (rotated.former_secret_until, rotated.set_by) == (NOW + 24 * HOUR, "ada")
    again = rotated.rotated(EndpointSecret("third"), NOW + HOUR, "ada")
    assert again.signing(NOW + 23 * HOUR) == ("third", "second", "first"), "whoever has not followed yet is not cut off"
    assert again.signing(NOW + 24 * HOUR) == ("third", "second")
    late = rotated.rotated(EndpointSecret("third"), NOW + 30 * HOUR, "ada")
    assert [one.text for one in late.secrets] == ["third", "second"]


def test_rotating_without_end_keeps_few_secrets():
    endpoint = an_endpoint()
    for number in range(10):
        endpoint = endpoint.rotated(EndpointSecret(str(number)), NOW, "ada")
    assert endpoint.signing(NOW) == ("9", "8", "7", "6", "5")
    assert len(endpoint.secrets) == MAX_SECRETS


def test_a_new_secret_is_long_and_never_shown():
    secret = EndpointSecret.new()
    assert len(base64.b64decode(secret.text.removeprefix("whsec_"), validate=True)) == 32
    assert secret != EndpointSecret.new()
    assert secret.text not in repr(an_endpoint(secrets=(secret,)))


def test_it_is_disabled_and_enabled_once():
    disabled = an_endpoint(failing_since=NOW - HOUR).disabled(NOW, "ada")
    assert (disabled.state, disabled.reason, disabled.disabled_at) == (
        EndpointState.DISABLED,
        DisabledReason.BY_HAND,
        NOW,
    )
    assert disabled.disabled(NOW + HOUR, "bob") is disabled
    enabled = disabled.enabled(NOW + HOUR, "bob")
    assert (enabled.state, enabled.reason, enabled.disabled_at, enabled.failing_since) == (
        EndpointState.ACTIVE,
        None,
        None,
        None,
    )
    assert enabled.enabled(NOW + 2 * HOUR, "ada") is enabled


def test_a_delivery_names_it():
    assert endpoint_of(recipient_of("crm")) == "crm"
    assert [endpoint_of(one) for one in (None, "https://crm.example", "a@b.co", "slack")] == [None] * 4
