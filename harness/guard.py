"""Keep a server only as long as the process that wants it: `python guard.py FOLDER COMMAND...`.

The wanting process holds the other end of this program's standard input. When that end
closes, be it by SIGKILL, the server is killed and FOLDER, its data with it, is removed.
Writes the server's process id to standard output; ends when the server has ended.
"""

import shutil
import subprocess
import sys
import threading


def main(folder: str, argv: list[str]) -> int:
    """Run `argv` until it ends or standard input closes; return its exit status."""
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    print(server.pid, flush=True)
    abandoned = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        abandoned.set()
        server.kill()

    threading.Thread(target=watch, daemon=True).start()
    status = server.wait()
    if abandoned.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
