"""``report.fetch``: a month's report, from a service that may need a while to make it.

An async function: it runs in the worker's event loop, beside many others, and must not block it.
"""

import asyncio
import os
from typing import Annotated

import httpx2
from pydantic import BaseModel, Field

from perdure import FileId, JobContext, NotRetryable, Snooze, processor


class ReportRequest(BaseModel):
    month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", examples=["2026-11"])]


class Report(BaseModel):
    file: FileId
    size_bytes: int


@processor("report.fetch", max_retries=5, timeout_seconds=60)
async def fetch(payload: ReportRequest, ctx: JobContext) -> Report:
    """Fetches a report and keeps it with the job."""
    async with httpx2.AsyncClient(base_url=os.environ["REPORTS_URL"], timeout=20) as service:
        answer = await service.get(f"/reports/{payload.month}")
    if answer.status_code == httpx2.codes.ACCEPTED:
        raise Snooze(30)  # it is being made: come again; this costs no attempt
    if answer.status_code == httpx2.codes.NOT_FOUND:
        raise NotRetryable("There is no report of this month.")  # and there will be none: fail now
    answer.raise_for_status()  # whatever else is wrong may pass: the attempt fails, and the job is retried
    # Saving a file blocks, so it goes into a thread.
    file = await asyncio.to_thread(
        ctx.save_output, f"report-{payload.month}.pdf", answer.content, content_type="application/pdf"
    )
    return Report(file=file, size_bytes=len(answer.content))
