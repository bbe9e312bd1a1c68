"""Two thousand events a second, written to the database for some seconds: an open page draws seldom, and keeps nothing.

What is counted is what the tab does (the changes that scripts are told, and the tree's mutations) against the time that
it took; what it holds is measured by Chromium itself, after a forced collection, in the first third against the last.
"""

import asyncio
import json
import threading
from statistics import mean

import asyncpg
import pytest
from playwright.sync_api import expect

PACES, EVENTS_A_PACE = 90, 200
PACE_SECONDS = 0.1
EVERY_MS = 250
LOOK_SECONDS = 0.7
WRITE = """
    INSERT INTO perdure.job_events (job_id, run, attempt, event, at, data)
    SELECT job_id, $1, 0, 'RESTARTED', now(), '{}'
    FROM (SELECT job_id FROM perdure.jobs ORDER BY job_id DESC LIMIT 100) AS newest, generate_series(1, $2)
"""
MOVE = "UPDATE perdure.jobs SET progress = $1 WHERE status = 'RUNNING'"
RING = "SELECT pg_notify('perdure_wakeup', 'jobs_ready')"
COUNT = """
  window.changes = [];
  window.drawn = [];
  document.addEventListener("perdure:changes", () => changes.push(performance.now()));
  const everything = { subtree: true, childList: true, attributes: true, characterData: true };
  addEventListener("DOMContentLoaded", () =>
    new MutationObserver(() => drawn.push(performance.now())).observe(document.querySelector("main"), everything));
"""


async def flood(url: str) -> None:
    """Steps of the newest jobs, evenly over the time, with progress of those that run."""
    connection = await asyncpg.connect(url)
    try:
        began = asyncio.get_running_loop().time()
        for pace in range(PACES):
            await connection.execute(WRITE, pace + 1, EVENTS_A_PACE // 100)
            await connection.execute(MOVE, json.dumps({"percent": pace, "message": f"page {pace}"}))
            await connection.execute(RING)
            await asyncio.sleep(max(began + (pace + 1) * PACE_SECONDS - asyncio.get_running_loop().time(), 0))
    finally:
        await connection.close()


def held(devtools) -> dict[str, float]:
    """What the tab holds when its garbage is collected."""
    devtools.send("HeapProfiler.collectGarbage")
    found = devtools.send("Performance.getMetrics")["metrics"]
    return {
        one["name"]: one["value"] for one in found if one["name"] in ("JSHeapUsedSize", "Nodes", "JSEventListeners")
    }


@pytest.mark.parametrize("path", ["/jobs", "/"])
def test_a_tab_draws_seldom_and_keeps_nothing(page, data, embedded_url, path):
    page.add_init_script(COUNT)
    page.goto(path)
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    started = page.evaluate("performance.now()")
    writing = threading.Thread(target=asyncio.run, args=[flood(embedded_url)])
    writing.start()
    samples = []
    while writing.is_alive():
        samples.append(held(devtools))
        writing.join(LOOK_SECONDS)
    elapsed = page.evaluate("performance.now()") - started
    expect(page.locator("main")).to_contain_text(f"page {PACES - 1}" if path == "/jobs" else "Running")
    most = elapsed / EVERY_MS + 2
    told, drawn = (
        page.evaluate(f"{name}.filter((at) => at <= {started + elapsed}).length") for name in ("changes", "drawn")
    )
    assert 3 <= told <= most
    assert 1 <= drawn <= most
    third = len(samples) // 3
    for name, more in (("JSHeapUsedSize", 500_000), ("Nodes", 200), ("JSEventListeners", 20)):
        first, last = (mean(one[name] for one in some) for some in (samples[:third], samples[-third:]))
        assert last <= 1.05 * first + more, (name, [one[name] for one in samples])
