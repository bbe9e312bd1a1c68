"""Dockerfile and compose.yaml, read as an engine would read them."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions and their arguments, lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line)]


def image_environment() -> dict[str, str]:
    """Our own variables that the image sets."""
    return {
        name: value
        for instruction, rest in instructions()
        if instruction == "ENV"
        for name, value in re.findall(r"(PERDURE_\w+)=(\S+)", rest)
    }


def health_check() -> list[str]:
    [rest] = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
    return json.loads(rest.partition("CMD ")[2])


def services() -> dict[str, dict]:
    """The services of compose.yaml that run our image, in the order in which they may start."""
    ours = {name: one for name, one in compose()["services"].items() if one["image"] == "perdure"}
    ordered: dict[str, dict] = {}
    while len(ordered) < len(ours):
        ready = [name for name in ours.keys() - ordered if not (needs(ours[name]) & ours.keys()) - ordered.keys()]
        assert ready, "services wait for each other"
        ordered |= {name: ours[name] for name in sorted(ready)}
    return ordered


def needs(service: dict) -> set[str]:
    return set(service.get("depends_on", {}))


def compose() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())
