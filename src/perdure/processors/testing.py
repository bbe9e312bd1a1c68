r"""A processor's context without a platform, for tests of processors and to try one out.

```python
ctx = LocalContext(tmp_path)
(tmp_path / "orders.csv").write_text("amount\n3\n")
result = totals.function(Table(file="orders.csv"), ctx)
```
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from perdure.models.file import is_file_name
from perdure.models.job_log import Level, LogLevel
from perdure.processors.base import NotRetryable
from perdure.processors.blocking import refuse_in_event_loop


class LocalContext:
    """A ``JobContext`` over a folder: a file's id is its name there, and what is saved appears there.

    ``cancelled`` may be set at any time; ``told`` holds what ``progress`` was given, ``logged`` the level and message
    of each line of ``log``, ``content_types`` what ``save_output`` was given, by name.
    """

    def __init__(self, folder: Path, *, attempt: int = 1) -> None:
        self.folder = folder
        self.attempt = attempt
        self.job_id: UUID = uuid4()
        self.cancelled = False
        self.told: list[tuple[float, str | None]] = []
        self.logged: list[tuple[str, str]] = []
        self.content_types: dict[str, str] = {}

    def progress(self, percent: float, message: str | None = None) -> None:
        self.told.append((percent, message))

    def log(self, message: str, *, level: Level = "info") -> None:
        self.logged.append((LogLevel(level).value, str(message)))

    def input_path(self, file_id: str) -> Path:
        path = self.folder / file_id
        if not path.is_file():
            raise NotRetryable("There is no file with this id (any more). Upload it with POST /v1/files.")
        return path

    @contextmanager
    def open_input(self, file_id: str) -> Iterator[BinaryIO]:
        with self.input_path(file_id).open("rb") as file:
            yield file

    def save_output(
        self, name: str, source: bytes | Path | BinaryIO, *, content_type: str = "application/octet-stream"
    ) -> str:
        """Raises as a worker's would: on a name that is none, and in the thread of an event loop, which it blocks."""
        refuse_in_event_loop()
        if not is_file_name(name):
            raise NotRetryable("An output's name has 1 to 255 characters, and no slash, backslash or control character")
        if isinstance(source, Path):
            shutil.copyfile(source, self.folder / name)
        else:
            with (self.folder / name).open("wb") as target:
                shutil.copyfileobj(BytesIO(source) if isinstance(source, bytes) else source, target)
        self.content_types[name] = content_type
        return name
