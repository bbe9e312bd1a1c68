"""The page of settings."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo

from documentation.markdown import code, page, table
from perdure.settings import Settings, variables

_INTRODUCTION = """
Read once, when a process starts: flags before the environment, before `.env` in the working directory, before the
defaults. Any variable can be read from a file instead: `MAILTRAP_API_KEY_FILE=/run/secrets/key` stands for
`MAILTRAP_API_KEY`. Empty counts as unset.

The providers' variables (`MAILTRAP_…`, `SMTP_URL`, `MAIL_FROM_…`, `SLACK_…`, `WEBHOOK_…`, and those of packages) are
needed wherever a notifier runs: in `perdure serve` and in `perdure worker`, unless `PERDURE_RUN_NOTIFIER=false`.
`MAILTRAP_WEBHOOK_SECRET` is for `perdure serve` alone.
"""
_CLIENTS = """
Commands and clients also read `PERDURE_URL` (where the server is, http://127.0.0.1:8080) and `PERDURE_API_KEY`.
"""


def render() -> str:
    rows = [
        [" or ".join(map(code, variables(name))), _default(field), _description(name, field)]
        for name, field in Settings.model_fields.items()
    ]
    return page("Settings", _INTRODUCTION, table(["variable", "default", "what it is"], rows), _CLIENTS)


def _default(field: FieldInfo) -> str:
    """As one would write it into the environment."""
    return _written(field.get_default())


def _written(value: Any) -> str:
    match value:
        case None | ():
            return "none"
        case tuple():
            return ",".join(map(_written, value))
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _description(name: str, field: FieldInfo) -> str:
    if not field.description:
        raise LookupError(f"Settings.{name} has no description")
    return field.description
