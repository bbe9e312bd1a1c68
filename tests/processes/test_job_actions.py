"""An action on a thousand jobs, whose processes are killed (kill -9) one after the other."""

from functools import partial
from signal import SIGKILL

from sqlalchemy import text
from tests import history
from tests.history import Past
from tests.installation import until
from tests.processes.dying import die_at
from tests.processes.forked import Forks

from perdure.client import calls
from perdure.client.client import Client
from perdure.models.lifecycle import JobStatus

NOTHING = {f"run_{loop}": False for loop in ("notifier", "promoter", "sweeper", "pruner", "actions")}
CANCELLED = text("SELECT count(*), count(DISTINCT job_id) FROM perdure.job_events WHERE event = 'CANCELLED'")


async def cancelled(database):
    """How often a job was cancelled, and how many jobs were."""
    async with database.snapshot() as connection:
        return tuple((await connection.execute(CANCELLED)).one())


async def test_each_job_is_acted_on_once_whoever_is_killed(database, embedded_url, tmp_path):
    await history.write(database, [Past(JobStatus.QUEUED)] * 1_000)
    with Forks(tmp_path, database_url=embedded_url, **NOTHING) as forks:
        carry_out = partial(forks.start, serves=True, run_actions=True)
        with Client(forks.start(serves=True).url) as client:
            action = client.call(calls.start_action("cancel", {"status": ["QUEUED"]}))

            def stands():
                return client.call(calls.get_action(action["action_id"]))

            assert carry_out(partial(die_at, "acted on, not committed")).end() == -SIGKILL
            assert (stands()["done"], await cancelled(database)) == (0, (0, 0))
            assert carry_out(partial(die_at, "acted on, not announced")).end() == -SIGKILL
            assert (stands()["done"], await cancelled(database)) == (200, (200, 200))
            killed, _other = carry_out(), carry_out()
            until(lambda: stands()["done"] > 200)
            killed.close()
            until(lambda: stands()["status"] == "DONE")
            assert (stands()["done"], stands()["skipped"]) == (1_000, {})
    assert await cancelled(database) == (1_000, 1_000)
