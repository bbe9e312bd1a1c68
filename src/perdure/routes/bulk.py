"""Many jobs over HTTP: a stream of them in, a stream of answers out, one line a job, whatever their number.

Three things go on at a time, each in bounded memory: the next jobs are read, those before them are stored, the answers
to those stored are sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi import Request as HttpRequest

from perdure.core.alike_submission import Outcomes
from perdure.errors import PerdureError, UnsupportedMediaType
from perdure.models.api_key import Scope
from perdure.routes.authentication import needs
from perdure.routes.dependencies import BulkPart, media_type_of, takes_no_idempotency_key
from perdure.routes.problems import document, responses
from perdure.routes.spooled import SpooledAnswer
from perdure.schemas.alike import AlikeReader, Group
from perdure.schemas.base import Request
from perdure.schemas.bulk import BulkAnswer
from perdure.schemas.json_stream import Cutter, Elements, Lines, Record

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

NDJSON = "application/x-ndjson"
BATCH = 2_000
"""So many jobs are stored in one transaction, if so many are waiting."""
GROUP = 500
GROUP_BYTES = 262_144
"""So many jobs, or bytes of them, are read at a stretch; others have their turn then."""
GROUPS_AHEAD = 8

_CUTTERS: dict[str, type[Lines | Elements]] = {
    NDJSON: Lines,
    "application/jsonl": Lines,
    "application/x-jsonlines": Lines,
    "application/json": Elements,
}
_JOB = {"type": "object", "description": "a job, as POST /v1/jobs takes it"}


class NoQuery(Request):
    """No parameters."""


@router.post(
    "/bulk",
    dependencies=[needs(Scope.SUBMIT), Depends(takes_no_idempotency_key)],
    status_code=200,
    summary="Submit many jobs",
    response_class=SpooledAnswer,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                NDJSON: {"schema": _JOB | {"description": "a job a line, as POST /v1/jobs takes it"}},
                "application/json": {"schema": {"type": "array", "items": _JOB}},
            },
        }
    },
    responses={
        200: {
            "model": BulkAnswer,
            "description": "One line for each job, in order",
            "content": {NDJSON: {"schema": {"$ref": "#/components/schemas/BulkAnswer"}}},
        },
        **responses(415, 422, 503),
    },
)
async def submit_many(
    request: HttpRequest,
    bulk: BulkPart,
    _query: Annotated[NoQuery, Query()],
) -> Response:
    """Takes a job a line (NDJSON), or a JSON array of jobs, of any length, and answers one line for each, in order.

    A line of the answer has the `index` of the job (from 0; blank lines do not count) and its `job_id` once it is
    committed, or the `problem` that kept it out. What is wrong with one job keeps no other one out.
    """
    cutter = _CUTTERS.get(media_type_of(request))
    if cutter is None:
        raise UnsupportedMediaType(f"Send a job a line with `Content-Type: {NDJSON}`, or a JSON array of jobs.")
    jobs = _read_ahead(_jobs(request, cutter(request.app.state.max_body_bytes)))
    return SpooledAnswer(_lines(bulk.store(jobs)), NDJSON)


async def _jobs(request: HttpRequest, cutter: Cutter) -> AsyncIterator[Group]:
    """The jobs of the body as they come, in groups: none is empty."""
    reader = AlikeReader()
    async for piece in request.stream():
        for group in _groups(cutter.feed(piece)):
            yield reader.read(group)
    for group in _groups(cutter.end()):
        yield reader.read(group)


def _groups(records: Sequence[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for record in records:
        group.append(record)
        size += len(record) if isinstance(record, bytes) else 0
        if len(group) == GROUP or size > GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


async def _read_ahead(groups: AsyncIterator[Group]) -> AsyncIterator[list[Group]]:
    """Batches of what has been read by now; while one is stored, the next is read."""
    waiting: asyncio.Queue[Group | None] = asyncio.Queue(GROUPS_AHEAD)
    reading = asyncio.create_task(_fill(waiting, groups))
    try:
        while group := await waiting.get():
            batch = [group]
            while group and sum(one.length for one in batch) < BATCH and not waiting.empty():
                group = waiting.get_nowait()
                if group:
                    batch.append(group)
            yield batch
            if not group:
                break
        await reading
    finally:
        reading.cancel()


async def _fill(waiting: asyncio.Queue[Group | None], groups: AsyncIterator[Group]) -> None:
    """Ends with None, and what ended it."""
    try:
        async for group in groups:
            await waiting.put(group)
            await asyncio.sleep(0)
    except Exception:
        await waiting.put(None)
        raise
    await waiting.put(None)


async def _lines(outcomes: AsyncIterator[Outcomes]) -> AsyncIterator[bytes]:
    index = 0
    async for batch in outcomes:
        ids, problems = batch.ids.as_text(), batch.problems
        if problems:
            yield b"".join(_line(place + index, job_id, problems.get(place)) for place, job_id in enumerate(ids))
        else:
            yield "".join(
                [f'{{"index":{number},"job_id":"{job_id}"}}\n' for number, job_id in enumerate(ids, index)]
            ).encode()
        index += len(ids)


def _line(index: int, job_id: str, problem: PerdureError | None) -> bytes:
    told = {"job_id": job_id} if problem is None else {"problem": document(problem)}
    return orjson.dumps({"index": index} | told, option=orjson.OPT_APPEND_NEWLINE)
