import shutil
from pathlib import Path
from uuid import uuid4

import pytest


class JobContext:
    """What a processor is given, over one input file; what it saves lies in a folder, under its name."""

    attempt = 1

    def __init__(self, file: Path, outputs: Path) -> None:
        self.file, self.outputs, self.content_types = file, outputs, {}
        self.job_id, self.cancelled, self.reported = uuid4(), False, []

    def progress(self, percent, message=None):
        self.reported.append((percent, message))

    def input_path(self, file_id):
        return self.file

    def open_input(self, file_id):
        return self.file.open("rb")

    def save_output(self, name, source, *, content_type="application/octet-stream"):
        self.outputs.mkdir(exist_ok=True)
        target = self.outputs / name
        if isinstance(source, Path):
            shutil.copyfile(source, target)
        else:
            target.write_bytes(source if isinstance(source, bytes) else source.read())
        self.content_types[name] = content_type
        return name


@pytest.fixture
def context(tmp_path) -> JobContext:
    return JobContext(tmp_path / "input", tmp_path / "outputs")
