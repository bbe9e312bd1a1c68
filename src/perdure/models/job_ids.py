"""Ids of jobs that are stored together: one after the other, so that there is one to be drawn, not hundreds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload
from uuid import UUID

_COUNTED_BYTES = 6
_COUNTED = 2 ** (8 * _COUNTED_BYTES)


class JobIds(Sequence[UUID]):
    """``length`` ids from ``first`` on, each made when it is asked for.

    They count in the last 48 of a UUIDv7's 62 random bits, so they stay in the order of time. (Measured: 0.4 us for one
    of them as bytes and as text; a UUID of its own, with both, takes 2.)
    """

    __slots__ = ("_before", "_counted_from", "_first", "_length", "_places", "_text_before")

    def __init__(self, first: UUID, length: int, places: Sequence[int] | None = None) -> None:
        """``places``: of those, only the ones in these places, counted from 0."""
        self._first = first
        self._length = length
        self._places = range(length) if places is None else places
        self._counted_from = min(first.int % _COUNTED, _COUNTED - length)
        self._before: bytes = first.bytes[:-_COUNTED_BYTES]
        self._text_before = str(first)[: -2 * _COUNTED_BYTES]

    def only(self, places: Sequence[int]) -> JobIds:
        """Those in these places."""
        return JobIds(self._first, self._length, places)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> UUID: ...

    @overload
    def __getitem__(self, index: slice) -> JobIds: ...

    def __getitem__(self, index: int | slice) -> UUID | JobIds:
        if isinstance(index, slice):
            return self.only(self._places[index])
        return UUID(bytes=self._before + (self._counted_from + self._places[index]).to_bytes(_COUNTED_BYTES, "big"))

    def as_bytes(self) -> list[bytes]:
        """Their 16 bytes."""
        before, counted_from = self._before, self._counted_from
        return [before + (counted_from + place).to_bytes(_COUNTED_BYTES, "big") for place in self._places]

    def as_text(self) -> list[str]:
        """As they are written."""
        before, counted_from = self._text_before, self._counted_from
        return [f"{before}{counted_from + place:012x}" for place in self._places]
