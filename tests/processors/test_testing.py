import asyncio
from io import BytesIO

import pytest

from perdure.processors.base import JobContext, NotRetryable
from perdure.workers.context import AttemptContext


def test_it_has_all_that_a_workers_context_has(context):
    names = {name for name in vars(JobContext) if not name.startswith("_")}
    assert names <= set(dir(context))
    assert names <= set(dir(AttemptContext))


async def test_what_is_saved_can_be_opened(context, tmp_path):
    (tmp_path / "source").write_bytes(b"path")
    for name, source in [("a", b"bytes"), ("b", tmp_path / "source"), ("c", BytesIO(b"stream"))]:
        with context.open_input(await asyncio.to_thread(context.save_output, name, source)) as file:
            assert file.read() == {"a": b"bytes", "b": b"path", "c": b"stream"}[name]
    with pytest.raises(RuntimeError, match="to_thread"):
        context.save_output("d", b"")


def test_mistakes_are_told_as_by_a_worker(context):
    with pytest.raises(NotRetryable, match="no file"):
        context.input_path("missing")
    with pytest.raises(NotRetryable, match="slash"):
        context.save_output("a/b", b"")
