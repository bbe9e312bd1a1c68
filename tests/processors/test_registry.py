"""Where processors are looked for, and that every mistake of an author's is a ConfigurationError that says what to do.

Each test starts in a working directory of its own, which is not on ``sys.path``.
"""

import importlib
import math
import subprocess
import sys
import textwrap

import pytest

from perdure.errors import ConfigurationError
from perdure.models.retry import RetryPolicy
from perdure.processors.base import processor
from perdure.processors.registry import BUILTIN, ENTRY_POINT_GROUP, ProcessorRegistry, processor_in


@pytest.fixture(autouse=True)
def _a_directory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])


@pytest.fixture
def module(tmp_path):
    """Writes a module of the user's in the working directory, and returns its name."""
    made = []

    def write(source: str) -> str:
        name = f"jobs_{tmp_path.name}_{len(made)}".replace("-", "_")
        made.append(name)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        return name

    yield write
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes as if a package were installed that names a module of processors as an entry point."""
    site = tmp_path / "site"

    def install(value: str) -> None:
        information = site / "acme_jobs-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-jobs\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nacme = {value}\n")
        sys.path.append(str(site))
        importlib.invalidate_caches()

    return install


A_JOB = """
    from perdure import processor
    from pydantic import BaseModel

    class Request(BaseModel):
        n: int

    @processor("my.job", max_retries=7)
    def run(payload: Request) -> int:
        "Counts."
        return payload.n
"""


def test_the_built_in_types_are_there():
    registry = ProcessorRegistry.load(())
    assert {"csv.profile", "demo.sleep", "demo.fail"} <= set(registry.job_types)
    assert registry.job_types == sorted(one.job_type for one in registry)
    assert len(registry) == len(registry.job_types)
    assert registry.get("csv.profile").max_retries == 3
    assert registry.get("not.there") is None


@pytest.mark.parametrize("name", BUILTIN)
def test_each_built_in_module_has_processors(name):
    made = [one for one in ProcessorRegistry.load(()) if one.function.__module__ == name]
    assert made
    assert all(one.description for one in made)


def test_modules_beside_the_user_are_loaded(module):
    found = ProcessorRegistry.load([module(A_JOB)]).get("my.job")
    assert found is not None
    assert (found.max_retries, found.description) == (7, "Counts.")
    assert found.payload_type.json_schema()["required"] == ["n"]
    assert found.function(found.payload_type.validate_python({"n": 3})) == 3


def test_a_module_beside_the_user_hides_none_that_is_installed(tmp_path):
    (tmp_path / "json.py").write_text("raise RuntimeError('the wrong one')")
    ProcessorRegistry.load(())
    assert sys.path[-1] == str(tmp_path)


def test_the_working_directory_is_added_once(tmp_path):
    for _ in range(2):
        ProcessorRegistry.load(())
    assert sys.path.count(str(tmp_path)) == 1


def test_modules_of_installed_packages_are_loaded(module, package):
    package(module(A_JOB))
    assert "my.job" in ProcessorRegistry.load(()).job_types


@pytest.mark.parametrize("value", ["acme_is_not_there", "acme_is_not_there.jobs"])
def test_a_broken_package_is_said_by_name(package, value):
    package(value)
    with pytest.raises(ConfigurationError, match="acme_is_not_there"):
        ProcessorRegistry.load(())


def test_what_a_module_merely_imports_is_not_registered_twice(module):
    name = module("""
        from perdure import processor
        from perdure.processors.demo import sleep

        @processor("my.job")
        def run(payload: dict) -> None: ...
    """)
    assert "my.job" in ProcessorRegistry.load([name]).job_types


def test_a_module_that_only_imports_processors_has_none(module):
    with pytest.raises(ConfigurationError, match="has no processors"):
        ProcessorRegistry.load([module("from perdure.processors.demo import sleep")])


HEAD = """
    from __future__ import annotations
    from perdure import processor
    class Odd: ...
