"""One promise broken: where, how, and which tests must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """``text``, found once in ``file`` (below src/perdure), becomes ``replacement``; ``tests`` must notice.

    A failure counts only if its message contains ``evidence``: a mutant that breaks something else proves nothing.
    """

    name: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]
    evidence: str = "AssertionError"

    def applied(self, source: str) -> str:
        """The source with the promise broken; raises ValueError when the text is not there exactly once."""
        if source.count(self.text) != 1:
            raise ValueError(f"the text of the mutant {self.name!r} is {source.count(self.text)} times in {self.file}")
        return source.replace(self.text, self.replacement)
