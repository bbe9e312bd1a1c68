"""What can be asked of subscriptions and webhook endpoints, as values like those of ``calls``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from perdure.client.answers import Page
from perdure.client.calls import Call
from perdure.client.endpoint_answers import Endpoint, EndpointTest, EndpointWithSecret, Recovery
from perdure.client.subscription_answers import Subscription

_SUBSCRIPTIONS = "/v1/subscriptions"
_ENDPOINTS = "/v1/webhook-endpoints"


def list_subscriptions() -> Call[Page[Subscription]]:
    return Call("GET", _SUBSCRIPTIONS)


def get_subscription(name: str) -> Call[Subscription]:
    return Call("GET", _at(_SUBSCRIPTIONS, name))


def set_subscription(name: str, subscription: Mapping[str, Any]) -> Call[Subscription]:
    """``subscription`` (job_type, queue, events, notifications) replaces the one of this name."""
    return Call("PUT", _at(_SUBSCRIPTIONS, name), json=dict(subscription))


def delete_subscription(name: str) -> Call[None]:
    return Call("DELETE", _at(_SUBSCRIPTIONS, name))


def list_endpoints() -> Call[Page[Endpoint]]:
    return Call("GET", _ENDPOINTS)


def get_endpoint(name: str) -> Call[Endpoint]:
    return Call("GET", _at(_ENDPOINTS, name))


def set_endpoint(name: str, url: str) -> Call[EndpointWithSecret]:
    """Makes it, which answers its secret, or gives the one of this name another URL."""
    return Call("PUT", _at(_ENDPOINTS, name), json={"url": url})


def rotate_endpoint(name: str) -> Call[EndpointWithSecret]:
    """The secret before signs as well for 24 hours."""
    return Call("POST", _at(_ENDPOINTS, name, "/rotate"))


def disable_endpoint(name: str) -> Call[Endpoint]:
    return Call("POST", _at(_ENDPOINTS, name, "/disable"))


def enable_endpoint(name: str) -> Call[Endpoint]:
    return Call("POST", _at(_ENDPOINTS, name, "/enable"))


def recover_endpoint(name: str, since: str) -> Call[Recovery]:
    """Sends again what failed to reach it, of what was written since then (ISO 8601)."""
    return Call("POST", _at(_ENDPOINTS, name, "/recover"), json={"since": since})


def call_endpoint(name: str) -> Call[EndpointTest]:
    """Calls it once to see whether it answers; what came of that is the answer."""
    return Call("POST", _at(_ENDPOINTS, name, "/test"))


def remove_endpoint(name: str) -> Call[None]:
    return Call("DELETE", _at(_ENDPOINTS, name))


def _at(room: str, name: str, verb: str = "") -> str:
    return f"{room}/{quote(name, safe='')}{verb}"
