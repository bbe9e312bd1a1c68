"""What each check finds on a real server, well and ill; and that none of them can break the doctor."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from tests.repositories.test_job_repository import a_job, a_worker, add
from uuid_utils.compat import uuid7

from perdure.core.api_keys import ApiKeys
from perdure.core.doctor import examination, machine_checks
from perdure.core.doctor.examination import examine
from perdure.core.doctor.installation import Installation
from perdure.core.notifications.circuits import note_calls
from perdure.core.notifications.message_templates import MessageTemplates
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.errors import ConfigurationError
from perdure.models.api_key import Scope
from perdure.models.circuit import Call
from perdure.models.delivery import Attempt, Verdict
from perdure.models.finding import Finding, Level
from perdure.models.lease import WorkerIdentity
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.worker_repository import WorkerRepository
from perdure.storage.filesystem import FilesystemStore

NAMES = [check.__name__ for check in examination.CHECKS]
OF_MACHINE = (
    "processors",
    "data_directory",
    "disk",
    "file_store",
    "allowed_recipients",
    "public_url",
    "templates",
    "mail_feedback",
    "unsubscribing",
)
OF_SCHEMA = {"connections", "api_keys", "workers", "ready_jobs", "deliveries", "shared_files"}

ADD_DELIVERY = text("""
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, provider, status, reason, attempts, fence, snapshot,
         next_attempt_at, created_at, finished_at)
    VALUES (:delivery_id, :job_id, 1, 'SUCCESS', 'email', 'mailtrap', :status, :reason, 0, 0, '{}', :due, now(), :end)
""")


def opened(database: Database):
    """Hands the test's own database out: the test closes it."""

    @asynccontextmanager
    async def connect():
        yield database

    return connect


@pytest.fixture
def installation(any_database, tmp_path):
    data_dir = tmp_path / "data"
    return Installation(
        data_dir=data_dir,
        is_embedded=False,
        pool_size=5,
        worker_processes=1,
        lets_others_in=False,
        will_make_key=False,
        allowed_recipients=(),
        job_types=lambda: ["t"],
        connect=opened(any_database),
        providers=lambda: ProviderRegistry([]),
        public_url=None,
        templates=MessageTemplates,
        mails_reach_people=False,
        unsubscribe_links=lambda: None,
        misses_bounces=False,
        files=FilesystemStore(data_dir / "files"),
    )


async def found(installation, name):
    [finding] = [finding for found, finding in await examine(installation) if found == name]
    assert finding.level is Level.OK or finding.advice
    return finding


async def levels(installation):
    return {name: finding.level for name, finding in await examine(installation)}


@asynccontextmanager
async def with_options(installation, options):
    """The installation, its connections begun with server settings of their own."""
    async with installation.connect() as database:
        joint = "&" if "?" in database.url.asyncpg else "?"
        other = Database(DatabaseUrl.parse(f"{database.url.asyncpg}{joint}options={options}"))
    try:
        yield replace(installation, connect=opened(other))
    finally:
        await other.close()


async def test_a_sound_installation_is_all_ok(installation, any_database):
    await a_worker(any_database)
    await add(any_database, a_job(any_database))
    assert await levels(installation) == dict.fromkeys(NAMES, Level.OK) | {
        # The tests' own PostgreSQL 15 runs without fsync.
        "durability": Level.WARN if "pg15" in any_database.url.shown else Level.OK
    }


async def test_safeguards_that_are_off_are_named(installation):
    async with with_options(installation, "-c%20synchronous_commit%3Doff") as careless:
        finding = await found(careless, "durability")
    assert finding.level is Level.WARN
    assert "synchronous_commit is off: a crash of it can lose jobs that were answered 201" in finding.found


async def test_a_server_that_takes_no_writes_is_none(installation):
    async with with_options(installation, "-c%20default_transaction_read_only%3Don") as standby:
        assert await levels(standby) == {
            "database": Level.FAIL,
            **dict.fromkeys(OF_MACHINE, Level.OK),
        }


async def test_a_user_without_rights_is_told_which(installation, any_database):
    role = f"stranger_{uuid7().hex}"
    async with any_database.transaction() as connection:
        await connection.execute(text(f"CREATE ROLE {role}"))
    try:
        async with with_options(installation, f"-c%20role%3D{role}") as strange:
            finding = await found(strange, "privileges")
            assert "GRANT USAGE ON SCHEMA perdure" in finding.advice
            assert not OF_SCHEMA & (await levels(strange)).keys()
            async with any_database.transaction() as connection:
                await connection.execute(text(f"GRANT USAGE ON SCHEMA perdure TO {role}"))
                await connection.execute(
                    text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA perdure TO {role}")
                )
            assert "upgrades are for the schema's owner" in (await found(strange, "privileges")).found
            async with any_database.transaction() as connection:
                await connection.execute(text(f"REVOKE DELETE ON perdure.jobs FROM {role}"))
            assert "may not use jobs" in (await found(strange, "privileges")).found
    finally:
        async with any_database.transaction() as connection:
            await connection.execute(text(f"DROP OWNED BY {role}"))
            await connection.execute(text(f"DROP ROLE {role}"))


