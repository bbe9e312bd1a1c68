"""The templates of messages: those beside this file, and the operator's own, which go before them.

The operator's folder is read once, when the process starts, and every template in it is tried on sample jobs then:
one that is broken, that shows what users supply as markup, or that makes a mail too large is refused, with the
process, before any mail depends on it. Should one fail on a real job all the same, the built-in takes its place for
that message: somebody is told, and a log line names the template (docs/decisions/0021-templates.md).

Whatever a user supplied is only ever a value: no template is made from it, and none is looked up by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from css_inline import CSSInliner
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    select_autoescape,
)
from jinja2.sandbox import SandboxedEnvironment

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts, one_line
from perdure.core.notifications.samples import MARKUP, SAMPLE_ID, SAMPLE_TYPE, extremes, sample
from perdure.errors import ConfigurationError
from perdure.signals import Signals, TemplateFailed

MAX_SUBJECT = 150
MAX_HTML_BYTES = 102_000
"""Mail programs cut longer mails off, Gmail first."""
PARTS = ("subject.txt", "txt", "html")
BUILTIN_PREFIX = "perdure"
"""``{% extends "perdure/job_failure.html" %}`` in the operator's folder names the built-in one."""

_SHOWN = {"subject.txt": "subject", "txt": "text", "html": "html"}
_NAMES = {f"job_{event.value.lower()}.{part}": (event, part) for event in JobEvent for part in PARTS}

Values = Mapping[str, Any]

_LEAST_AROUND: Values = {"url": None, "unsubscribe_url": None, "subscription": None}
_MOST_AROUND: Values = {
    "url": f"https://jobs.example.com/jobs/{SAMPLE_ID}",
    "unsubscribe_url": f"https://jobs.example.com/v1/unsubscribe/{SAMPLE_ID.hex}",
    "subscription": "ops",
}
"""What is known beside the job: nothing, and all that can be."""
_NO_SUCH_FACT = re.compile(r"'[\w.]*JobFacts object' has no attribute '(\w+)'")


@dataclass(frozen=True, slots=True)
class Written:
    """The parts of a message. ``templates`` says of each which template it is from."""

    subject: str
    text: str
    html: str
    templates: Mapping[str, str]


class MessageTemplates:
    """Writes the parts of messages. ``folder`` is the operator's; raises ``ConfigurationError`` for what is in it."""

    def __init__(self, folder: Path | None = None, signals: Signals | None = None) -> None:
        self._signals = signals or Signals()
        # Everything that could make the inliner read a file or the network is off; templates are its only input.
        self._inliner = CSSInliner(
            inline_style_tags=True, keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False
        )
        builtin = PackageLoader("perdure.core.notifications", "templates")
        environment = _environment(builtin)
        self._builtin = {key: environment.get_template(name) for name, key in _NAMES.items()}
        self._own: dict[tuple[str | None, JobEvent, str], Template] = {}
        if folder is not None:
            own = FileSystemLoader(folder)
            environment = _environment(ChoiceLoader([own, builtin, PrefixLoader({BUILTIN_PREFIX: builtin})]))
            for name, key in _found(folder).items():
                self._own[key] = _loaded(environment, name)
            self._try_out()

    @property
    def own(self) -> list[str]:
        """The operator's templates, by name."""
        return [_name(template) for template in self._own.values()]

    def write(self, event: JobEvent, job_type: str, values: Values) -> Written:
        """The message of ``event`` of a job of this type. Never fails for a template of the operator's."""
        written = {part: self._part(event, job_type, part, values) for part in PARTS}
        return Written(
            subject=written["subject.txt"][1],
            text=written["txt"][1],
            html=written["html"][1],
            templates={_SHOWN[part]: name for part, (name, _) in written.items()},
        )

    def _part(self, event: JobEvent, job_type: str, part: str, values: Values) -> tuple[str, str]:
        own = self._own.get((job_type, event, part)) or self._own.get((None, event, part))
        if own is not None:
            try:
                return _name(own), self._rendered(own, part, values)
            except Exception as error:  # noqa: BLE001 (somebody is to be told all the same; the cause is logged)
                self._signals.emit(TemplateFailed(_name(own), type(error).__name__))
        builtin = self._builtin[event, part]
        return f"{BUILTIN_PREFIX}/{_name(builtin)}", self._rendered(builtin, part, values)

    def _rendered(self, template: Template, part: str, values: Values) -> str:
        text = template.render(values)
        if part == "subject.txt":
            return one_line(text, MAX_SUBJECT)
        if part == "html":
            text = self._inliner.inline(text)
        if len(text.encode()) >= MAX_HTML_BYTES:
            raise ValueError(f"it makes a mail of more than {MAX_HTML_BYTES:,} bytes")
        return text

    def _try_out(self) -> None:
        for (job_type, event, part), template in self._own.items():
            for around in (_LEAST_AROUND, _MOST_AROUND):
                of_type = job_type or SAMPLE_TYPE
                for snapshot in (sample(event, of_type), *extremes(event, of_type)):
                    values = {"job": JobFacts.of(snapshot), "event": event.value, "platform_name": "Jobs", **around}
                    try:
                        text = self._rendered(template, part, values)
                    except Exception as error:  # noqa: BLE001 (whatever it is, the operator is to mend it)
                        raise _refused(_name(template), error) from None
                    if part == "html" and MARKUP in text:
                        raise _refused(
                            _name(template), ValueError("it shows what users supply as markup: use no |safe")
                        )
                    if part == "subject.txt" and not text:
                        raise _refused(_name(template), ValueError("it makes an empty subject"))


def _environment(loader: BaseLoader) -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=loader,
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _found(folder: Path) -> dict[str, tuple[str | None, JobEvent, str]]:
    """The operator's templates by name: in the folder itself for every job type, in ``TYPE/`` for one."""
    try:
        files = sorted(file for file in (*folder.glob("job_*"), *folder.glob("*/job_*")) if file.is_file())
        if not folder.is_dir():
            raise ConfigurationError("PERDURE_TEMPLATES_DIR names no folder. Make it, or leave the variable unset.")
    except OSError as error:
        raise ConfigurationError(f"PERDURE_TEMPLATES_DIR cannot be read: {error.strerror}.") from None
    unknown = [file.relative_to(folder).as_posix() for file in files if file.name not in _NAMES]
    if unknown:
        raise ConfigurationError(
            f"PERDURE_TEMPLATES_DIR: no message is made from {', '.join(unknown)}. The names are {', '.join(_NAMES)}; "
            "name what others include otherwise than job_…"
        )
    return {
        file.relative_to(folder).as_posix(): (None if file.parent == folder else file.parent.name, *_NAMES[file.name])
        for file in files
    }


def _loaded(environment: SandboxedEnvironment, name: str) -> Template:
    try:
        return environment.get_template(name)
    except (TemplateError, ValueError, OSError) as error:
        raise _refused(name, error) from None


def _name(template: Template) -> str:
    return template.name or ""


def _refused(name: str, error: Exception) -> ConfigurationError:
    line = f" (line {error.lineno} of {error.name})" if isinstance(error, TemplateSyntaxError) else ""
    said = _NO_SUCH_FACT.sub(r"there is no job.\1", one_line(str(error)))
    return ConfigurationError(f"PERDURE_TEMPLATES_DIR: {name} cannot be used{line}: {said}.")
