"""Every page is a stated number of statements, and each reads few rows by an index, however many jobs there are.

The statements are those of the pages as they are asked for, on the benchmark's history, small but longer than any limit
(which are lowered with it), and planned for any values, as the driver's statements come to be. Where all who look share
an answer, it is counted as if it were read anew for each.
"""

import math

import pytest
from benchmarks.long_history import fill
from benchmarks.pages import pages_of
from tests.repositories.test_plans import explain, sent

from perdure.core import job_actions, measuring
from perdure.core.remembered import Remembered
from perdure.dashboard.pages import OF_INBOX, ROUTERS, jobs, notifications
from perdure.repositories import delivery_counts, job_counts, job_search, statistics_queries

JOBS, PERCENT = 5_000, 1
MOST_ROWS = 1_300
"""Of one statement: the newest thousand failures are grouped, and what a limit cuts off has been read."""

STATED = {
    "the overview": 18,
    "all jobs": 3,
    "jobs by state": 3,
    "jobs by one filter": 4,
    "jobs by several filters": 5,
    "jobs by words or an id": 9,
    "what changed among jobs": 3,
    "a job": 8,
    "a job to edit": 1,
    "actions": 1,
    "what an action would do": 6,
    "all deliveries": 5,
    "deliveries by state": 5,
    "deliveries by filters": 5,
    "what changed among deliveries": 5,
    "what sending again would do": 31,
    "sending again": 0,
    "a delivery": 4,
    "the message of a delivery": 1,
    "providers": 2,
    "suppressions": 1,
    "endpoints": 1,
    "subscriptions": 1,
    "queues": 12,
    "schedules": 3,
    "workers": 1,
    "job types": 4,
    "a form": 1,
    "the inbox": 1,
}
"""How many statements a page of each kind is at most."""

FEW = {"api_keys", "circuits", "job_types", "queues", "schedules", "subscriptions", "webhook_endpoints", "workers"}
"""Tables that people or processes fill, not jobs: read whole."""
BY_TIME = {"job_history", "job_tallies"}
"""Tables of which a stretch of time is read, that many rows of each series."""
NO_PAGES = ("/static/", "/sign-in", "/changes", "/files/")


@pytest.fixture
def nothing_remembered(monkeypatch):
    monkeypatch.setattr(Remembered, "get", lambda self: self._ask())
    monkeypatch.setattr(measuring, "MAX_AGE_SECONDS", -1)


@pytest.fixture
def small_limits(monkeypatch):
    for module, name, value in (
        (job_counts, "COUNTED_IN_ALL", 500),
        (job_counts, "COUNTED_BY_TIME", 200),
        (job_counts, "LEAST_OF_EACH", 1),
        (job_counts, "LOOKED_AT", 100),
        (job_search, "FIRST_LOOK", 150),
        (job_search, "LOOKING_SECONDS", math.inf),
        (jobs, "PAGE", 20),
        (notifications, "PAGE", 20),
        (job_actions, "PREVIEW_STRETCH", 25),
        (job_actions, "PREVIEW_LIMIT", 50),
        (job_actions, "PREVIEW_SECONDS", math.inf),
        (delivery_counts, "COUNTED_IN_ALL", 300),
        (delivery_counts, "LEAST_OF_EACH", 1),
        (statistics_queries, "MAX_COUNT_IN_ALL", 1_000),
    ):
        monkeypatch.setattr(module, name, value)


def read(plan):
    """How many rows, or entries of an index, were looked at, of what grows with the number of jobs."""
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in plan.nodes()
        if node["Node Type"] in {"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
        and node["Relation Name"] not in FEW | BY_TIME
    )


def walked_whole(plan):
    """The tables of which every row is looked at, and that are not few."""
    scans = [node for node in plan.nodes() if node["Node Type"] == "Seq Scan"]
    return {node["Relation Name"] for node in scans} - FEW - BY_TIME


async def test_each_page_is_few_statements_that_read_little(
    http, platform, embedded_url, nothing_remembered, small_limits
):
    named = await fill(embedded_url, JOBS, percent=PERCENT)
    await http.get("/jobs")
    wrong, plans = [], {}
    for kind, paths in pages_of(named).items():
        for path in paths:
            with sent(platform.database) as said:
                answer = await http.get(path)
            assert answer.status_code == 200, path
            asked = [one for one in said if not one[0].startswith("SET ") and "api_keys" not in one[0]]
            if len(asked) > STATED[kind]:
                wrong.append(f"{path}: {len(asked)} statements")
            plans |= {(statement, repr(values)): (path, statement, values) for statement, values in asked}
    async with platform.database.snapshot() as connection:
        for path, statement, values in plans.values():
            plan = await explain(connection, statement, values, "generic")
            if walked_whole(plan) or read(plan) > MOST_ROWS:
                wrong.append(f"{path} reads {read(plan)}, walks {walked_whole(plan)}: {plan.statement}")
    assert wrong == []


async def test_no_page_is_forgotten(http, platform, embedded_url):
    named = await fill(embedded_url, 600, percent=1)
    asked = [path.partition("?")[0] for paths in pages_of(named).values() for path in paths]
    routes = [route for router in (*ROUTERS, *OF_INBOX) for route in router.routes if "GET" in route.methods]
    forgotten = {one.path for one in routes if not any(one.path_regex.match(path) for path in asked)}
    assert {path for path in forgotten if not path.startswith(NO_PAGES)} == set()
