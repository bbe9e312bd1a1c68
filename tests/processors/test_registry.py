import subprocess
import sys
import textwrap

import pytest

from perdure.errors import ConfigurationError
from perdure.processors.base import processor
from perdure.processors.registry import ProcessorRegistry


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of the user's beside them, and returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def write(source: str) -> str:
        name = f"jobs_{tmp_path.name}_{len(made)}".replace("-", "_")
        made.append(name)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        return name

    yield write
    for name in made:
        sys.modules.pop(name, None)


def test_the_built_in_types_are_there():
    assert {"csv.profile", "demo.sleep", "demo.fail"} <= set(ProcessorRegistry.load(()).job_types)


def test_modules_of_the_users_are_loaded(module):
    name = module("""
        from perdure import processor
        from pydantic import BaseModel

        class Request(BaseModel):
            n: int

        @processor("my.job", max_retries=7)
        def run(payload: Request) -> int:
            "Counts."
            return payload.n
    """)
    registry = ProcessorRegistry.load([name])
    found = registry.get("my.job")
    assert found is not None
    assert (found.max_retries, found.description) == (7, "Counts.")
    assert found.payload_type.json_schema()["required"] == ["n"]


def test_what_a_module_merely_imports_is_not_registered_twice(module):
    name = module("""
        from perdure import processor
        from perdure.processors.demo import sleep

        @processor("my.job")
        def run(payload: dict) -> None: ...
    """)
    assert "my.job" in ProcessorRegistry.load([name]).job_types


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_like_this", "No module named"),
        ("x = 1", "has no processors"),
        ("def broken(:", "SyntaxError"),
        (
            """
            from perdure import processor
            @processor("demo.sleep")
            def again(payload: dict) -> None: ...
            """,
            "Two processors",
        ),
        (
            """
            from perdure import processor
            @processor("Bad Name")
            def run(payload: dict) -> None: ...
            """,
            "is no job type",
        ),
        (
            """
            from __future__ import annotations
            from perdure import processor
            @processor("my.job")
            def run(payload: Missing) -> None: ...
            """,
            "annotations",
        ),
        (
            """
            from perdure import processor
            @processor("my.job")
            def run() -> None: ...
            """,
            "must take",
        ),
        (
            """
            from perdure import processor
            class Odd: ...
            @processor("my.job")
            def run(payload: Odd) -> None: ...
            """,
            "annotations",
        ),
    ],
)
def test_a_mistake_is_said_with_what_to_do(module, source, said):
    with pytest.raises(ConfigurationError, match=said):
        ProcessorRegistry.load([module(source)])


def test_a_module_that_is_not_there_is_said():
    with pytest.raises(ConfigurationError, match="PERDURE_PROCESSORS"):
        ProcessorRegistry.load(["not.to.be.found"])


def test_only_the_context_is_optional():
    @processor("a.b")
    async def one(payload: int) -> int:
        return payload

    assert one.is_async
    assert not one.takes_context


def test_loading_the_registry_loads_no_engine():
    code = (
        "import sys; from perdure.processors.registry import ProcessorRegistry; ProcessorRegistry.load(()); "
        "print(sorted({'duckdb', 'polars', 'numpy', 'pandas', 'sqlalchemy', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
