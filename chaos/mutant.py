"""Whether the oracle can see: a copy of the platform without its fence, under the two faults that a fence is for."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import perdure
from chaos.clients import Clients
from chaos.faults import Faults
from chaos.installation import installed
from chaos.load import judged, loaded
from chaos.outcome import Outcome, Proof
from chaos.proxy import Proxy

LEASE_SECONDS = 1.5
SECONDS = 25.0
OPEN_JOBS = 6
AGENDA = ((Faults.stop, (3.0, 6.0)), (Faults.hold, (0.05, 0.2)))
MUTANTS = {
    "no-fence": (
        "repositories/job_repository.py",
        {
            "job.fence = new.fence AND job.status = old": "job.status = old",
            "RETURNING job.job_id, job.fence": "RETURNING job.job_id, new.fence",
        },
    ),
}
"""By name: a file, and for each of some texts that stand in it once, what stands there in the mutant."""


async def caught(directory: Path, seed: str) -> Outcome:
    """Passes if the oracle sees what every mutant does."""
    outcomes = [await run(directory.with_name(name), seed, name) for name in MUTANTS]
    proofs = [
        Proof(f"stale writes seen in the platform with {one.phase}", len(one.figures["stale"]), 1) for one in outcomes
    ]
    return Outcome("mutant", {}, proofs, {one.phase: one.facts["harm"] for one in outcomes})


async def run(directory: Path, seed: str, name: str) -> Outcome:
    """The outcome of one mutant, which must not be a pass: there must be stale writes."""
    chance = random.Random(f"{seed}-{name}")  # noqa: S311 (a lot to be drawn again)
    source = directory.with_suffix(".source")
    _copy(source, *MUTANTS[name])
    async with AsyncExitStack() as opened:
        made = await opened.enter_async_context(
            installed(directory, chance, lease_seconds=LEASE_SECONDS, source=source)
        )
        proxies = [await opened.enter_async_context(Proxy(made.server.url)) for _ in range(2)]
        made.serve()
        made.work()
        for proxy in proxies:
            made.work(proxy)
        clients, faults = Clients(made, chance, open_jobs=OPEN_JOBS), Faults(made, chance)
        async with loaded(made, clients):
            with suppress(TimeoutError):
                await asyncio.wait_for(faults.run(AGENDA), SECONDS)
        figures, _ = await judged(made, clients)
        # What is still under way is no finding: nobody waited for it.
        figures |= {"unfinished": [], "untold": []}
        return Outcome(name, figures, [], {"harm": dict(faults.harm.done)})


def _copy(source: Path, file: str, replacements: Mapping[str, str]) -> None:
    shutil.copytree(Path(perdure.__file__).parent, source / "perdure", ignore=shutil.ignore_patterns("__pycache__"))
    path = source / "perdure" / file
    code = path.read_text()
    for text, replacement in replacements.items():
        if code.count(text) != 1:
            raise RuntimeError(f"{file} holds {text!r} {code.count(text)} times, not once. Mend the mutant.")
        code = code.replace(text, replacement)
    path.write_text(code)
