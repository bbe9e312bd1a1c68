"""``POST /v1/jobs`` past the framework: a plain submission is read, stored and answered by as little as may be.

Measured, of a server's CPU a request: 660 us by the route of routes/jobs.py, 150 by this (docs/decisions/
0023-shared-statements.md). That route stays what the API says of itself, and takes whatever is more than plain:
parameters, headers that are odd or stand twice. Both read by one schema, call the same commands and answer alike; a
test asks both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from perdure.core.authentication import Authentication
from perdure.core.browsers import refuse_strangers
from perdure.core.commands import Commands
from perdure.core.joint_submission import Told
from perdure.errors import PerdureError
from perdure.models.api_key import ApiKey
from perdure.models.api_key import Scope as KeyScope
from perdure.models.job import Job
from perdure.routes import problems
from perdure.routes.authentication import bearer_token
from perdure.routes.dependencies import body_too_large, idempotency_key_of
from perdure.schemas.job import JobCreate
from perdure.schemas.job_writing import written
from perdure.schemas.reading import read_json

PATH = "/v1/jobs"

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7E]{1,255}")


class WithShortWay(FastAPI):
    """The application, with the short way beside its routes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and (headers := _of_plain_submission(scope)) is not None:
            await self._submit(scope, headers, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def submit_soon(self, scope: Scope, body: bytes, tell: Told) -> bool:
        """Submits, if it takes nothing to be waited for but the commit, after which ``tell`` is told.

        False, and nothing is done, for any other request. Whatever is to be refused is left to ``__call__``, too.
        """
        headers = _of_plain_submission(scope)
        if headers is None or len(body) > self.state.max_body_bytes:
            return False
        try:
            caller = self._judged(
                self.state.authentication.authorized_at_once(_token(headers), KeyScope.SUBMIT), headers
            )
            key = headers.get("idempotency-key")
            sent = read_json(JobCreate, body)
        except PerdureError:
            return False
        commands: Commands = self.state.commands
        return commands.submit_soon(sent, None if key is None else idempotency_key_of(caller, key), tell)

    async def _submit(self, scope: Scope, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        try:
            authentication: Authentication = self.state.authentication
            caller = self._judged(await authentication.authorize(_token(headers), KeyScope.SUBMIT), headers)
            body = await _body(receive, self.state.max_body_bytes)
            if body is None:
                return
            sent = read_json(JobCreate, body)
            commands: Commands = self.state.commands
            key = headers.get("idempotency-key")
            if key is None:
                job, is_replay = await commands.submit(sent), False
            else:
                submission = await commands.submit_once(sent, idempotency_key_of(caller, key))
                job, is_replay = submission.job, submission.is_replay
            answer = written(job)
        except PerdureError as error:
            await problems.answer_of(error)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 (as the framework does)
            await problems.answer_of_unexpected(scope["method"], PATH, error)(scope, receive, send)
        else:
            extra = [(b"location", location_of(job))]
            if is_replay:
                extra.append((b"idempotent-replayed", b"true"))
            await _send(send, 200 if is_replay else 201, extra, answer)

    def _judged(self, key: ApiKey | None, headers: Mapping[str, str]) -> ApiKey | None:
        """As ``needs(Scope.SUBMIT)`` of the route."""
        if key is None:
            refuse_strangers("POST", headers, self.state.public_host)
        return key


def location_of(job: Job) -> bytes:
    return b"%s/%s" % (PATH.encode(), str(job.job_id).encode())


def _token(headers: Mapping[str, str]) -> str | None:
    sent = headers.get("authorization")
    return bearer_token([] if sent is None else [sent])


def _of_plain_submission(scope: Scope) -> Mapping[str, str] | None:
    """The headers of a request that is a plain submission; None for any other."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if (
        len(headers) != len(pairs)
        or headers.get("content-type") != "application/json"
        or "content-encoding" in headers
        or not _IDEMPOTENCY_KEY.fullmatch(headers.get("idempotency-key", "none"))
    ):
        return None
    return headers


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The body as it came; None where the client hung up before it had sent everything."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message["type"] == "http.request":
        if len(body) > limit:
            raise body_too_large(limit)
        if not message.get("more_body", False):
            return body
        message = await receive()
        body += message.get("body", b"")
    return None


async def _send(send: Send, status: int, extra: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    headers: list[Any] = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
