"""The workers: whether each is alive, what it runs just now, and what it can do. One statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi.responses import Response
from sqlalchemy import RowMapping

from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import Reading
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import viewing
from perdure.repositories.worker_queries import WorkerQueries

SHOWN_JOBS = 4

router = pages_router()


@router.get("/workers", dependencies=[viewing()])
async def workers(page: PagePart, connection: Reading) -> Response:
    found = await WorkerQueries(connection).all()
    by_state = {state: [one for one in found if _state(one) == state] for state in ("ALIVE", "DRAINING", "GONE")}
    return page.render(
        "workers.html",
        by_state=by_state,
        jobs_of={one["worker_id"]: _jobs(one) for one in found},
        total=len(found),
        running=_sum(by_state["ALIVE"] + by_state["DRAINING"], "running"),
        slots=_sum(by_state["ALIVE"], "concurrency"),
        versions=sorted({one["version"] for one in found if one["alive"]}),
    )


def _state(worker: RowMapping) -> str:
    if not worker["alive"]:
        return "GONE"
    return "ALIVE" if worker["draining_since"] is None else "DRAINING"


def _jobs(worker: RowMapping) -> list[dict[str, Any]]:
    """The first of those that it runs, the longest first."""
    return [job | {"started_at": datetime.fromisoformat(job["started_at"])} for job in worker["jobs"][:SHOWN_JOBS]]


def _sum(workers: Sequence[RowMapping], column: str) -> int:
    return sum(one[column] for one in workers)
