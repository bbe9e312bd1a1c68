"""The clients of a run: they submit jobs over HTTP, in small bursts, and remember what they were told.

There are never more jobs than can begin at once: a job that was rescued begins again at once, and not behind a
backlog, so that its old attempt is still there to write too late. (Learnt: with a backlog, a run stays green whether
there is a fence or not.)
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any
from uuid import UUID

import httpx2

from chaos.history import Answer, History, Plan, Submission
from chaos.installation import Installation
from chaos.processors import TASK_TYPE, THREAD_TYPE
from perdure.client import calls
from perdure.client.async_client import AsyncClient
from perdure.client.errors import PerdureAPIError, ServerUnreachable

BURST = 3
PAUSE_SECONDS = (0.1, 0.4)
TELLING_SHARE = 0.8
THREAD_SHARE = 0.3
_PLANS = {
    Plan.PLAIN: 50,
    Plan.FLAKY: 18,
    Plan.FATAL: 8,
    Plan.HOPELESS: 6,
    Plan.SLEEPER: 8,
    Plan.FRAGILE: 4,
    Plan.CANCELLED: 6,
}
_WEIGHTS = list(_PLANS.values())
_OPEN = "SELECT count(*) AS jobs FROM perdure.jobs WHERE status NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"


class Clients:
    """Run ``run()`` as a task; cancel it, then ``finish``."""

    def __init__(self, installation: Installation, chance: random.Random, *, open_jobs: int) -> None:
        self.history = History()
        self._installation = installation
        self._chance = chance
        self._open_jobs = open_jobs
        self._requests: set[asyncio.Task[None]] = set()
        self._clients = {url: AsyncClient(url) for url in installation.servers}

    async def run(self) -> None:
        while True:
            [row] = await self._installation.server.query(_OPEN)
            if row["jobs"] + len(self._requests) < self._open_jobs:
                for _ in range(BURST):
                    self._begin(self._submit(self._new()))
            await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))

    async def finish(self) -> None:
        """Waits for the answers that are still to come."""
        await asyncio.gather(*self._requests)
        for client in self._clients.values():
            await client.close()

    def _begin(self, request: Any) -> None:
        task = asyncio.create_task(request)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    def _new(self) -> Submission:
        [plan] = self._chance.choices(list(_PLANS), _WEIGHTS)
        tells = self._chance.random() < TELLING_SHARE
        submission = Submission(len(self.history.submissions) + 1, plan, tells)
        self.history.submissions[submission.number] = submission
        return submission

    async def _submit(self, submission: Submission) -> None:
        client = self._clients[self._chance.choice(list(self._clients))]
        cancel_after = self._chance.uniform(0.0, 2.0)
        try:
            job = await client.call(calls.submit(self._body(submission)))
        except (PerdureAPIError, ServerUnreachable) as error:
            submission.answer = self._understood(error)
            return
        submission.answer, submission.job_id = Answer.ACCEPTED, UUID(job["job_id"])
        if submission.plan is Plan.CANCELLED:
            await asyncio.sleep(cancel_after)
            await self._cancel(client, job["job_id"])

    async def _cancel(self, client: AsyncClient, job_id: str) -> None:
        try:
            await client.call(calls.cancel_job(job_id))
        except (PerdureAPIError, ServerUnreachable) as error:
            self._understood(error)

    def _understood(self, error: PerdureAPIError | ServerUnreachable) -> Answer:
        if isinstance(error, PerdureAPIError):
            if error.status == httpx2.codes.INTERNAL_SERVER_ERROR:
                self.history.broken.append(f"a server answered 500: {error}")
            return Answer.AMBIGUOUS if error.status >= httpx2.codes.INTERNAL_SERVER_ERROR else Answer.REFUSED
        never_sent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
        return Answer.REFUSED if never_sent else Answer.AMBIGUOUS

    def _body(self, submission: Submission) -> dict[str, Any]:
        chance, plan = self._chance, submission.plan
        # A short first attempt and longer ones after it: when it ends too late, the next is still at work.
        payload: dict[str, Any] = {
            "number": submission.number,
            "seconds": [chance.uniform(0.3, 1.5), chance.uniform(1.5, 2.5), chance.uniform(0.3, 1.0)],
        }
        body: dict[str, Any] = {
            "job_type": THREAD_TYPE if chance.random() < THREAD_SHARE else TASK_TYPE,
            "payload": payload,
            "priority": chance.randint(-5, 5),
        }
        if plan is Plan.FLAKY:
            payload["failures"] = chance.randint(1, 2)
        elif plan is Plan.FATAL:
            payload["fatal"] = True
        elif plan is Plan.HOPELESS:
            payload["failures"] = 99
            body["max_retries"] = 1
        elif plan is Plan.SLEEPER:
            payload["not_before"] = time.time() + chance.uniform(0.5, 1.5)
        elif plan is Plan.FRAGILE:
            body["max_retries"] = 0
        if submission.tells:
            body["context"] = {"email": f"someone-{submission.number}@example.com"}
            body["notifications"] = {"email": {"enabled": True, "on": ["SUCCESS", "FAILURE"]}}
        return body
