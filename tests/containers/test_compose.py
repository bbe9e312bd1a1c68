"""compose.yaml: by the Compose specification, and run by hand: the same commands with the same environment.

No engine here. Each service gets a directory of its own for its working directory, and shares with the others only
what a volume of the file says that they share.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from compose_spec import PyCompose
from tests.containers.container_files import ROOT, compose, health_check, image_environment, needs, services
from tests.installation import Process

from perdure.client.client import Client
from perdure.client.errors import PerdureAPIError
from perdure.core.key_format import generate_key
from perdure.settings import Settings, variables

CSV = ROOT / "examples/data/seattle-weather.csv"


def test_the_file_is_as_compose_wants_it():
    assert PyCompose.from_json(json.dumps(compose())).service_names() == sorted(compose()["services"])


def test_and_the_check_would_see_a_mistake():
    file = compose()
    file["services"]["worker"]["stop_grace"] = "30s"
    with pytest.raises(ValueError, match="stop_grace"):
        PyCompose.from_json(json.dumps(file))


def test_every_variable_is_one_that_perdure_reads():
    known = {variable for field in Settings.model_fields for variable in variables(field)}
    for service in services().values():
        assert {name.removesuffix("_FILE") for name in service["environment"]} <= known


def test_every_secret_is_handed_to_who_reads_it_and_to_nobody_else():
    for name, service in compose()["services"].items():
        read = {Path(path).name for key, path in service["environment"].items() if key.endswith("_FILE")}
        assert read == set(service["secrets"]), name


def test_a_container_gets_longer_to_stop_than_its_attempts_get_to_end():
    for service in services().values():
        drain = float(service["environment"].get("PERDURE_DRAIN_SECONDS", 0))
        assert float(service["stop_grace_period"].removesuffix("s")) >= drain + 5


def test_the_steps_of_the_guide_make_every_secret():
    text = (ROOT / "docs/how-to/containers.md").read_text()
    for secret in compose()["secrets"].values():
        assert f"> {secret['file']}" in text


class ByHand:
    """Runs services as an engine would, without one."""

    def __init__(self, directory: Path, secrets: dict[str, str]) -> None:
        self._directory = directory
        self._processes: list[Process] = []
        for name, value in secrets.items():
            (directory / name).write_text(value)

    def environment(self, service: dict) -> dict[str, str]:
        """The image's and the service's variables, with places in a container put where they are here."""
        places = {f"/run/secrets/{name}": self._directory / name for name in service["secrets"]}
        places |= {volume.partition(":")[2]: self._directory / "volume" for volume in service.get("volumes", ())}
        given = {name: value for name, value in service["environment"].items() if value is not None}
        return {name: str(places.get(value, value)) for name, value in (image_environment() | given).items()}

    def run(self, name: str, service: dict) -> None:
        """A service that the others wait for to complete."""
        subprocess.run(
            [sys.executable, "-m", "perdure", *service["command"]],
            env=os.environ | self.environment(service),
            cwd=self.working_directory(name),
            check=True,
            capture_output=True,
        )

    def start(self, name: str, service: dict) -> Process:
        environment = self.environment(service) | {"PERDURE_PORT": "0"}
        process = Process(service["command"], environment, self.working_directory(name))
        self._processes.append(process)
        return process

    def working_directory(self, name: str) -> Path:
        directory = self._directory / name
        directory.mkdir(exist_ok=True)
        return directory

    def close(self) -> None:
        for process in self._processes:
            process.close()


@pytest.fixture
def empty_database_url(embedded_url: str) -> str:
    """A database that nobody migrated."""

    async def create() -> None:
        connection = await asyncpg.connect(embedded_url)
        await connection.execute("DROP DATABASE IF EXISTS containers WITH (FORCE)")
        await connection.execute("CREATE DATABASE containers")
        await connection.close()

    asyncio.run(create())
    return re.sub(r"/test_\w+\?", "/containers?", embedded_url)


@pytest.fixture
def by_hand(empty_database_url: str, tmp_path: Path) -> Iterator[ByHand]:
    secrets = {"database_url": empty_database_url, "bootstrap_key": generate_key(), "mailtrap_api_key": ""}
    made = ByHand(tmp_path, secrets)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.xdist_group("cli")
def test_the_services_run_a_job_on_an_uploaded_file(by_hand: ByHand, tmp_path: Path):
    running: dict[str, Process] = {}
    awaited = {one for service in services().values() for one in needs(service)}
    for name, service in services().items():
        if name in awaited:
            by_hand.run(name, service)
        else:
            running[name] = by_hand.start(name, service)
    assert running.keys() == {"serve", "worker"}

    url = running["serve"].ready["url"]
    with Client(url, (tmp_path / "bootstrap_key").read_text()) as client:
        stored = client.upload(CSV)
        told = {"context": {"email": "ada@example.com"}, "notifications": {"email": {}}}
        job = client.wait(client.submit("csv.profile", {"file": stored["file_id"]}, **told)["job_id"], 30)
    assert (job["status"], job["result"]["rows"]) == ("SUCCEEDED", 1461)
    with Client(url) as stranger, pytest.raises(PerdureAPIError) as refused:
        stranger.get(job["job_id"])
    assert refused.value.status == 401

    assert is_healthy(url)
    assert {name: process.stop() for name, process in running.items()} == {"serve": 0, "worker": 0}
    assert not is_healthy(url)
    for name in running:
        assert [path.suffix for path in (tmp_path / name).iterdir()] == [".log"], "a root file system may be read-only"


def is_healthy(url: str) -> bool:
    program, *arguments = health_check()
    assert program == "python"
    environment = os.environ | {"PERDURE_PORT": url.rpartition(":")[2]}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False)
    return done.returncode == 0
