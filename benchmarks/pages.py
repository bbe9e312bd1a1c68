"""How long the dashboard's pages take with a long history behind them: none may grow slow with the number of jobs."""

from __future__ import annotations

import asyncio
import http.client
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from benchmarks.figures import Figure, percentile
from benchmarks.http_load import serving
from benchmarks.long_history import Named, fill
from benchmarks.scripted import System
from benchmarks.sizes import Sizes
from benchmarks.works import Rates
from perdure.dashboard.pages import jobs, notifications

LOOKS = 40
"""At each page, the first one included, for which nothing is warm."""
INBOX = "the inbox"
"""Of `perdure dev` alone, and never more than 500 mails: not measured."""


def pages_of(named: Named) -> Mapping[str, Sequence[str]]:
    """The addresses that people ask for, by what kind of page each is; every page of the dashboard is among them."""
    five_days_ago = f"{datetime.now(UTC) - timedelta(days=5):%Y-%m-%dT%H:%M}"
    several = "&".join(f"job_id={one}" for one in (named.failed, named.waiting, named.running))
    return {
        "the overview": ["/", "/?period=1h", "/?period=7d"],
        "all jobs": ["/jobs", f"/jobs?before={named.failed}"],
        "jobs by state": [f"/jobs?status={one}" for one in jobs.TABS],
        "jobs by one filter": [
            *("/jobs?job_type=type.3", "/jobs?queue=q1", "/jobs?tag=customer-7", "/jobs?tag=usual"),
            *("/jobs?user_id=u7", "/jobs?email=user7@example.com", "/jobs?age=1h", "/jobs?age=24h", "/jobs?age=7d"),
            *(f"/jobs?created_before={five_days_ago}", "/jobs?job_type=absent", "/jobs?tag=absent"),
            *("/jobs?user_id=absent", "/jobs?error_group=0000000000000007"),
        ],
        "jobs by several filters": [
            *("/jobs?job_type=type.3&status=FAILED", "/jobs?job_type=type.3&queue=q3&status=SUCCEEDED"),
            *("/jobs?queue=q1&status=FAILED&age=24h", "/jobs?user_id=u7&status=FAILED", "/jobs?user_id=u7&queue=q1"),
            *("/jobs?email=user7@example.com&status=FAILED&age=7d", "/jobs?tag=customer-7&status=FAILED"),
            *("/jobs?tag=usual&status=CANCELLED", "/jobs?tag=usual&user_id=u7", "/jobs?tag=customer-7&job_type=type.3"),
            *("/jobs?error_group=0000000000000007&queue=q3", "/jobs?error_group=0000000000000007&age=24h"),
            f"/jobs?created_before={five_days_ago}&status=FAILED&job_type=type.3",
        ],
        "jobs by words or an id": [
            *("/jobs?q=seldom", "/jobs?q=gateway+refused", "/jobs?q=nowhere", "/jobs?q=order+777"),
            *("/jobs?q=refused&job_type=type.3", "/jobs?q=refused&status=FAILED&age=24h"),
            *(f"/jobs?q={str(named.failed)[:7]}", f"/jobs?q={str(named.failed)[:20]}"),
        ],
        "what changed among jobs": [f"/jobs/live?newest={named.waiting}", f"/jobs/live?status=FAILED&{several}"],
        "a job": [f"/jobs/{one}" for one in (named.failed, named.waiting, named.running)],
        "a job to edit": [f"/jobs/{named.failed}/edit"],
        "actions": ["/jobs/actions", f"/jobs/actions/{named.action}"],
        "what an action would do": [
            *("/jobs/actions/new?action=retry&status=FAILED", "/jobs/actions/new?action=cancel"),
            *("/jobs/actions/new?action=retry&tag=customer-7", f"/jobs/actions/new?action=retry&{several}"),
        ],
        "all deliveries": ["/notifications", f"/notifications?before={named.delivery}"],
        "deliveries by state": [f"/notifications?status={one}" for one in notifications.TABS],
        "deliveries by filters": [
            *("/notifications?channel=slack", "/notifications?provider=mailtrap", "/notifications?event=FAILURE"),
            *("/notifications?job_type=type.3", "/notifications?recipient=user7@example.com"),
            *(f"/notifications?job_id={named.failed}", "/notifications?age=24h", "/notifications?age=7d"),
            *("/notifications?status=FAILED&channel=email", "/notifications?recipient=user7@example.com&status=SENT"),
            *("/notifications?status=FAILED&job_type=type.3&age=7d", f"/notifications?created_before={five_days_ago}"),
        ],
        "what changed among deliveries": [
            *(f"/notifications/live?newest={named.delivery}", f"/notifications/live?delivery_id={named.delivery}"),
        ],
        "what sending again would do": ["/notifications/resend?status=FAILED"],
        "sending again": ["/notifications/resend/advance?status=FAILED"],
        "a delivery": [f"/notifications/{named.delivery}", f"/notifications/{named.delivery}?part=headers"],
        "the message of a delivery": [f"/notifications/{named.delivery}/message"],
        "providers": ["/notifications/providers"],
        "suppressions": [
            *("/notifications/suppressions", "/notifications/suppressions?address=gone7@example.com"),
            "/notifications/suppressions/new",
        ],
        "endpoints": ["/notifications/endpoints", "/notifications/endpoints/endpoint-1"],
        "subscriptions": ["/notifications/subscriptions", "/notifications/subscriptions/set"],
        "queues": ["/queues"],
        "schedules": ["/schedules", "/schedules/schedule-1", "/schedules/schedule-1/edit", "/schedules/~new"],
        "workers": ["/workers"],
        "job types": ["/job-types", "/job-types/type.3"],
        "a form": ["/job-types/type.3/submit"],
        INBOX: ["/inbox", f"/inbox/{named.mail}", f"/inbox/{named.mail}/message"],
    }


def pages(system: System, sizes: Sizes, _rates: Rates) -> Iterator[Figure]:
    """Milliseconds until a page is there, of each kind: of all looks, and at the slowest page of nineteen in twenty."""
    system.call("prepare")
    named = asyncio.run(fill(system.url, sizes.looked_through))
    with serving(["perdure", "serve", "--port", "0", "--json", "--database-url", system.url]) as server:
        for kind, paths in pages_of(named).items():
            if kind == INBOX:
                continue
            taken = {path: _looks(server.url, path) for path in paths}
            for path, one in taken.items():
                sys.stderr.write(f"{percentile(one, 0.5):9.1f} {percentile(one, 0.95):9.1f} ms  {path[:100]}\n")
            work = f"pages beside {sizes.looked_through:,} jobs: {kind}"
            every = [one for looks in taken.values() for one in looks]
            yield Figure(f"{work}, p50", system.name, percentile(every, 0.5), "ms")
            slowest = max(percentile(looks, 0.95) for looks in taken.values())
            yield Figure(f"{work}, p95 of the slowest", system.name, slowest, "ms")


def _looks(url: str, path: str) -> list[float]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    taken = []
    for _ in range(LOOKS):
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        taken.append(1_000 * (time.perf_counter() - start))
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path} answered {answer.status}")
    connection.close()
    return taken
