"""What a page is told of a flood: little, and which jobs to look at."""

import json
from datetime import UTC, datetime
from uuid import UUID

from asyncpg.pgproto import pgproto

from perdure.models.happening import Happening, HappeningKind
from perdure.models.lifecycle import JobStatus
from perdure.schemas.stream import MAX_DIGEST, digest

AT = datetime(2026, 11, 30, tzinfo=UTC)
EVENTS = 2_000
"""A second's worth of a flood."""


def happening(job, event, status, **data):
    return Happening(
        event=HappeningKind(event),
        job_id=pgproto.UUID(str(UUID(int=job))),
        job_type="t",
        queue="q",
        tags=(),
        run=1,
        attempt=1,
        status=JobStatus(status),
        at=AT,
        data=data,
    )


def read(told):
    [line] = told.decode().strip().splitlines()
    return json.loads(line.removeprefix("data: "))


def test_each_job_is_named_once_as_its_last_step_left_it():
    told = read(
        digest(
            [
                happening(1, "STARTED", "RUNNING"),
                happening(2, "PROGRESS", "RUNNING", percent=40, message="x"),
                happening(1, "SUCCESS", "SUCCEEDED"),
            ]
        )
    )
    assert (told["count"], told["is_whole"]) == (3, True)
    first, second = told["jobs"]
    assert (first["job_id"], first["status"], first["events"]) == (
        str(UUID(int=1)),
        "SUCCEEDED",
        ["SUCCESS", "STARTED"],
    )
    assert (second["job_id"], second["percent"]) == (str(UUID(int=2)), 40)


def test_a_flood_is_a_few_lines():
    told = digest([happening(number, "SUCCESS", "SUCCEEDED") for number in range(EVENTS)])
    assert len(told) < 50_000
    found = read(told)
    assert (found["count"], found["is_whole"], len(found["jobs"])) == (EVENTS, False, MAX_DIGEST)
    assert found["jobs"][0]["job_id"] == str(UUID(int=EVENTS - 1))
