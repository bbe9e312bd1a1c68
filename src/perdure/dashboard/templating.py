"""The templates: escaped without exception, and a name that is not given is an error, not a blank."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from perdure.dashboard import charts, formats, icons, states
from perdure.models.api_key import Scope
from perdure.models.job_action import ActionVerb
from perdure.models.lifecycle import JobStatus
from perdure.repositories.id_bounds import FIRST_ID


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("perdure.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= formats.FILTERS
    made.globals |= {
        "icon": icons.icon,
        "ticks": charts.ticks,
        "split": charts.split,
        "look_of": states.look_of,
        "JobStatus": JobStatus,
        "Scope": Scope,
        "ActionVerb": ActionVerb,
        "none_yet": FIRST_ID,
    }
    return made
