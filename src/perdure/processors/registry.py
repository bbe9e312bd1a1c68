"""Which job types this process can do: the built-in ones, those of installed packages, and the user's own modules.

A module is named as ``package.module``, and every processor that it (or a module inside it) made is registered; an
entry point may also name a single one, as ``package.module:attribute``.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from types import ModuleType

from pydantic import PydanticUserError

from perdure.errors import ConfigurationError
from perdure.outbound.addresses import Networks
from perdure.processors.base import Processor

BUILTIN = (
    "perdure.processors.csv",
    "perdure.processors.csv_deduplicate",
    "perdure.processors.csv_to_parquet",
    "perdure.processors.demo",
    "perdure.processors.json",
)
"""The modules of the built-in job types; ``http.request``, which is made for what it may reach, is not among them."""
ENTRY_POINT_GROUP = "perdure.processors"
"""Packages name their modules of processors under this entry point group."""
JOB_TYPE_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,99}$"
"""What a job type may be called."""

_JOB_TYPE = re.compile(JOB_TYPE_PATTERN)


class ProcessorRegistry:
    """Processors by job type."""

    def __init__(self, processors: Iterable[Processor] = ()) -> None:
        self._processors: dict[str, Processor] = {}
        for processor in processors:
            self.register(processor)

    @classmethod
    def load(cls, modules: Iterable[str], *, inside: Networks = ()) -> ProcessorRegistry:
        """Imports every module that has processors and registers them; ``modules`` are the user's own.

        ``inside``: the networks of ours that ``http.request`` may reach, besides the internet.
        """
        from perdure.processors.http import http_request  # its HTTP library, which children of their own do without

        registry = cls([http_request(inside)])
        packaged = [point.value for point in entry_points(group=ENTRY_POINT_GROUP)]
        _allow_modules_beside_the_user()
        for name in dict.fromkeys((*BUILTIN, *packaged, *modules)):
            for processor in _processors_named(name):
                registry.register(processor)
        return registry

    def register(self, processor: Processor) -> None:
        """Takes a processor in; one that is already there, under another name for the same object, is no second."""
        job_type = processor.job_type
        if self._processors.get(job_type) is processor:
            return
        where = f"{processor.function.__module__}.{processor.function.__qualname__}"
        if not _JOB_TYPE.fullmatch(job_type):
            raise ConfigurationError(
                f"{where}: {job_type!r} is no job type. Take lower-case letters, digits, dots, dashes and underscores, "
                "such as report.build."
            )
        if job_type in self._processors:
            other = self._processors[job_type].function
            raise ConfigurationError(
                f"Two processors are called {job_type!r}: {where} and {other.__module__}.{other.__qualname__}. "
                "Rename one of them."
            )
        _check_annotations(processor, where)
        _check_isolation(processor, where)
        self._processors[job_type] = processor

    def get(self, job_type: str) -> Processor | None:
        return self._processors.get(job_type)

    @property
    def job_types(self) -> list[str]:
        return sorted(self._processors)

    def __contains__(self, job_type: object) -> bool:
        return job_type in self._processors

    def __iter__(self) -> Iterator[Processor]:
        return iter(self._processors.values())

    def __len__(self) -> int:
        return len(self._processors)


def processor_in(module_name: str, job_type: str) -> Processor:
    """The processor that a module defines, imported here and now. Raises ``LookupError`` when it defines none such."""
    for value in vars(importlib.import_module(module_name)).values():
        if isinstance(value, Processor) and value.job_type == job_type:
            return value
    raise LookupError(f"the module {module_name!r} defines no processor of {job_type!r} at its top")


def _allow_modules_beside_the_user() -> None:
    """Lets the user's modules be found in the working directory, as ``python -m`` would."""
    here = os.getcwd()  # noqa: PTH109 (sys.path holds strings)
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)


def _processors_named(name: str) -> list[Processor]:
    module_name, _, attribute = name.partition(":")
    module = _import(module_name)
    if not attribute:
        return _processors_of(module)
    found = getattr(module, attribute, None)
    if not isinstance(found, Processor):
        raise ConfigurationError(
            f"{name!r} names no processor. Decorate {attribute!r} in {module_name!r} with @processor(...), or mend the "
            "name where it is given."
        )
    return [found]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"The module {name!r} with processors cannot be imported: {type(error).__name__}: {_first_line(error)}. "
            "Mend that, or check that the name (in PERDURE_PROCESSORS, or in the entry points of a package) is right "
            "and that the module lies in the working directory or is installed."
        ) from error


def _processors_of(module: ModuleType) -> list[Processor]:
    """The processors that the module or one inside it made itself, not those it merely imported."""
    own = (module.__name__, f"{module.__name__}.")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, Processor)
        and (value.function.__module__ == own[0] or value.function.__module__.startswith(own[1]))
    ]
    if not found:
        raise ConfigurationError(
            f'The module {module.__name__!r} has no processors. Decorate a function with @processor("its.name").'
        )
    return found


def _check_annotations(processor: Processor, where: str) -> None:
    """Annotations are needed when the type is published; a mistake in them is the author's to know of at once."""
    try:
        processor.payload_type.json_schema()
        processor.result_type.json_schema(mode="serialization")
    except (NameError, AttributeError, SyntaxError, TypeError, PydanticUserError) as error:
        raise ConfigurationError(
            f"{where}: the annotations of the payload or the result cannot be made into a JSON Schema: "
            f"{_first_line(error)}. Use pydantic models or JSON types, defined at the top of the module."
        ) from error


def _check_isolation(processor: Processor, where: str) -> None:
    """A child process finds the processor by its module, and by nothing else."""
    if processor.isolation is None:
        return
    module = processor.function.__module__
    try:
        found = None if module == "__main__" else processor_in(module, processor.job_type)
    except (ImportError, LookupError):
        found = None
    if found is not processor:
        raise ConfigurationError(
            f"{where}: a processor with isolation is imported by its own process, which does not find it there. Define "
            "it at the top of a module that can be imported, not in a function, nor in the program that is run."
        )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "no reason given").rstrip(". ")
