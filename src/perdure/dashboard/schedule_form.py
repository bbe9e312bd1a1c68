"""A schedule as a form: what its fields hold, and the schedule that they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from perdure.dashboard.formats import pretty
from perdure.dashboard.parts import Form
from perdure.errors import FieldProblem, InvalidInput, ValidationFailed
from perdure.models.schedule import CatchUp, Overlap, Schedule
from perdure.schemas import strict_json
from perdure.schemas.job import Name
from perdure.schemas.reading import field_problems
from perdure.schemas.schedule import ScheduleWrite

_NAME: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleForm:
    """The fields as they are typed, each of them text; ``job`` is JSON."""

    NAMES: ClassVar = ("name", "expression", "time_zone", "job", "catch_up", "overlap")

    name: str = ""
    expression: str = ""
    time_zone: str = "UTC"
    job: str = '{\n  "job_type": ""\n}'
    catch_up: str = CatchUp.LATEST
    overlap: str = Overlap.ALLOW
    paused: bool = False

    @classmethod
    def sent(cls, form: Form) -> ScheduleForm:
        return cls(**{name: form.raw(name).strip() for name in cls.NAMES}, paused=form.get("paused") is not None)

    @classmethod
    def of(cls, schedule: Schedule) -> ScheduleForm:
        return cls(
            name=schedule.name,
            expression=schedule.expression,
            time_zone=schedule.time_zone,
            job=pretty(schedule.job),
            catch_up=schedule.catch_up,
            overlap=schedule.overlap,
            paused=schedule.paused,
        )

    def read(self) -> tuple[str, ScheduleWrite]:
        """The name and the schedule; raises ``ValidationFailed`` with all that is wrong with their shape."""
        problems: list[FieldProblem] = []
        try:
            _NAME.validate_python(self.name)
        except ValidationError:
            message = "must begin with a letter or digit; after it . : - and _ may be in it, too, 100 in all"
            problems.append(FieldProblem("name", message, "name"))
        job: Any = {"job_type": "any"}
        try:
            job = strict_json.decode(self.job.encode())
        except InvalidInput as error:
            problems.append(FieldProblem("job", error.detail.replace("The body", "It"), error.code))
        said = {
            "expression": self.expression,
            "time_zone": self.time_zone or "UTC",
            "job": job,
            "catch_up": self.catch_up,
            "overlap": self.overlap,
            "paused": self.paused,
        }
        try:
            read = ScheduleWrite.model_validate(said)
        except ValidationError as error:
            problems += field_problems(error)
        if problems:
            raise ValidationFailed(problems)
        return self.name, read