async def test_a_schema_that_is_not_there_is_a_failure_only_where_nobody_will_make_it(installation, any_database):
    async def rename(before, after):
        async with any_database.transaction() as connection:
            await connection.execute(text(f"ALTER SCHEMA {before} RENAME TO {after}"))

    await rename("perdure", "elsewhere")
    try:
        given = await levels(installation)
        embedded = await levels(replace(installation, is_embedded=True, lets_others_in=True))
    finally:
        await rename("elsewhere", "perdure")
    assert given["migrations"] is Level.FAIL
    assert embedded["migrations"] is Level.OK
    assert embedded["api_keys"] is Level.FAIL
    assert embedded.keys() & OF_SCHEMA == {"api_keys"}


async def test_a_schema_too_new_is_a_failure(installation, any_database):
    async def set_minimum(version):
        async with any_database.transaction() as connection:
            await connection.execute(text(f"UPDATE perdure.schema_version SET minimum_code_version = {version}"))

    await set_minimum(1000)
    try:
        assert (await found(installation, "migrations")).level is Level.FAIL
    finally:
        await set_minimum(1)


async def test_connections_are_counted_against_what_the_processes_may_take(installation):
    finding = await found(replace(installation, pool_size=100), "connections")
    assert finding.level is Level.WARN
    assert "a server and 1 worker(s) may take 203" in finding.found


async def test_a_clock_that_is_off_is_told(installation, any_database):
    class Slow(Database):
        async def read_clock(self):
            await super().read_clock()
            self.clock.set(self.clock.now() - timedelta(seconds=5))

    slow = Slow(any_database.url)
    try:
        finding = await found(replace(installation, connect=opened(slow)), "clock")
    finally:
        await slow.close()
    assert finding.level is Level.WARN
    assert "5.0 s ahead" in finding.found


async def test_a_server_open_to_others_needs_a_key_that_lives(installation, any_database):
    open_to_others = replace(installation, lets_others_in=True)
    assert (await found(open_to_others, "api_keys")).level is Level.FAIL
    assert (await found(replace(open_to_others, will_make_key=True), "api_keys")).level is Level.OK
    made = await ApiKeys(any_database).create("x", [Scope.READ])
    assert (await found(open_to_others, "api_keys")).level is Level.OK
    await ApiKeys(any_database).revoke(made.key.key_id)
    assert (await found(open_to_others, "api_keys")).level is Level.WARN


async def test_jobs_that_no_living_worker_serves_are_named(installation, any_database):
    assert (await found(installation, "workers")).level is Level.WARN
    await a_worker(any_database, lease_seconds=-1)
    await add(any_database, a_job(any_database))
    assert "t in default" in (await found(installation, "ready_jobs")).found
    await a_worker(any_database)
    await add(any_database, *(a_job(any_database, job_type=f"other{number}") for number in range(7)))
    finding = await found(installation, "ready_jobs")
    assert "t in default" not in finding.found
    assert "other0 in default" in finding.found
    assert finding.found.endswith("and 2 more")


async def test_jobs_that_wait_for_a_worker_that_sees_their_files_are_named(installation, any_database):
    blind = WorkerIdentity(uuid7(), "host", 1, "0", (), ("t",), 1)
    async with any_database.transaction() as connection:
        await WorkerRepository(connection).register(blind, 60, sees_files=False)
    await add(any_database, a_job(any_database))
    assert (await found(installation, "ready_jobs")).level is Level.OK
    await add(any_database, a_job(any_database, names_files=True))
    finding = await found(installation, "ready_jobs")
    assert finding.found == "no worker that sees the file store serves t in default"
    assert "shared_files" in finding.advice
    await a_worker(any_database)
    assert (await found(installation, "ready_jobs")).level is Level.OK


async def test_deliveries_that_nobody_sends_and_those_that_could_not_be_are_counted(installation, any_database):
    async def add_delivery(status, reason, due, delivery_id=None):
        values = {
            "delivery_id": delivery_id or uuid7(),
            "job_id": uuid7(),
            "status": status,
            "reason": reason,
            "due": any_database.clock.now() - timedelta(minutes=2) if due else None,
            "end": None if due else any_database.clock.now(),
        }
        async with any_database.transaction() as connection:
            await connection.execute(ADD_DELIVERY, values)

    long_ago = UUID("018bcfe5-6800-7000-8000-000000000000")
    await add_delivery("SKIPPED", "provider_not_configured", due=False, delivery_id=long_ago)
    await add_delivery("SKIPPED", "channel_disabled", due=False)
    assert (await found(installation, "deliveries")).level is Level.OK
    await add_delivery("PENDING", None, due=True)
    await add_delivery("SKIPPED", "provider_not_configured", due=False)
    await add_delivery("FAILED", "permanent", due=False)
    finding = await found(installation, "deliveries")
    assert finding.level is Level.WARN
    assert [part[:9] for part in finding.found.split("; ")] == ["1 overdue", "1 of the ", "1 of the "]


