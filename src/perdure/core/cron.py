"""When a cron expression is due in a time zone: as Debian's cron has it, through cronsim.

Where clocks are changed, a time that is named (``30 2 * * *``) comes once that day: at the next minute there is, where
it is left out, and the first time, where it comes twice. Where minute or hour is a star (``*/30 * * * *``), time goes
on as if nobody had changed a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from perdure.errors import FieldProblem, ValidationFailed

FIELDS = 5
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_OWN = "localtime"
"""What zoneinfo calls the machine's own zone: each machine means another."""
_FIRST_STRETCH = timedelta(days=1)
_GROWTH = 4


class Cron:
    """The times of one expression in one zone. Raises ``ValidationFailed``, which names what is wrong."""

    def __init__(self, expression: str, time_zone: str) -> None:
        self._expression = _NAMED.get(expression.strip().lower(), expression)
        problems = [_expression_problem(self._expression)]
        try:
            self._zone: tzinfo = UTC if time_zone == "UTC" else ZoneInfo("" if time_zone == _OWN else time_zone)
        except (KeyError, ValueError, OSError):  # there is no such key, or it is none, or names a folder of them
            message = "is no time zone that this server knows; give an IANA name, such as Europe/Berlin or UTC"
            problems.append(FieldProblem("time_zone", message, "time_zone"))
        found = [problem for problem in problems if problem is not None]
        if found:
            raise ValidationFailed(found)

    @property
    def description(self) -> str:
        """The expression in English words."""
        return self._from(datetime.now(UTC)).explain()

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Every time later than ``moment``, in order and in UTC; it ends where there is none for fifty years."""
        latest = moment
        for local in self._from(moment):
            at = local.astimezone(UTC)
            if at > latest:  # the hour that comes twice may have begun anew since the time that is named
                latest = at
                yield at

    def within(self, since: datetime, until: datetime, limit: int) -> list[datetime]:
        """The last ``limit`` times later than ``since`` and not later than ``until``, in order.

        It looks at stretches before ``until`` that grow, so that the cost is that of ``limit`` times, however long
        ago ``since`` is.
        """
        stretch = _FIRST_STRETCH
        while True:
            begin = max(since, until - stretch)
            found = list(takewhile(lambda at: at <= until, self.after(begin)))
            if begin == since or len(found) >= limit:
                return found[-limit:]
            stretch *= _GROWTH

    def upcoming(self, moment: datetime, count: int) -> list[datetime]:
        """The next ``count`` times later than ``moment``."""
        return list(islice(self.after(moment), count))

    def _from(self, moment: datetime) -> CronSim:
        return CronSim(self._expression, moment.astimezone(self._zone))


def _expression_problem(expression: str) -> FieldProblem | None:
    wrong = "Wrong number of fields"
    if len(expression.split()) == FIELDS:  # cronsim takes a sixth, for seconds
        try:
            if next(CronSim(expression, datetime.now(UTC)), None) is not None:
                return None
            wrong = "There is no such day in fifty years"
        except CronSimError as error:
            wrong = str(error)
    message = (
        f"is no cron expression ({wrong}); give minute, hour, day of month, month and day of week, such as "
        "'30 2 * * MON-FRI', or one of @hourly, @daily, @weekly, @monthly, @yearly"
    )
    return FieldProblem("expression", message, "cron_expression")