"""


def declared(job_type: str, annotation: str = "dict", *, result: str = "None", parameters: str = "payload: {}") -> str:
    return f"""
    @processor({job_type!r})
    def run({parameters.format(annotation)}) -> {result}: ...
    """


def isolated(isolation: str) -> str:
    return f"""
    @processor("my.job", isolation={isolation})
    def run(payload: dict) -> None: ...
    """


def limits(declared: str) -> str:
    return f"""
    @processor("my.job", {declared})
    def run(payload: dict) -> None: ...
    """


ISOLATED = isolated("'process'")

MISTAKES = {
    "it imports what is not there": ("    import nothing_like_this", "nothing_like_this.*PERDURE_PROCESSORS"),
    "it is no Python": ("    def broken(:", "SyntaxError.*PERDURE_PROCESSORS"),
    "it raises": ("    raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "it has none": ("    x = 1", "has no processors.*@processor"),
    "a built-in has the name": (declared("demo.sleep"), "Two processors.*demo.sleep.*Rename"),
    "two have one name": (declared("my.job") + declared("my.job").replace("run", "again"), "Two processors.*Rename"),
    "an unknown payload": (declared("my.job", "Missing"), "annotations.*Missing.*top of the module"),
    "an unknown result": (declared("my.job", result="Missing"), "annotations.*Missing.*top of the module"),
    "a payload that is no JSON": (declared("my.job", "Odd"), "annotations.*pydantic models"),
    "a result that is no JSON": (declared("my.job", result="Odd"), "annotations.*pydantic models"),
    "an unknown isolation": (isolated("'thread'"), "isolation must be"),
    "a limit of memory for all": (isolated("None, memory_mb=512"), "memory_mb.*isolation="),
    "too little memory": (isolated("'process', memory_mb=63"), "memory_mb.*64"),
    "nothing may run": (limits("max_concurrent=0"), "max_concurrent must be from 1"),
    "nothing of a key may run": (limits("max_concurrent_per_key=0"), "max_concurrent_per_key must be from 1"),
    "no parameter": (declared("my.job", parameters=""), r"must take \(payload\)"),
    "three parameters": (declared("my.job", parameters="payload, ctx, more"), r"must take \(payload\)"),
}


@pytest.mark.parametrize(("source", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_said_with_what_to_do(module, source, said):
    with pytest.raises(ConfigurationError, match=f"(?s){said}"):
        ProcessorRegistry.load([module(HEAD + source)])


@pytest.mark.parametrize("name", ["Bad Name", "", "-x", ".x", "Report", "a/b", "a" * 101, "ä", "a\n", "a:b"])
def test_a_bad_name_is_refused(name):
    @processor(name)
    def run(payload: int) -> int:
        return payload

    with pytest.raises(ConfigurationError, match=r"is no job type.*report\.build"):
        ProcessorRegistry([run])


@pytest.mark.parametrize("name", ["a", "9", "report.build", "a-b_c.d", "a" * 100])
def test_a_good_name_is_taken(name):
    @processor(name)
    def run(payload: int) -> int:
        return payload

    assert ProcessorRegistry([run]).get(name) is run


@pytest.mark.parametrize("name", ["not.to.be.found", "nothing_here"])
def test_a_module_that_is_not_there_is_said(name):
    with pytest.raises(ConfigurationError, match=rf"{name}.*PERDURE_PROCESSORS.*working directory"):
        ProcessorRegistry.load([name])


def test_a_failed_load_leaves_the_cause(module):
    with pytest.raises(ConfigurationError) as raised:
        ProcessorRegistry.load([module("    raise RuntimeError('no licence')")])
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_an_isolated_processor_must_stand_where_it_can_be_imported_from():
    @processor("my.job", isolation="process")
    def run(payload: dict) -> None: ...

    with pytest.raises(ConfigurationError, match=r"<locals>\.run: .*isolation.*top of a module"):
        ProcessorRegistry([run])


def test_a_program_is_no_module_to_import_from(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(HEAD + ISOLATED)
        + "from perdure.processors.registry import ProcessorRegistry\nProcessorRegistry([run])"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert "ConfigurationError" in done.stderr
    assert "the program that is run" in done.stderr


def test_an_isolated_processor_is_found_by_its_module(module):
    name = module(HEAD + ISOLATED)
    registry = ProcessorRegistry.load([name])
    found = registry.get("my.job")
    assert (found.isolation, found.memory_mb, found.runs_in_thread) == ("process", None, False)
    assert processor_in(name, "my.job") is found


def test_only_the_context_is_optional():
    @processor("a.b")
    async def one(payload: int) -> int:
        return payload

    @processor("a.c")
    def two(payload, ctx): ...

    assert (one.is_async, one.takes_context) == (True, False)
    assert (two.is_async, two.takes_context) == (False, True)
    assert two.payload_type.validate_python({"anything": [1]}) == {"anything": [1]}


def test_loading_the_registry_loads_no_engine():
    code = (
        "import sys; from perdure.processors.registry import ProcessorRegistry; ProcessorRegistry.load(()); "
        "print(sorted({'duckdb', 'polars', 'pyarrow', 'numpy', 'pandas', 'sqlalchemy', 'fastapi', 'asyncpg'} "
        "& set(sys.modules)), 'perdure.processors.csv' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"


def test_a_processor_under_two_names_or_named_twice_is_one(module):
    name = module("""
        from perdure import processor
        @processor("my.job")
        def run(payload: dict) -> None: ...
        alias = run
    """)
    registry = ProcessorRegistry.load([name, name, f"{name}:alias"])
    assert "my.job" in registry
    assert "my.other" not in registry


def test_an_attribute_that_is_no_processor_is_said(module):
    with pytest.raises(ConfigurationError, match="names no processor"):
        ProcessorRegistry.load([module("run = 1") + ":run"])


def test_a_module_that_ends_the_program_is_said_in_one_line(module):
    with pytest.raises(ConfigurationError, match="SystemExit") as raised:
        ProcessorRegistry.load([module("import sys; sys.exit('no database\\nand more')")])
    assert "\n" not in raised.value.detail


def test_a_package_may_gather_the_processors_of_its_modules(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "gathered_jobs"
    package.mkdir()
    (package / "reports.py").write_text(
        'from perdure import processor\n@processor("my.report")\ndef run(payload: dict) -> None: ...\n'
    )
    (package / "__init__.py").write_text("from gathered_jobs.reports import run\n")
    assert "my.report" in ProcessorRegistry.load(["gathered_jobs"])
    for loaded in ("gathered_jobs", "gathered_jobs.reports"):
        monkeypatch.delitem(sys.modules, loaded)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_retries": -1}, "max_retries must be from 0 to 1000"),
        ({"max_retries": 1001}, "max_retries"),
        ({"timeout_seconds": 0}, "timeout_seconds must be above 0"),
        ({"timeout_seconds": math.nan}, "timeout_seconds"),
        ({"retry": RetryPolicy(base_seconds=math.inf)}, "retry.base_seconds"),
        ({"retry": RetryPolicy(max_seconds=1e300)}, "retry.max_seconds"),
    ],
)
def test_a_limit_that_no_job_could_have_is_refused(limits, said):
    with pytest.raises(ConfigurationError, match=said):
        processor("my.job", **limits)(lambda payload: None)
