"""Health, metrics and statistics over HTTP, with the database and without it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from perdure.app import create_monitor
from perdure.core import authentication, measuring
from perdure.core.api_keys import ApiKeys
from perdure.models.api_key import Scope


@pytest.fixture
async def monitor(platform) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of what a worker answers."""
    transport = httpx2.ASGITransport(create_monitor(platform), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def lose_database(platform):
    await platform.database.engine.dispose()
    platform.database.url = platform.database.url.parse("postgresql://nobody@127.0.0.1:1/none")


async def test_health_and_readiness(http):
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).json() == {"status": "ready"}


async def test_statistics_tell_what_waits(http):
    for declared in ({}, {"delay_seconds": 60}, {"queue": "mail"}):
        await http.post("/v1/jobs", json={"job_type": "demo.sleep"} | declared)
    found = (await http.get("/v1/stats")).json()
    assert (found["queued"], found["scheduled"], found["retrying"], found["running"]) == (2, 1, 0, 0)
    assert [one["queue"] for one in found["queues"]] == ["default", "mail"]
    assert found["oldest_waiting_seconds"] >= 0
    assert found["deliveries"] == {}


async def test_whoever_asks_within_seconds_gets_the_same_answer(http, monkeypatch):
    first = (await http.get("/v1/stats")).json()
    await http.post("/v1/jobs", json={"job_type": "demo.sleep"})
    assert (await http.get("/v1/stats")).json() == first
    monkeypatch.setattr(measuring, "MAX_AGE_SECONDS", 0.0)
    assert (await http.get("/v1/stats")).json()["queued"] == 1


async def test_metrics_tell_what_was_counted_and_how_it_stands(http):
    await http.post("/v1/jobs", json={"job_type": "demo.sleep"})
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'perdure_jobs_submitted_total{job_type="demo.sleep"} 1.0' in answer.text
    assert 'perdure_jobs_waiting{queue="default",state="QUEUED"} 1.0' in answer.text


async def test_a_worker_answers_those_who_watch_it_and_nobody_else(monitor):
    assert (await monitor.get("/healthz")).status_code == 200
    assert "perdure_up 1.0" in (await monitor.get("/metrics")).text
    assert (await monitor.get("/v1/jobs")).status_code == 404


async def test_without_the_database_metrics_go_on(monitor, platform, monkeypatch):
    monkeypatch.setattr(measuring, "MAX_AGE_SECONDS", 0.0)
    await monitor.get("/metrics")
    await lose_database(platform)
    answer = await monitor.get("/metrics")
    assert answer.status_code == 200
    assert "perdure_up 0.0" in answer.text
    assert "perdure_leases_lost_total 0.0" in answer.text
    assert "perdure_jobs_running" not in answer.text
    assert (await monitor.get("/metrics", headers={"host": "rebound.example.com"})).status_code == 403
    assert (await monitor.get("/readyz")).status_code == 503


async def test_without_the_database_a_key_is_judged_by_what_was_read_of_it(monitor, platform, monkeypatch):
    monkeypatch.setattr(authentication, "FRESH_SECONDS", 0.0)
    keys = ApiKeys(platform.database)
    reader, sender, late = [
        {"authorization": f"Bearer {(await keys.create(name, [scope])).token}"}
        for name, scope in [("reader", Scope.READ), ("sender", Scope.SUBMIT), ("late", Scope.READ)]
    ]
    assert (await monitor.get("/metrics")).status_code == 401
    assert (await monitor.get("/metrics", headers=reader)).status_code == 200
    assert (await monitor.get("/metrics", headers=sender)).status_code == 403
    await lose_database(platform)
    assert (await monitor.get("/metrics", headers=reader)).status_code == 200
    for stranger in (sender, late):
        assert (await monitor.get("/metrics", headers=stranger)).status_code == 503
    assert (await monitor.get("/metrics")).status_code == 401
