"""Runs ``perdure`` in forks of one process that has loaded everything: pages run dozens of commands, a second each.

``python fork_server.py SOCKET PROGRAM`` writes the executable PROGRAM, which stands for ``perdure``: the same
arguments, environment, streams and signals, the same exit code.
"""

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

PROGRAM = """\
#!{python} -IS
import json, os, signal, socket, sys

stops = {{signal.SIGTERM, signal.SIGINT}}
signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # until they can be passed on
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
asked = [sys.argv, dict(os.environ), os.getcwd()]
socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
answers = server.makefile()
process = int(answers.readline())
for number in stops:
    signal.signal(number, lambda number, _: os.kill(process, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)
sys.exit(int(answers.readline()))
"""


def main() -> None:
    path, program = sys.argv[1:]
    import perdure.app
    import perdure.cli
    import perdure.client.client  # noqa: F401 (loaded once, for all)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(64)
        Path(program).write_text(PROGRAM.format(python=sys.executable, path=path))
        Path(program).chmod(0o700)
        print("ready", flush=True)  # noqa: T201
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                server.close()
                _keep(connection)
            connection.close()


def _keep(connection: socket.socket) -> None:
    """Forks the command, says its process id, and at its end how it ended."""
    sent, streams, _, _ = socket.recv_fds(connection, 1_000_000, 3)
    process = os.fork()
    if process == 0:
        connection.close()
        _run(*json.loads(sent), streams)
    for stream in streams:
        os.close(stream)
    connection.sendall(f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    connection.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
    os._exit(0)


def _run(arguments: list[str], environment: dict[str, str], directory: str, streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.argv = arguments
    code = 1
    try:
        from perdure.cli import main as perdure

        perdure()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:  # noqa: BLE001 (said, and told by the exit code)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
