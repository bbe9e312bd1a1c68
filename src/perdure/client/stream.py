"""A stream of server-sent events, as both clients follow it: taken apart, and begun again where it broke off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from perdure.client.answers import StreamEvent
from perdure.client.calls import Call
from perdure.client.errors import PerdureAPIError, ServerUnreachable
from perdure.client.wire import CONNECT_SECONDS, request_of

SILENT_SECONDS = 45.0
"""A server says something every 15 seconds; one that is silent for so long is gone."""
RECONNECT_SECONDS = 2.0


class Following:
    """One stream, over all its connections. ``on_reset`` is called when something could not be told."""

    def __init__(self, call: Call[StreamEvent], on_reset: Callable[[], None]) -> None:
        self._call = call
        self._on_reset = on_reset
        self._last_id: str | None = None
        self._rest = b""
        self._was_connected = False

    def request(self) -> dict[str, Any]:
        """The next connection's request: it goes on after the last event."""
        self._rest = b""
        headers = {"Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        timeout = httpx2.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)
        return request_of(self._call) | {"headers": headers, "timeout": timeout}

    def events(self, block: bytes) -> Iterator[StreamEvent]:
        """The events that end with ``block``. (A line ends with a line feed here, and with nothing else.)"""
        self._was_connected = True
        *whole, self._rest = (self._rest + block).split(b"\n\n")
        for event in whole:
            fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
            if b"data" in fields:
                if fields.get(b"event") == b"reset":
                    self._on_reset()
                else:
                    yield json.loads(fields[b"data"])
            if b"id" in fields:  # known once what comes with it has been taken
                self._last_id = fields[b"id"].decode()

    def survives(self, error: ServerUnreachable | PerdureAPIError) -> bool:
        """Whether it is worth connecting again: a server that was there may come back."""
        is_passing = isinstance(error, ServerUnreachable) or error.status >= httpx2.codes.INTERNAL_SERVER_ERROR
        return self._was_connected and is_passing
