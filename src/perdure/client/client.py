"""``Client``, for ordinary code; ``async_client`` has its twin. Answers are the API's JSON, decoded.

```python
with Client() as perdure:
    job = perdure.submit("demo.sleep", {"seconds": 1}, context={"email": "ada@example.com"})
    job = perdure.wait(job["job_id"])
```
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from uuid import uuid4

import httpx2

from perdure.client import calls
from perdure.client.answers import Job, StoredFile, StreamEvent, Submitted
from perdure.client.calls import Call, Id
from perdure.client.errors import PerdureAPIError, ServerUnreachable
from perdure.client.preview_answers import Preview
from perdure.client.stream import RECONNECT_SECONDS, Following
from perdure.client.wire import (
    BLOCK_BYTES,
    LAST_END,
    PORTION,
    BulkAnswers,
    Deadline,
    JobLine,
    Portions,
    Repetition,
    bulk_request,
    decoded,
    options,
    reaching,
    request_of,
    streaming_timeout,
    upload_request,
)

Answer = TypeVar("Answer")


class Client:
    """Asks a server. ``url`` and ``api_key`` default to PERDURE_URL and PERDURE_API_KEY. Use it as a context manager.

    Raises ``PerdureAPIError`` for a problem document, ``ServerUnreachable`` when nobody answers.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self._http = httpx2.Client(**options(url, api_key), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def call(self, call: Call[Answer]) -> Answer:
        """Carries out any of ``perdure.client.calls``."""
        repetition = Repetition(call)
        while True:
            try:
                with reaching(self._http.base_url):
                    answer: Answer = decoded(self._http.request(**request_of(call)))
            except (ServerUnreachable, PerdureAPIError) as error:
                seconds = repetition.wait_seconds(error)
                if seconds is None:
                    raise
            else:
                return answer
            time.sleep(seconds)

    def submit(self, job_type: str, payload: Any = None, *, idempotency_key: str | None = None, **declared: Any) -> Job:
        """Submits a job; ``declared`` are the other fields of the API. Returns the job once it is committed.

        An answer that is lost on the way is asked for again, under the same idempotency key, and is one job. Give
        ``idempotency_key`` yourself where your program may start over and submit the same job once more.
        """
        job = {"job_type": job_type, "payload": payload} | declared
        return self.call(calls.submit(job, idempotency_key or str(uuid4())))

    def preview(self, job_type: str, payload: Any = None, **declared: Any) -> Preview:
        """What the same ``submit`` would come to. Nothing is stored."""
        return self.call(calls.preview({"job_type": job_type, "payload": payload} | declared))

    def submit_many(self, jobs: Iterable[JobLine], *, portion: int = PORTION) -> Iterator[Submitted]:
        """Submits jobs as you iterate, ``portion`` of them a request, and yields what became of each, in order.

        What is wrong with one keeps no other one out. Jobs whose answer you have not seen when an error is raised
        may have been stored or not: give them a ``unique_key`` where that matters.
        """
        portions = Portions(portion)
        for job in jobs:
            if portions.add(job):
                yield from self._submit_portion(portions)
        yield from self._submit_portion(portions)

    def _submit_portion(self, portions: Portions) -> Iterator[Submitted]:
        answers, lines = BulkAnswers(portions.sent), portions.take()
        if not lines:
            return
        with reaching(self._http.base_url), self._http.stream(**bulk_request(lines)) as response:
            if not response.is_success:
                response.read()
                decoded(response)
            for block in response.iter_bytes():
                yield from answers.feed(block)
            yield from answers.feed(LAST_END)

    def get(self, job_id: Id) -> Job:
        return self.call(calls.get_job(job_id))

    def wait(self, job_id: Id, timeout_seconds: float | None = None) -> Job:
        """The job once it is final, or as it is when ``timeout_seconds`` (default: none) are over."""
        deadline = Deadline(timeout_seconds)
        while True:
            job = self.call(calls.wait_for_job(job_id, deadline.next_wait_seconds()))
            if job["finished_at"] is not None or deadline.is_over():
                return job

    def stream(self, *, on_reset: Callable[[], None] = lambda: None, **filters: Any) -> Iterator[StreamEvent]:
        """What happens from now on, without end; ``filters`` as in ``calls.stream``.

        A connection that breaks is made anew, and goes on where it broke: an event may come twice, and none is left
        out; if that cannot be, ``on_reset`` is called, so that you look anew.
        """
        following = Following(calls.stream(**filters), on_reset)
        while True:
            try:
                with reaching(self._http.base_url), self._http.stream(**following.request()) as response:
                    if not response.is_success:
                        response.read()
                        decoded(response)
                    for block in response.iter_bytes():
                        yield from following.events(block)
            except (ServerUnreachable, PerdureAPIError) as error:
                if not following.survives(error):
                    raise
            time.sleep(RECONNECT_SECONDS)

    def upload(self, source: Path | BinaryIO, name: str | None = None, content_type: str | None = None) -> StoredFile:
        """Uploads a file, streamed from its path or from an open binary file; a payload names it by its ``file_id``."""
        if isinstance(source, Path):
            with source.open("rb") as file:
                return self.upload(file, name or source.name, content_type)
        blocks = iter(lambda: source.read(BLOCK_BYTES), b"")
        with reaching(self._http.base_url):
            request = upload_request(name or "upload", content_type)
            stored: StoredFile = decoded(self._http.request(**request, content=blocks))
        return stored

    def download(self, file_id: Id, target: Path) -> None:
        """Writes the file's bytes to ``target``, streamed."""
        request = request_of(calls.download_file(file_id)) | {"timeout": streaming_timeout()}
        with reaching(self._http.base_url), self._http.stream(**request) as response:
            if not response.is_success:
                response.read()
                decoded(response)
            with target.open("wb") as file:
                for block in response.iter_bytes():
                    file.write(block)
