"""Where the embedded server's socket lies: in the data directory, unless the path of that is none for a socket."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from perdure.db.embedded_account import Account
from perdure.errors import EmbeddedServerError

MAX_LENGTH = 85
"""A socket's path may have about 100 bytes; PostgreSQL's own file name needs 15 of them."""
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
"""What the shell of pg_ctl, the list of socket directories and a URL all take as it is."""


def private_directory(wanted: Path, account: Account) -> Path:
    """``wanted``, or a private directory with a short and plain name where no socket can lie there."""
    directory = wanted
    if len(os.fsencode(wanted)) > MAX_LENGTH or not _PLAIN_PATH.fullmatch(str(wanted)):
        directory = Path(tempfile.gettempdir()) / f"perdure-{os.geteuid()}-{short_name(wanted)}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    owners = {os.geteuid(), account.user_id}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
        raise EmbeddedServerError(f"{directory} must be a directory of yours with mode 700. Remove it and try again.")
    account.own(directory)
    return directory


def short_name(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
