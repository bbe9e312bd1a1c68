"""Waits until no process uses the embedded server any more, then becomes the command that stops it.

Run as ``python -m perdure.db.embedded_watcher USERS_LOCK USER_ID COMMAND…``. Every process that uses the server holds
a shared lock on USERS_LOCK, which the system takes away however the process ends; the exclusive lock is had when the
last one is gone. It is kept while the server stops, so that a newcomer waits for the end of that.
"""

from __future__ import annotations

import fcntl
import os
import sys


def main(users_lock: str, user_id: str, *command: str) -> None:
    lock = os.open(users_lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    if user_id:
        os.setgroups([])
        os.setgid(int(user_id))
        os.setuid(int(user_id))
    os.execvp(command[0], command)  # noqa: S606 (the command is ours)


if __name__ == "__main__":
    main(*sys.argv[1:])
