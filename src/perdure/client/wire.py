"""What both clients do to a call and its answer: where the server is, what is sent, what an answer means."""

from __future__ import annotations

import ipaddress
import json
import mimetypes
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any
from uuid import UUID

import httpx2
import orjson

import perdure
from perdure.client.answers import Submitted
from perdure.client.calls import Call, submit_many, upload_file
from perdure.client.errors import PerdureAPIError, ServerUnreachable
from perdure.errors import ConfigurationError, InvalidInput

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
BLOCK_BYTES = 262_144
LONG_POLL_SECONDS = 20.0
"""The length of one long poll; ``wait`` strings them together."""
REPEATED_AFTER_SECONDS = (0.2, 1.0, 3.0)
"""How long to wait before a call is made again whose answer was lost: as long as a server takes to start again."""
_PERHAPS_HEARD = (
    httpx2.ReadError,
    httpx2.ReadTimeout,
    httpx2.WriteError,
    httpx2.WriteTimeout,
    httpx2.RemoteProtocolError,
)
_PASSING = frozenset({502, 503, 504})
PORTION = 5_000
PORTION_BYTES = 8_388_608
"""So many jobs, or about so many bytes of them, go into one request of ``submit_many``."""

LAST_END = b"\n"
"""Ends the last line of an answer, if nothing else did."""

JobLine = Mapping[str, Any] | str | bytes
"""A job, or a line of JSON as it stands."""


