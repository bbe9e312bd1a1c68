"""Which job types this process can do: the built-in ones, those of installed packages, and the user's own modules."""

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
from perdure.processors.base import Processor

BUILTIN = ("perdure.processors.csv", "perdure.processors.demo")
"""The modules of the built-in job types."""
ENTRY_POINT_GROUP = "perdure.processors"
"""Packages name their modules of processors under this entry point group."""
JOB_TYPE_FORM = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")


class ProcessorRegistry:
    """Processors by job type."""

    def __init__(self, processors: Iterable[Processor] = ()) -> None:
        self._processors: dict[str, Processor] = {}
        for processor in processors:
            self.register(processor)

    @classmethod
    def load(cls, modules: Iterable[str]) -> ProcessorRegistry:
        """Imports every module that has processors and registers them; ``modules`` are the user's own."""
        registry = cls()
        packaged = [point.value for point in entry_points(group=ENTRY_POINT_GROUP)]
        _allow_modules_beside_the_user()
        for name in (*BUILTIN, *packaged, *modules):
            for processor in _processors_of(_import(name)):
                registry.register(processor)
        return registry

    def register(self, processor: Processor) -> None:
        job_type = processor.job_type
        where = f"{processor.function.__module__}.{processor.function.__qualname__}"
        if not JOB_TYPE_FORM.fullmatch(job_type):
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
        self._processors[job_type] = processor

    def get(self, job_type: str) -> Processor | None:
        return self._processors.get(job_type)

    @property
    def job_types(self) -> list[str]:
        return sorted(self._processors)

    def __iter__(self) -> Iterator[Processor]:
        return iter(self._processors.values())

    def __len__(self) -> int:
        return len(self._processors)


def _allow_modules_beside_the_user() -> None:
    """Lets the user's modules be found in the working directory, as ``python -m`` would."""
    here = os.getcwd()  # noqa: PTH109 (sys.path holds strings)
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ConfigurationError(
            f"The module {name!r} with processors cannot be imported: {type(error).__name__}: {error}. "
            "Check PERDURE_PROCESSORS and that the module lies in the working directory or is installed."
        ) from error


def _processors_of(module: ModuleType) -> list[Processor]:
    """The processors that the module made itself, not those it merely imported."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, Processor) and value.function.__module__ == module.__name__
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
    except (NameError, TypeError, PydanticUserError) as error:
        first_line = str(error).splitlines()[0]
        raise ConfigurationError(
            f"{where}: the annotations of the payload or the result cannot be made into a JSON Schema: {first_line} "
            "Use pydantic models or JSON types, defined at the top of the module."
        ) from error
