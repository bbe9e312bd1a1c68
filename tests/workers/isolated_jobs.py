"""Processors that run in processes of their own, which import them from here. Each test says what they are to do."""

import asyncio
import ctypes
import logging
import os
import sys
import time
from pathlib import Path

import structlog

from perdure import JobContext, NotRetryable, processor


@processor("isolated.plain", isolation="process", memory_mb=192)
def plain(payload: dict, ctx: JobContext):
    """Does what the payload names, and returns what that does."""
    return globals()[payload["do"]](ctx, *payload.get("with", []))


@processor("isolated.async", isolation="process")
async def asynchronous(payload: dict, ctx: JobContext):
    if "say" in payload:
        say(ctx, payload["say"])
        await asyncio.Event().wait()
    return await asyncio.to_thread(ctx.save_output, "out", b"x")


def say(ctx, pipe):
    """Tells a test its process id, and waits until the test listens."""
    Path(pipe).write_text(str(os.getpid()))


def identify(ctx):
    rooms = {name.partition(".")[0] for name in sys.modules}
    return {"pid": os.getpid(), "rooms": sorted(rooms), "stdin": os.readlink("/proc/self/fd/0")}


def segfault(ctx):
    ctypes.string_at(0)


def exit_at_once(ctx):
    os._exit(3)


def kill_itself(ctx):
    os.kill(os.getpid(), 9)


def exit_in_the_first_attempt(ctx):
    if ctx.attempt == 1:
        os._exit(3)


def break_the_connection(ctx):
    for descriptor in range(3, 100):
        try:
            os.write(descriptor, b"\x00\x00\x00\x02{}")
        except OSError:
            continue
    time.sleep(60)


def take_memory(ctx):
    taken = []
    while True:
        taken.append(bytearray(1_000_000))


def spin(ctx, pipe):
    """Never ends, and neither does the process that it starts."""
    if os.fork() == 0:
        say(ctx, pipe)
    while True:
        pass


def hold_the_interpreter(ctx, pipe):
    """Lets no other thread of its process run."""
    say(ctx, pipe)
    ctypes.PyDLL(None).pause()


def wait_for_the_stop(ctx, pipe, how):
    say(ctx, pipe)
    while not ctx.cancelled:
        time.sleep(0.005)
    if how == "raise":
        raise RuntimeError("stopped")
    return "stopped"


def tell(ctx):
    for number in range(20_000):
        ctx.progress(number / 1_000, "x" * 5_000)
    ctx.progress(250, "\ud800there")


def read(ctx, file):
    with ctx.open_input(file) as stream:
        return stream.read().decode()


def save(ctx, name):
    source = Path(f"source-{os.getpid()}")
    source.write_bytes(b"saved")
    try:
        return [ctx.save_output(name, one, content_type="text/plain") for one in (b"saved", source, source.open("rb"))]
    finally:
        source.unlink()


def refuse(ctx):
    raise NotRetryable("it is wrong")


def return_what_is_no_json(ctx):
    return object()


def log_and_die(ctx):
    """Says more than is kept, lets itself be killed in one attempt, and ends well in the next."""
    for number in range(1_500):
        ctx.log(f"line {number}\ud800", level="warning")
    ctx.progress(float("nan"), "not a number")
    if ctx.attempt == 1:
        os._exit(3)


def log(ctx):
    logging.getLogger("theirs").info("said")
    structlog.get_logger("theirs").info("said")
