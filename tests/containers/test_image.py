"""What can be known of the image without an engine: the Dockerfile is sound, and what it copies makes the wheel."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.containers.container_files import ROOT, instructions


def test_the_linter_finds_nothing():
    linter = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    assert linter, "make setup installs it"
    done = subprocess.run([linter, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_ends_as_somebody_without_rights_and_in_exec_form():
    last = dict(instructions())
    assert last["USER"] == "10001:10001"
    assert last["ENTRYPOINT"] == '["perdure"]'
    assert last["CMD"].startswith("[")
    assert "PYTHONUNBUFFERED=1" in last["ENV"]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """What .dockerignore lets through, and COPY takes."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name, rest in instructions():
        if name != "COPY" or rest.startswith("--from"):
            continue
        *sources, target = rest.split()
        for source in sources:
            assert source in allowed, f".dockerignore keeps {source} from the image"
            copied = tmp_path / target / (Path(source).name if target.endswith("/") else "")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, copied, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, copied)
    return tmp_path


def test_what_is_copied_is_all_that_the_wheel_needs(context: Path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"]
    subprocess.run(build, cwd=context, check=True, capture_output=True)
    [wheel] = (context / "dist").glob("*.whl")
    held = set(ZipFile(wheel).namelist())
    ours = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/perdure").rglob("*") if path.is_file()}
    assert {name for name in ours if "__pycache__" not in name} <= held
    assert "perdure/_data/seattle-weather.csv" in held
