"""Keep a program only as long as the process that wants it.

    python guard.py [--input=FILE] FOLDER... -- COMMAND...

The wanting process holds the other end of this program's standard input. When that end
closes, be it by SIGKILL, COMMAND is killed and every FOLDER removed. Writes COMMAND's
process id to standard output; ends with its exit status. FILE is what COMMAND reads.
"""

import contextlib
import shutil
import subprocess
import sys
import threading


def main(arguments: list[str]) -> int:
    """Run the command until it ends or standard input closes; return its exit status."""
    cut = arguments.index("--")
    folders, command = arguments[:cut], arguments[cut + 1 :]
    source = folders.pop(0).removeprefix("--input=") if folders[0].startswith("--") else "/dev/null"
    with open(source, "rb") as file:  # noqa: PTH123 (pathlib is slow to import)
        program = subprocess.Popen(command, stdin=file, stdout=sys.stderr)
    abandoned = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        abandoned.set()
        program.kill()

    threading.Thread(target=watch, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):  # nobody is left to read it: watch() knows too
        print(program.pid, flush=True)
    status = program.wait()
    if abandoned.is_set():
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
