"""Who deserves a lease, on a real database, with processes that only say what they do."""

import asyncio
import os
import time
from uuid import uuid4

import pytest
from sqlalchemy import text
from tests.faulty_database import FaultyDatabase
from uuid_utils.compat import uuid7

from perdure.db.session import Database
from perdure.errors import Unavailable
from perdure.models.lease import WorkerIdentity
from perdure.repositories.worker_repository import WorkerRepository
from perdure.signals import Signals
from perdure.workers.lease_holder import HolderState
from perdure.workers.lease_page import LeasePage, page_file
from perdure.workers.renewer import Renewer

LEASE_SECONDS = 60.0


class Holder:
    """What a parent knows of a child."""

    def __init__(self, worker_id, state=HolderState.RUNNING):
        self.page = LeasePage()
        self.page.worker_id = self.worker_id = worker_id
        self.state = state
        self.is_killed = False

    @property
    def is_renewed(self):
        return self.page.good_until(self.worker_id) > time.monotonic()

    def kill(self):
        self.is_killed = True


async def registered(database, state=HolderState.RUNNING):
    identity = WorkerIdentity(uuid7(), "here", 1, "1", (), (), 1)
    async with database.transaction() as connection:
        await WorkerRepository(connection).register(identity, LEASE_SECONDS)
    return Holder(identity.worker_id, state)


async def known(database):
    async with database.snapshot() as connection:
        return set((await connection.execute(text("SELECT worker_id FROM perdure.workers"))).scalars())


async def test_leases_are_renewed_of_those_who_live_are_not_stopped_and_have_nothing_overdue(database):
    running, overdue = await registered(database), await registered(database)
    stopped, ended = await registered(database, HolderState.STOPPED), await registered(database, HolderState.ENDED)
    unknown = Holder(uuid4())
    overdue.page.overdue_at = time.monotonic() - 0.1
    holders = [running, overdue, stopped, ended, unknown]
    await Renewer(database, Signals(), holders, lease_seconds=LEASE_SECONDS).tick()
    assert [holder.is_renewed for holder in holders] == [True, False, False, False, False]
    assert [holder.is_killed for holder in holders] == [False, True, False, False, False]
    assert await known(database) == {holder.worker_id for holder in (running, overdue, stopped)}, "given up: the ended"
    assert (ended.page.worker_id, running.page.worker_id) == (None, running.worker_id)


async def test_a_renewal_counts_from_the_moment_it_was_sent(database):
    holder, late = await registered(database), FaultyDatabase(database.url)
    late.answers_after_seconds = 0.3
    sent_at = time.monotonic()
    await Renewer(late, Signals(), [holder], lease_seconds=LEASE_SECONDS).tick()
    assert 0 < holder.page.good_until(holder.worker_id) - sent_at - LEASE_SECONDS < 0.3
    await late.close()


async def test_a_renewer_looks_again_when_the_first_may_be_overdue(database):
    holder = await registered(database)
    holder.page.overdue_at = time.monotonic() + 5.0
    assert 0 < await Renewer(database, Signals(), [holder], lease_seconds=LEASE_SECONDS).tick() <= 5.0


async def test_a_database_that_does_not_answer_is_waited_for_no_longer_than_until_the_next_renewal(database):
    holder = await registered(database)
    one_connection = Database(database.url, pool_size=1)
    renewer = Renewer(one_connection, Signals(), [holder], lease_seconds=0.6)
    async with database.transaction() as connection:
        await connection.execute(text("LOCK TABLE perdure.workers"))
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await renewer.tick()
    assert not holder.is_renewed
    renewer = Renewer(one_connection, Signals(), [holder], lease_seconds=LEASE_SECONDS)
    await renewer.tick()
    assert holder.is_renewed, "over a new connection"
    await one_connection.close()


def test_a_page_is_read_by_whoever_has_its_file_and_a_lease_counts_for_its_own_worker_alone():
    file = page_file()
    parents, childs = LeasePage(file), LeasePage(file)
    os.close(file)
    worker, another = uuid7(), uuid7()
    assert (parents.worker_id, childs.good_until(worker), childs.overdue_at) == (None, 0.0, float("inf"))
    childs.worker_id, childs.overdue_at = worker, 7.5
    assert (parents.worker_id, parents.overdue_at) == (worker, 7.5)
    parents.renew(worker, 12.25)
    assert (childs.good_until(worker), childs.good_until(another)) == (12.25, 0.0)