class Deadline:
    """When a caller's patience ends (never, for None), and how long the next long poll may take."""

    def __init__(self, timeout_seconds: float | None) -> None:
        self._until = None if timeout_seconds is None else time.monotonic() + timeout_seconds

    def next_wait_seconds(self) -> float:
        if self._until is None:
            return LONG_POLL_SECONDS
        return min(LONG_POLL_SECONDS, max(self._until - time.monotonic(), 0.0))

    def is_over(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until


class Repetition:
    """Whether a call is made again, and when: if it has an idempotency key, and may have been carried out unheard."""

    def __init__(self, call: Call[Any]) -> None:
        self._waits = iter(() if call.idempotency_key is None else REPEATED_AFTER_SECONDS)
        self._may_be_done = False

    def wait_seconds(self, error: ServerUnreachable | PerdureAPIError) -> float | None:
        """Seconds to wait before the next time; None when ``error`` is what the call came to."""
        is_gone = isinstance(error, ServerUnreachable)
        is_passing = isinstance(error, PerdureAPIError) and error.status in _PASSING
        self._may_be_done = self._may_be_done or is_passing or isinstance(error.__cause__, _PERHAPS_HEARD)
        return next(self._waits, None) if self._may_be_done and (is_gone or is_passing) else None


def options(url: str | None, api_key: str | None) -> dict[str, Any]:
    """Where the server is, and the key, from the arguments or the environment."""
    base_url = _base_url(url or os.environ.get("PERDURE_URL") or DEFAULT_URL)
    headers = {"User-Agent": f"perdure-client/{perdure.__version__}"}
    key = api_key or os.environ.get("PERDURE_API_KEY")
    if key:
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError("PERDURE_API_KEY holds characters that no key has. Copy it again, as one line.")
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": base_url, "headers": headers, "timeout": TIMEOUT_SECONDS, "trust_env": not _is_here(base_url)}


def request_of(call: Call[Any]) -> dict[str, Any]:
    body = {} if call.json is None else {"json": call.json}
    if call.idempotency_key is not None:
        body["headers"] = {"Idempotency-Key": _checked(call.idempotency_key)}
    timeout = httpx2.Timeout(TIMEOUT_SECONDS + call.wait_seconds, connect=CONNECT_SECONDS)
    return {"method": call.method, "url": call.path, "params": call.params, "timeout": timeout} | body


def upload_request(name: str, content_type: str | None) -> dict[str, Any]:
    """The request of an upload, but for its body. The media type is the one that the name says, if none is given."""
    found = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return request_of(upload_file(name)) | {"headers": {"Content-Type": found}, "timeout": streaming_timeout()}


def bulk_request(lines: Sequence[bytes]) -> dict[str, Any]:
    """The request that submits a job a line."""
    headers = {"Content-Type": "application/x-ndjson"}
    return request_of(submit_many()) | {"headers": headers, "content": b"".join(lines), "timeout": streaming_timeout()}


class BulkAnswers:
    """The lines of an answer to many jobs, as they come; ``offset`` jobs were sent by requests before this one."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._rest = b""

    def feed(self, block: bytes) -> list[Submitted]:
        """Those that end in ``block``. (Measured: 0.6 us each; a line at a time, by the standard library, 4.)"""
        *lines, self._rest = (self._rest + block).split(b"\n")
        answers: list[Submitted] = orjson.loads(b"[%s]" % b",".join(line for line in lines if line))
        if self._offset:
            for answer in answers:
                answer["index"] += self._offset
        return answers


class Portions:
    """Gathers the jobs of ``submit_many`` into requests; ``sent`` counts those that were taken."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lines: list[bytes] = []
        self._bytes = 0
        self.sent = 0

    def add(self, job: JobLine) -> bool:
        """Adds a job (a blank line is none) and returns whether it is time to take them."""
        text = job.encode() if isinstance(job, str) else job if isinstance(job, bytes) else _written(job)
        if line := text.strip().replace(b"\n", b" "):
            self._lines.append(line + b"\n")
            self._bytes += len(line)
        return len(self._lines) >= self._size or self._bytes >= PORTION_BYTES

    def take(self) -> list[bytes]:
        self.sent += len(self._lines)
        lines, self._lines, self._bytes = self._lines, [], 0
        return lines


def _written(job: Mapping[str, Any]) -> bytes:
    """A job as JSON, by orjson (measured: 0.3 us instead of 2.5) unless it might make something else of it.

    It writes null for NaN, which is to be refused, and takes no number beyond 64 bits.
    """
    try:
        text = orjson.dumps(job, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS)
    except orjson.JSONEncodeError:
        return json.dumps(job, default=_id_or_member).encode()
    return json.dumps(job, default=_id_or_member).encode() if b"null" in text else text


def _id_or_member(value: Any) -> Any:
    """What orjson takes, and the standard library does not."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is not JSON")


def streaming_timeout() -> httpx2.Timeout:
    """A file takes as long as it takes."""
    return httpx2.Timeout(None, connect=CONNECT_SECONDS)


def decoded(response: httpx2.Response) -> Any:
    """The answer's JSON, None for an empty one; raises ``PerdureAPIError`` for a refusal."""
    if response.status_code == httpx2.codes.NO_CONTENT:
        return None
    try:
        answer = response.json()
    except ValueError:
        if response.is_success:
            raise ServerUnreachable(
                f"What answers at {response.url.netloc.decode()} is no Perdure server. Say where yours is with "
                "PERDURE_URL or --url."
            ) from None
        answer = {}
    if response.is_success:
        return answer
    raise PerdureAPIError(response.status_code, answer if isinstance(answer, dict) else {})


@contextmanager
def reaching(url: httpx2.URL) -> Iterator[None]:
    """Says what to do when nobody answers."""
    try:
        yield
    except httpx2.RequestError as error:
        raise ServerUnreachable(
            f"No server answers at {url.scheme}://{url.netloc.decode()} ({type(error).__name__}). Start one with "
            "`perdure dev`, or say where it is with PERDURE_URL or --url."
        ) from error


def _checked(key: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput("An idempotency key is 1 to 255 visible ASCII characters.")
    return key


def _base_url(given: str) -> httpx2.URL:
    try:
        url = httpx2.URL(given)
    except httpx2.InvalidURL:
        url = httpx2.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError("PERDURE_URL or --url must be a URL such as http://127.0.0.1:8080.")
    return url


def _is_here(url: httpx2.URL) -> bool:
    """Whether the server runs on this machine: then no proxy of the environment is asked for."""
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return url.host == "localhost"
