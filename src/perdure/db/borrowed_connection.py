"""A connection that is not ours, for a few statements of ours in its owner's transaction. Nothing is committed here.

Whatever its driver and its settings: every parameter travels as text, arrays as PostgreSQL writes them, and every row
comes back as one JSON text. So no codec, loader or row factory of the owner's has a say in it.

Works with SQLAlchemy's connections and sessions and with psycopg's connections, of both kinds, and with asyncpg's.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import namedtuple
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import TextClause, TextualSelect, text

Result = TypeVar("Result")
Parameters = dict[str, str]
Fetch = Callable[[str, Parameters], Awaitable[Sequence[str]]]
"""Carries out a statement with ``:name`` for each parameter; returns the first column of its rows."""

_PARAMETER = re.compile(r"(?<![:\w]):(\w+)(?!:)")
_SPECIAL = re.compile(r'(["\\])')


class BorrowedConnection:
    """As much of SQLAlchemy's ``AsyncConnection`` as repositories need for statements with arrays."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def execute(
        self, statement: TextClause | TextualSelect, parameters: Mapping[str, Sequence[Any]] | None = None
    ) -> Rows:
        sql = _PARAMETER.sub(r"CAST(:\1 AS text)", str(statement))
        if sql.lstrip().startswith("SELECT") or "RETURNING" in sql:
            sql = f"WITH answer AS ({sql}) SELECT CAST(row_to_json(answer) AS text) FROM answer"  # noqa: S608 (ours)
        arrays = {name: _array(values) for name, values in (parameters or {}).items()}
        return Rows([orjson.loads(row) for row in await self._fetch(sql, arrays)])


class Rows:
    """What a statement answered."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = [{name: _value(name, value) for name, value in row.items()} for row in rows]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Each as a tuple with names."""
        names = list(self._rows[0]) if self._rows else []
        kind = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024 (its fields are known here alone)
        return (kind(**row) for row in self._rows)

    def mappings(self) -> Sequence[dict[str, Any]]:
        return self._rows

    def scalars(self) -> list[Any]:
        return [row[0] for row in self]


def borrow(connection: Any) -> BorrowedConnection:
    """A connection or session of blocking code. What is awaited over it never waits: see ``completed``."""
    owner = _owner(connection)
    if owner == "psycopg" and not _is_asynchronous(connection):
        return BorrowedConnection(_over_psycopg(connection))
    if owner == "sqlalchemy" and not _is_asynchronous(connection):
        return BorrowedConnection(_over_sqlalchemy(connection))
    raise TypeError(
        "enqueue() takes a Connection or Session of SQLAlchemy or a Connection of psycopg. "
        "Those of asyncio go to enqueue_async()."
    )


def borrow_async(connection: Any) -> BorrowedConnection:
    """A connection or session of asyncio code."""
    owner = _owner(connection)
    if owner == "asyncpg":
        return BorrowedConnection(_over_asyncpg(connection))
    if owner == "psycopg" and _is_asynchronous(connection):
        return BorrowedConnection(_over_async_psycopg(connection))
    if owner == "sqlalchemy" and _is_asynchronous(connection):
        return BorrowedConnection(_over_async_sqlalchemy(connection))
    raise TypeError(
        "enqueue_async() takes an AsyncConnection or AsyncSession of SQLAlchemy, an AsyncConnection of psycopg or a "
        "Connection of asyncpg. Those of blocking code go to enqueue()."
    )


def completed(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of ``work`` over a connection of blocking code, where nothing is ever waited for."""
    try:
        work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    work.close()
    raise RuntimeError("over a connection of blocking code nothing is waited for")


def _owner(connection: Any) -> str | None:
    """Whose class it is: the user's own subclasses count as what they derive from."""
    roots = {kind.__module__.partition(".")[0] for kind in type(connection).__mro__}
    return next((root for root in ("sqlalchemy", "psycopg", "asyncpg") if root in roots), None)


def _is_asynchronous(connection: Any) -> bool:
    return inspect.iscoroutinefunction(type(connection).execute)


def _over_sqlalchemy(connection: Any) -> Fetch:
    async def fetch(sql: str, parameters: Parameters) -> Sequence[str]:
        result = connection.execute(text(sql), parameters)
        return [row[0] for row in result] if result.returns_rows else []

    return fetch


def _over_async_sqlalchemy(connection: Any) -> Fetch:
    async def fetch(sql: str, parameters: Parameters) -> Sequence[str]:
        result = await connection.execute(text(sql), parameters)
        return [row[0] for row in result] if result.returns_rows else []

    return fetch


def _over_psycopg(connection: Any) -> Fetch:
    async def fetch(sql: str, parameters: Parameters) -> Sequence[str]:
        with sys.modules["psycopg"].Cursor(connection, row_factory=_first_column) as cursor:
            cursor.execute(_named_in_brackets(sql), parameters)
            return cursor.fetchall() if cursor.description else []

    return fetch


def _over_async_psycopg(connection: Any) -> Fetch:
    async def fetch(sql: str, parameters: Parameters) -> Sequence[str]:
        async with sys.modules["psycopg"].AsyncCursor(connection, row_factory=_first_column) as cursor:
            await cursor.execute(_named_in_brackets(sql), parameters)
            return await cursor.fetchall() if cursor.description else []

    return fetch


def _over_asyncpg(connection: Any) -> Fetch:
    async def fetch(sql: str, parameters: Parameters) -> Sequence[str]:
        numbers = {name: f"${number}" for number, name in enumerate(parameters, 1)}
        numbered = _PARAMETER.sub(lambda found: numbers[found[1]], sql)
        return [row[0] for row in await connection.fetch(numbered, *parameters.values())]

    return fetch


def _named_in_brackets(sql: str) -> str:
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def _first_column(_cursor: Any) -> Callable[[Sequence[Any]], Any]:
    """A row factory of psycopg."""
    return lambda values: values[0]


def _array(values: Sequence[Any]) -> str:
    """An array as PostgreSQL reads it, whatever its elements' type (its documentation, section 8.15.6)."""
    return f"{{{','.join(_element(value) for value in values)}}}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    written = value.isoformat() if isinstance(value, datetime) else str(value)
    return '"' + _SPECIAL.sub(r"\\\1", written) + '"'


def _value(name: str, value: Any) -> Any:
    """JSON knows no ids: those of ours are told by their names."""
    return UUID(value) if name.endswith("_id") and value is not None else value
