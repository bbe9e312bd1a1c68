"""A lane: the ready jobs of one queue that the same limits hold for, those of their type and of their key."""

from __future__ import annotations

from typing import NamedTuple


class LaneName(NamedTuple):
    """``key`` is empty where the type alone is limited. Lanes are walked in this order, and indexed in it."""

    queue: str
    job_type: str
    key: str


BEFORE_ALL = LaneName("", "", "")
"""No lane's name is before it."""
MAX_LANES = 500
"""So many are looked at in one walk; the next goes on where it ended."""


class Lane(NamedTuple):
    """A lane as a walk found it.

    ``has_room``: its limits let more jobs run; ``is_held``: whoever asked may start them, and until the end of the
    transaction nobody else may. One that has room and is not held is being claimed from just now, or was left for the
    next walk.
    """

    name: LaneName
    has_room: bool
    is_held: bool
