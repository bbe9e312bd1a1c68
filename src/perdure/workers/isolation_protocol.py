"""What a worker and its child processes say to each other: JSON, each message after its length, over a socket.

The child is not believed blindly: what it says is bounded, and whatever the worker cannot read ends the child.
"""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import fields
from typing import Any, get_args

import orjson

from perdure.models.outcome import ErrorReason, JobError, Outcome

LENGTH = struct.Struct(">I")
MAX_ANSWER_BYTES = 4 * 1_048_576
"""The longest message of a child: a result of the largest size, and room to spare."""

Message = dict[str, Any]
_OUTCOMES: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Outcome)}


def encoded(message: Message) -> bytes:
    body = orjson.dumps(message)
    return LENGTH.pack(len(body)) + body


def outcome_message(outcome: Outcome) -> Message:
    values = {one.name: getattr(outcome, one.name) for one in fields(outcome)}
    return {"kind": "outcome", "outcome": type(outcome).__name__, "values": values}


def read_outcome(message: Message) -> Outcome:
    """The outcome that ``outcome_message`` told. Raises ``KeyError``, ``TypeError`` or ``ValueError`` if it is none."""
    values = dict(message["values"])
    if "error" in values:
        error = values["error"]
        values["error"] = JobError(**error | {"reason": ErrorReason(error["reason"])})
    outcome: Outcome = _OUTCOMES[message["outcome"]](**values)
    return outcome


class Channel:
    """The child's end. ``send`` may be called from any thread, ``receive`` from one."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._incoming = end.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        """Raises ``ValueError`` for one that is too long, and ``OSError`` when nobody listens any more."""
        frame = encoded(message)
        if len(frame) > MAX_ANSWER_BYTES:
            raise ValueError(f"{message['kind']} has {len(frame):,} bytes; at most {MAX_ANSWER_BYTES:,} can be told")
        with self._sending:
            self._end.sendall(frame)

    def receive(self) -> Message | None:
        """The next message, or None at the end of the connection."""
        head = self._incoming.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        length = LENGTH.unpack(head)[0]
        body = self._incoming.read(length)
        return orjson.loads(body) if len(body) == length else None
