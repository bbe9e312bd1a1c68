"""A server of somebody's on loopback: what a webhook or ``http.request`` may find at a URL."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks.webhooks import Webhook
from tests.stand_in.http_server import Behaviour, Received, StandIn

LOOPBACK = ("127.0.0.0/8",)
"""What must be allowed for it to be reached."""


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Receiver(StandIn):
    """Gives each of ``replies`` once, then behaves as it is scripted, which is well."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.replies: deque[Reply] = deque()

    def take(self, request: Received) -> Behaviour:
        behaviour = super().take(request)
        if not self.replies:
            return behaviour
        reply = self.replies.popleft()
        return lambda handler: handler.reply(reply.status, reply.body, reply.content_type, **reply.headers)


def verified(request: Received, secret: str) -> Any:
    """The payload, as a receiver that has ``secret`` reads it with the library of Standard Webhooks."""
    return Webhook(secret).verify(request.body, request.headers)
