"""Which files may go, and what a claim asks of them, on every PostgreSQL that is there."""

from datetime import timedelta

from sqlalchemy import text
from tests import claiming
from tests.repositories.test_job_repository import a_job, a_worker, add
from uuid_utils.compat import uuid7

from perdure.models.file import File, FileRole
from perdure.repositories.file_repository import FileRepository


async def a_file(database, age=timedelta()) -> File:
    file = File(
        file_id=uuid7(),
        name="f",
        content_type="text/csv",
        size_bytes=3,
        sha256="00",
        created_at=database.clock.now() - age,
    )
    async with database.transaction() as connection:
        files = FileRepository(connection)
        await files.note_bytes(file.file_id, 60)
        await files.add([file])
    return file


async def test_a_row_takes_the_note_of_its_bytes_away(any_database):
    file = await a_file(any_database)
    async with any_database.transaction() as connection:
        files = FileRepository(connection)
        assert await files.get(file.file_id) == file
        await files.hasten_removal([file.file_id])
        assert await files.lock_due(10) == []


async def test_old_files_that_no_job_names_are_removed_in_batches(any_database):
    old = [await a_file(any_database, timedelta(days=2)) for _ in range(4)]
    young = await a_file(any_database)
    job = a_job(any_database)
    await add(any_database, job)
    async with any_database.transaction() as connection:
        await FileRepository(connection).link([(job.job_id, old[1].file_id)], FileRole.OUTPUT)
    removed, before = [], any_database.clock.now() - timedelta(days=1)
    for _ in range(3):
        async with any_database.transaction() as connection:
            removed.append(await FileRepository(connection).delete_unnamed(before, 2))
    unnamed = [file.file_id for file in old if file is not old[1]]
    assert removed == [unnamed[:2], unnamed[2:], []]
    async with any_database.transaction() as connection:
        files = FileRepository(connection)
        assert sorted(await files.lock_due(10)) == unnamed, "their bytes are due"
        assert await files.get(young.file_id) == young
        assert await files.get(old[1].file_id) == old[1]


async def test_a_file_that_a_job_comes_to_name_meanwhile_is_kept(any_database):
    file = await a_file(any_database, timedelta(days=2))
    job = a_job(any_database)
    async with any_database.transaction() as submitting:
        assert await FileRepository(submitting).lock_named([file.file_id, uuid7()]) == {file.file_id}
        async with any_database.transaction() as pruning:
            assert await FileRepository(pruning).delete_unnamed(any_database.clock.now(), 10) == []
        await FileRepository(submitting).link([(job.job_id, file.file_id)], FileRole.INPUT)
    async with any_database.transaction() as pruning:
        assert await FileRepository(pruning).delete_unnamed(any_database.clock.now(), 10) == []


async def test_a_claim_without_the_store_passes_over_jobs_that_name_files(any_database):
    naming, plain = a_job(any_database, names_files=True, priority=9), a_job(any_database)
    await add(any_database, naming, plain)
    worker = await a_worker(any_database)
    for sees_files, wanted in [(False, [plain.job_id]), (True, [naming.job_id])]:
        async with any_database.transaction() as connection:
            claimed = await claiming.claim(connection, "default", ["t"], 10, worker, sees_files=sees_files)
        assert [job.job_id for job in claimed] == wanted


async def test_code_that_knows_nothing_of_files_still_writes_jobs_and_workers(any_database):
    """The migration only adds: the server of the version before runs on while this one is rolled out."""
    async with any_database.transaction() as connection:
        defaults = await connection.execute(
            text(
                "SELECT table_name, column_default FROM information_schema.columns WHERE table_schema = 'perdure' "
                "AND column_name IN ('names_files', 'sees_files') ORDER BY 1"
            )
        )
        assert defaults.all() == [("jobs", "false"), ("workers", "true")]
