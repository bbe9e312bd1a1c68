"""The systems of a run: Perdure and the limit from this checkout, the peers from environments of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.counters import Counters
from benchmarks.environments import Peer, Unavailable, environment_of, peers
from benchmarks.scripted import System
from benchmarks.services import fresh_database, postgresql, redis


@dataclass(frozen=True, slots=True)
class Installed:
    """``systems`` holds all; ``skipped`` says why a peer is missing."""

    systems: list[System]
    perdure: System
    limit: System
    skipped: dict[str, str]


@contextmanager
def installed_systems(directory: Path, counters: Counters, mode: str) -> Iterator[Installed]:
    """Everything installed and every service running, while the block lasts."""
    skipped: dict[str, str] = {}
    with ExitStack() as opened:
        server = opened.enter_context(postgresql(directory / "postgresql"))
        ours = Path(sys.executable)

        def own(name: str, expected_rate: float) -> System:
            url = fresh_database(server, f"bench_{name}")
            return System(name, name, ours, url, counters, directory, expected_rate, "in PostgreSQL")

        perdure, limit = own("perdure", 8_000), own("limit", 25_000)
        systems = [perdure, limit]
        redis_url: str | None = None
        for peer in peers(mode):
            try:
                python = environment_of(peer)
                if peer.service == "redis" and redis_url is None:
                    redis_url = opened.enter_context(redis(directory / "redis"))
            except Unavailable as error:
                skipped[peer.name] = str(error)
                continue
            url = redis_url if peer.service == "redis" else fresh_database(server, f"bench_{peer.name}")
            systems += _variants(peer, python, url or "", counters, directory)
        yield Installed(systems, perdure, limit, skipped)


def _variants(peer: Peer, python: Path, url: str, counters: Counters, directory: Path) -> list[System]:
    script = peer.name.replace("-", "_")
    return [
        System(
            name=f"{peer.name} {variant}".strip(),
            script=script,
            python=python,
            url=url,
            counters=counters,
            directory=directory,
            expected_rate=peer.expected_rate,
            outcome=peer.outcome,
            variant=variant,
        )
        for variant in peer.variants or ("",)
    ]