async def test_what_a_failing_destination_holds_up_is_not_laid_to_a_notifier_that_does_not_run(
    installation, any_database
):
    call = Call(provider="mailtrap", destination="mailtrap", was_probe=False, was_troubled=False)
    refused = Attempt(verdict=Verdict.MISCONFIGURED, status_code=401)
    due = any_database.clock.now() - timedelta(minutes=2)
    values = {"delivery_id": uuid7(), "job_id": uuid7(), "status": "PENDING", "reason": None, "due": due, "end": None}
    async with any_database.transaction() as connection:
        await connection.execute(ADD_DELIVERY, values)
        await connection.execute(text("UPDATE perdure.deliveries SET destination = 'mailtrap'"))
        await note_calls(connection, [(call, refused)], any_database.clock.now())
    assert (await found(installation, "deliveries")).found.startswith("1 held: ")


async def test_a_folder_that_is_not_the_platforms_store_is_told(installation, any_database):
    store_id = uuid4()
    async with any_database.transaction() as connection:
        await FileRepository(connection).make_store(store_id)
    installation.files.mark(uuid4())
    finding = dict(await examine(installation))["shared_files"]
    assert finding.level is Level.FAIL
    assert str(store_id) in finding.found
    installation.files.mark(store_id)
    assert (await found(installation, "shared_files")).level is Level.OK


async def test_a_database_that_cannot_be_reached_hides_nothing_else(installation):
    nowhere = Database(DatabaseUrl.parse("postgresql://u:canary@127.0.0.1:9/d"))
    findings = dict(await examine(replace(installation, connect=opened(nowhere))))
    assert findings["database"].level is Level.FAIL
    assert findings.keys() == {"database", *OF_MACHINE}
    assert "canary" not in str(findings)


class Broken(MailtrapEmailProvider):
    channel = "broken"

    async def check(self):
        raise RuntimeError("canary")


class Hanging(MailtrapEmailProvider):
    channel = "hanging"

    async def check(self):
        await asyncio.Event().wait()


async def test_a_check_that_breaks_or_hangs_is_a_finding_too(installation, monkeypatch):
    def named(kind):
        return kind(MailtrapConfiguration(label=kind.channel))

    monkeypatch.setattr(examination, "CHECK_SECONDS", 0.5)
    findings = dict(
        await examine(replace(installation, providers=lambda: ProviderRegistry([named(Broken), named(Hanging)])))
    )
    assert findings["mailtrap (broken)"].level is Level.FAIL
    assert "RuntimeError" in findings["mailtrap (broken)"].found
    assert "canary" not in str(findings)
    assert findings["mailtrap (hanging)"].level is Level.WARN
    assert [name for name in findings if name in NAMES] == NAMES, "the others are not disturbed"


async def test_what_the_settings_forbid_to_make_is_said(installation):
    def refuse():
        raise ConfigurationError("Mend this.")

    findings = dict(await examine(replace(installation, providers=refuse, job_types=refuse)))
    assert findings["providers"] == findings["processors"] == Finding(Level.FAIL, "Mend this.")


async def test_the_data_directory_and_its_disk(installation, tmp_path, monkeypatch):
    data_dir = installation.data_dir
    files = data_dir / "files"
    files.mkdir(parents=True)
    data_dir.chmod(0o755)
    files.chmod(0o755)
    assert (await found(installation, "data_directory")).advice == f"chmod o-rwx {files}"
    files.chmod(0o750)
    assert (await found(installation, "data_directory")).level is Level.OK
    data_dir.chmod(0o775)
    assert (await found(installation, "data_directory")).advice == f"chmod go-w {data_dir}"
    file = tmp_path / "file"
    file.touch()
    beside = replace(installation, data_dir=file, files=FilesystemStore(file / "files"))
    assert (await found(beside, "data_directory")).level is Level.FAIL
    assert dict(await examine(beside))["file_store"].level is Level.FAIL
    monkeypatch.setattr(machine_checks, "LITTLE_ROOM_BYTES", 2**62)
    assert (await found(installation, "disk")).level is Level.WARN
    monkeypatch.setattr(machine_checks, "NO_ROOM_BYTES", 2**61)
    assert (await found(installation, "disk")).level is Level.FAIL


async def test_it_says_whom_notifications_may_reach(installation):
    assert "everybody" in (await machine_checks.allowed_recipients(installation)).found
    listed = replace(installation, allowed_recipients=("ada@example.com", "@team.test"))
    finding = await machine_checks.allowed_recipients(listed)
    assert (finding.level, "only 2 listed" in finding.found) == (Level.OK, True)
    with pytest.raises(ConfigurationError, match="PERDURE_ALLOWED_RECIPIENTS"):
        await machine_checks.allowed_recipients(replace(installation, allowed_recipients=("http://x/",)))
