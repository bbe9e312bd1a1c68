"""The server's protocol, in which a plain submission is taken as its last byte is read, and answered as it is stored:
without a task, and all that ASGI passes to and fro.

Measured: 20 us less of a server's CPU a request, of 120 (docs/decisions/0023-shared-statements.md). Whatever takes more
than that, or is to be refused, goes on as any other request. What uvicorn keeps of one (whether it is answered, whether
the connection is kept, what was sent ahead) is kept as it does, so that it can end, pause and shut down as ever.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from perdure.errors import PerdureError
from perdure.models.job import Job
from perdure.routes import problems
from perdure.routes.one_write import OneWriteProtocol
from perdure.routes.short_way import PATH, WithShortWay, location_of
from perdure.schemas.job_writing import written

MAX_BYTES = 32_768
"""A longer body is read as any other, by somebody who can have its sender wait."""

_ANSWER = b"HTTP/1.1 201 Created\r\n%scontent-type: application/json\r\ncontent-length: %d\r\nlocation: %s\r\n%s\r\n%s"


class ShortWayProtocol(OneWriteProtocol):
    """Takes plain submissions by itself, where the application has a short way."""

    _taken: RequestResponseCycle | None = None
    """A request whose body is not complete yet."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if not self._is_ours(cycle, app):
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._taken = cycle
        else:  # it was sent ahead
            self._submit(cycle)

    def _is_ours(self, cycle: RequestResponseCycle, app: Any) -> bool:
        return (
            app is self.app
            and cycle.scope["path"] == PATH
            and cycle.scope["method"] == "POST"
            and not cycle.waiting_for_100_continue
            and not self.config.access_log
            and isinstance(self.config.app, WithShortWay)
        )

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self._taken is not None and len(self._taken.body) > MAX_BYTES:
            cycle, self._taken = self._taken, None
            super()._start_asgi_task(cycle, self.app)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._taken is not None:
            cycle, self._taken = self._taken, None
            self._submit(cycle)

    def _submit(self, cycle: RequestResponseCycle) -> None:
        short_way: WithShortWay = self.config.app  # type: ignore[assignment]
        tell = partial(self._answer, cycle)
        if self.flow.write_paused or not short_way.submit_soon(cast("Scope", cycle.scope), bytes(cycle.body), tell):
            super()._start_asgi_task(cycle, self.app)

    def _answer(self, cycle: RequestResponseCycle, outcome: Job | BaseException | None) -> None:
        if outcome is None:
            super()._start_asgi_task(cycle, self.app)
        elif isinstance(outcome, Job):
            self._write(cycle, outcome)
        elif isinstance(outcome, PerdureError):
            super()._start_asgi_task(cycle, cast("Any", problems.answer_of(outcome)))
        elif isinstance(outcome, Exception):
            super()._start_asgi_task(cycle, cast("Any", problems.answer_of_unexpected("POST", PATH, outcome)))
        else:  # we are being stopped
            self.transport.close()

    def _write(self, cycle: RequestResponseCycle, job: Job) -> None:
        if cycle.disconnected:
            return
        body = written(job)
        head = b"".join([b"%s: %s\r\n" % header for header in self.server_state.default_headers])
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        self.transport.write(_ANSWER % (head, len(body), location_of(job), close, body))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
