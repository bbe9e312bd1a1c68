"""What can be seen on this machine, with no database."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path

from perdure.core.doctor.installation import Check, Installation
from perdure.core.notifications.allowed_recipients import AllowedRecipients
from perdure.db.embedded_account import FALLBACK
from perdure.models.finding import Finding, Level

LITTLE_ROOM_BYTES = 1_073_741_824
NO_ROOM_BYTES = 104_857_600


async def processors(installation: Installation) -> Finding:
    """The modules of PERDURE_PROCESSORS can be imported."""
    job_types = await asyncio.to_thread(installation.job_types)
    return Finding(Level.OK, f"{len(job_types)} job types can run here")


async def data_directory(installation: Installation) -> Finding:
    """The data directory belongs to this process, and nobody else may change it or read its files."""
    return await asyncio.to_thread(_data_directory, installation.data_dir)


async def disk(installation: Installation) -> Finding:
    """The disks of the data directory and of the embedded database have room."""
    places = [_existing(installation.data_dir / part) for part in ("files", "postgres")]  # each may be a mount
    if installation.is_embedded and FALLBACK.exists():  # where the cluster may lie if we are root
        places.append(FALLBACK)
    free, place = min((shutil.disk_usage(place).free, place) for place in places)
    found = f"{free / 2**30:.1f} GiB free at {place}"
    if free >= LITTLE_ROOM_BYTES:
        return Finding(Level.OK, found)
    return Finding(Level.WARN if free >= NO_ROOM_BYTES else Level.FAIL, found, "Free some space on this disk.")


async def file_store(installation: Installation) -> Finding:
    """A file can be written to the file store."""
    await installation.files.check()
    return Finding(Level.OK, "a file can be written")


async def allowed_recipients(installation: Installation) -> Finding:
    """Whom notifications may reach: everybody, or only who is on PERDURE_ALLOWED_RECIPIENTS."""
    allowed = AllowedRecipients(installation.allowed_recipients)
    if allowed.is_everybody:
        return Finding(Level.OK, "notifications may reach everybody")
    return Finding(
        Level.OK, f"only {len(allowed.listed)} listed here may be reached; what is for others ends as SKIPPED"
    )


CHECKS: tuple[Check, ...] = (processors, data_directory, disk, file_store, allowed_recipients)


def _data_directory(path: Path) -> Finding:
    if not path.exists():
        parent = _existing(path)
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding(Level.OK, f"{path} will be made at the first start")
        return Finding(Level.FAIL, f"{path} cannot be made", "Name another with PERDURE_DATA_DIR.")
    if not path.is_dir() or not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            Level.FAIL,
            f"{path} is no directory that this process can use",
            "Give it to the account that runs Perdure (chown), or name another with PERDURE_DATA_DIR.",
        )
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not path.stat().st_mode & stat.S_ISVTX:
        return Finding(Level.WARN, f"others may change what is in {path}", f"chmod go-w {path}")
    files = path / "files"
    if files.exists() and files.stat().st_mode & stat.S_IRWXO:
        return Finding(Level.WARN, f"everybody may read {files}", f"chmod o-rwx {files}")
    return Finding(Level.OK, str(path))


def _existing(path: Path) -> Path:
    """The nearest folder above that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
