"""How a plain processor of ours ends when its attempt must: it looks now and then, and raises."""

from __future__ import annotations

from perdure.processors.base import JobContext


class Interrupted(Exception):
    """The attempt was told to stop, and did. Its outcome is already decided elsewhere; nobody reads this one."""


def stop_if_cancelled(ctx: JobContext) -> None:
    if ctx.cancelled:
        raise Interrupted("stopped as asked")
