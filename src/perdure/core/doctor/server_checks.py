"""What the database server is like: whether it keeps what it is given, and has room for our connections."""

from __future__ import annotations

from datetime import UTC, datetime

from perdure.core.doctor.installation import DatabaseCheck, Installation
from perdure.db import migrate
from perdure.db.session import Database
from perdure.models.finding import Finding, Level
from perdure.repositories.doctor_queries import DoctorQueries

OLDEST_MAJOR_VERSION = 15
CLOCK_TOLERANCE_SECONDS = 1.0
BUSY_SHARE = 0.9

_DANGERS = {
    "fsync": "a crash of its machine can ruin the whole database",
    "full_page_writes": "a crash of its machine can ruin pages",
    "synchronous_commit": "a crash of it can lose jobs that were answered 201",
}


async def database(installation: Installation, database: Database) -> Finding:
    """The database can be reached, is PostgreSQL 15 or newer, and takes writes."""
    await database.read_clock()
    async with database.snapshot() as connection:
        server = await DoctorQueries(connection).server()
    place = "embedded" if installation.is_embedded else database.url.shown
    found = f"PostgreSQL {server['version']}, {place}"
    if server["major_version"] < OLDEST_MAJOR_VERSION:
        return Finding(Level.FAIL, found, f"Perdure needs PostgreSQL {OLDEST_MAJOR_VERSION} or newer.")
    if server["read_only"]:
        return Finding(Level.FAIL, f"{found}: it takes no writes", "Name the primary in PERDURE_DATABASE_URL.")
    return Finding(Level.OK, found)


async def privileges(_installation: Installation, database: Database) -> Finding:
    """The database's user may make the schema `perdure`, or use every table in it."""
    async with database.snapshot() as connection:
        may = await DoctorQueries(connection).privileges()
    if not may["schema_exists"]:
        if may["may_create"]:
            return Finding(Level.OK, "the user may make the schema")
        return Finding(
            Level.FAIL,
            "there is no schema `perdure`, and the user may not make it",
            "GRANT CREATE ON DATABASE … to the user, or run `perdure db upgrade` once as one who may.",
        )
    if not may["may_use"] or may["closed"]:
        return Finding(
            Level.FAIL,
            f"the user may not use {', '.join(may['closed']) or 'the schema'}",
            "GRANT USAGE ON SCHEMA perdure, and SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA perdure.",
        )
    upgrades = "" if may["is_owner"] else "; upgrades are for the schema's owner"
    return Finding(Level.OK, f"the user may use every table{upgrades}")


async def migrations(installation: Installation, database: Database) -> Finding:
    """The schema is the one that this version of Perdure works on."""
    state = await migrate.state(database)
    if state.missing and installation.is_embedded:
        return Finding(Level.OK, "the next start brings the schema up to date")
    if state.missing:
        return Finding(Level.FAIL, f"{len(state.missing)} migrations are missing", "Run `perdure db upgrade`.")
    if state.is_too_new:
        return Finding(
            Level.FAIL, "the schema is too new for this version", "Install the version of Perdure that upgraded it."
        )
    is_ahead = state.current not in migrate.revisions()
    return Finding(Level.OK, "the schema is newer, and suits this version" if is_ahead else "the schema is up to date")


async def durability(_installation: Installation, database: Database) -> Finding:
    """The server keeps what it has confirmed: fsync, full_page_writes and synchronous_commit are on."""
    async with database.snapshot() as connection:
        off = await DoctorQueries(connection).safeguards_off()
    if not off:
        return Finding(Level.OK, "what the server has confirmed outlives a crash")
    dangers = "; ".join(f"{name} is off: {_DANGERS[name]}" for name in off)
    return Finding(Level.WARN, dangers, f"Switch {', '.join(off)} on in the server's configuration.")


async def clock(_installation: Installation, database: Database) -> Finding:
    """This machine's clock agrees with the database's to a second (only the database's counts)."""
    await database.read_clock()
    ahead = (datetime.now(UTC) - database.clock.now()).total_seconds()
    if abs(ahead) <= CLOCK_TOLERANCE_SECONDS:
        return Finding(Level.OK, "agrees with the database's")
    return Finding(
        Level.WARN,
        f"this machine is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the database",
        "Jobs go by the database's clock alone, but logs do not: set this machine's by NTP.",
    )


async def connections(installation: Installation, database: Database) -> Finding:
    """The server has connections enough for the known workers, a parent each, and one more process."""
    async with database.snapshot() as connection:
        queries = DoctorQueries(connection)
        found = await queries.connections()
        alive = (await queries.workers())["alive"]
    workers = max(alive, installation.worker_processes)
    needed = (workers + 1) * (installation.pool_size + 1) + workers  # a pool and one that listens; a parent has one
    said = f"{found['in_use']} of {found['available']} in use; a server and {workers} worker(s) may take {needed}"
    if needed <= found["available"] and found["in_use"] <= BUSY_SHARE * found["available"]:
        return Finding(Level.OK, said)
    advice = "Raise max_connections of the server, lower PERDURE_DATABASE_POOL_SIZE, or run fewer processes."
    return Finding(Level.WARN, said, advice)


CHECKS: tuple[DatabaseCheck, ...] = (durability, clock)
"""Those that need no schema; ``database``, ``privileges`` and ``migrations`` say what can be looked at."""
