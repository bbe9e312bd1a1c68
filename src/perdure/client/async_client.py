"""``AsyncClient``: ``Client`` for asyncio, over the same calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
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


class AsyncClient:
    """As ``Client``, and closed by ``async with``."""

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx2.AsyncClient(**options(url, api_key), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, call: Call[Answer]) -> Answer:
        """Carries out any of ``perdure.client.calls``."""
        repetition = Repetition(call)
        while True:
            try:
                with reaching(self._http.base_url):
                    answer: Answer = decoded(await self._http.request(**request_of(call)))
            except (ServerUnreachable, PerdureAPIError) as error:
                seconds = repetition.wait_seconds(error)
                if seconds is None:
                    raise
            else:
                return answer
            await asyncio.sleep(seconds)

    async def submit(
        self, job_type: str, payload: Any = None, *, idempotency_key: str | None = None, **declared: Any
    ) -> Job:
        """Submits a job; ``declared`` are the other fields of the API. Returns the job once it is committed.

        See ``Client.submit`` for ``idempotency_key``.
        """
        job = {"job_type": job_type, "payload": payload} | declared
        return await self.call(calls.submit(job, idempotency_key or str(uuid4())))

    async def preview(self, job_type: str, payload: Any = None, **declared: Any) -> Preview:
        """What the same ``submit`` would come to. Nothing is stored."""
        return await self.call(calls.preview({"job_type": job_type, "payload": payload} | declared))

    async def submit_many(
        self, jobs: Iterable[JobLine] | AsyncIterable[JobLine], *, portion: int = PORTION
    ) -> AsyncIterator[Submitted]:
        """Submits jobs as you iterate, ``portion`` of them a request, and yields what became of each, in order.

        What is wrong with one keeps no other one out. Jobs whose answer you have not seen when an error is raised
        may have been stored or not: give them a ``unique_key`` where that matters.
        """
        portions = Portions(portion)
        async for job in _each(jobs):
            if portions.add(job):
                async for answer in self._submit_portion(portions):
                    yield answer
        async for answer in self._submit_portion(portions):
            yield answer

    async def _submit_portion(self, portions: Portions) -> AsyncIterator[Submitted]:
        answers, lines = BulkAnswers(portions.sent), portions.take()
        if not lines:
            return
        with reaching(self._http.base_url):
            async with self._http.stream(**bulk_request(lines)) as response:
                if not response.is_success:
                    await response.aread()
                    decoded(response)
                async for block in response.aiter_bytes():
                    for answer in answers.feed(block):
                        yield answer
                for answer in answers.feed(LAST_END):
                    yield answer

    async def get(self, job_id: Id) -> Job:
        return await self.call(calls.get_job(job_id))

    async def wait(self, job_id: Id, timeout_seconds: float | None = None) -> Job:
        """The job once it is final, or as it is when ``timeout_seconds`` (default: none) are over."""
        deadline = Deadline(timeout_seconds)
        while True:
            job = await self.call(calls.wait_for_job(job_id, deadline.next_wait_seconds()))
            if job["finished_at"] is not None or deadline.is_over():
                return job

    async def stream(
        self, *, on_reset: Callable[[], None] = lambda: None, **filters: Any
    ) -> AsyncIterator[StreamEvent]:
        """As ``Client.stream``."""
        following = Following(calls.stream(**filters), on_reset)
        while True:
            try:
                with reaching(self._http.base_url):
                    async with self._http.stream(**following.request()) as response:
                        if not response.is_success:
                            await response.aread()
                            decoded(response)
                        async for block in response.aiter_bytes():
                            for event in following.events(block):
                                yield event
            except (ServerUnreachable, PerdureAPIError) as error:
                if not following.survives(error):
                    raise
            await asyncio.sleep(RECONNECT_SECONDS)

    async def upload(
        self, source: Path | BinaryIO, name: str | None = None, content_type: str | None = None
    ) -> StoredFile:
        """Uploads a file, streamed from its path or from an open binary file; a payload names it by its ``file_id``."""
        if isinstance(source, Path):
            with await asyncio.to_thread(source.open, "rb") as file:
                return await self.upload(file, name or source.name, content_type)
        with reaching(self._http.base_url):
            request = upload_request(name or "upload", content_type)
            stored: StoredFile = decoded(await self._http.request(**request, content=_blocks(source)))
        return stored

    async def download(self, file_id: Id, target: Path) -> None:
        """Writes the file's bytes to ``target``, streamed."""
        request = request_of(calls.download_file(file_id)) | {"timeout": streaming_timeout()}
        with reaching(self._http.base_url):
            async with self._http.stream(**request) as response:
                if not response.is_success:
                    await response.aread()
                    decoded(response)
                with await asyncio.to_thread(target.open, "wb") as file:
                    async for block in response.aiter_bytes():
                        await asyncio.to_thread(file.write, block)


async def _each(jobs: Iterable[JobLine] | AsyncIterable[JobLine]) -> AsyncIterator[JobLine]:
    if isinstance(jobs, AsyncIterable):
        async for job in jobs:
            yield job
    else:
        for job in jobs:
            yield job


async def _blocks(source: BinaryIO) -> AsyncIterator[bytes]:
    while block := await asyncio.to_thread(source.read, BLOCK_BYTES):
        yield block
