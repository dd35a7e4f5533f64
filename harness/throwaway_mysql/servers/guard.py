"""Keep a folder, and what runs on it, only as long as the run that wants them.

    python -I -S guard.py FD FOLDER...

The run holds a record lock on the file `alive` in the first FOLDER: such a lock ends with its
process however that ends, and unlike an open pipe it isn't handed to forked children. Once
this program gets the lock, it kills what it runs, removes every FOLDER and ends. If the run
has left a file `kept` there, it awaits the end of what it runs instead. FD is a file that the
parent has locked, and that stays so until then.

A command on standard input is a line with a length and that many bytes: the file that the
program reads and its arguments, separated by NUL. The program's id, and when it has ended
its exit status, are each a line on standard output. The program is a process group of its own,
which ends as a whole: it may be a script.
"""

# Little is imported: the run waits for this to start.
import _thread
import fcntl
import os
import signal
import sys
from contextlib import suppress

GONE = ".gone"  # what a folder's name ends with that is being removed
KEPT = "kept"
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)  # only the run's end counts


class Guard:
    """The folders and the program that runs, if one does."""

    def __init__(self, folders: list[str]) -> None:
        self.folders = folders
        self.pid = 0
        self.beginning = _thread.allocate_lock()
        self.running = _thread.allocate_lock()

    def obey(self) -> None:
        """Run what the commands say, one after the other."""
        while size := sys.stdin.buffer.readline():
            source, *argv = sys.stdin.buffer.read(int(size)).split(b"\0")
            self.run(source, argv)

    def run(self, source: bytes, argv: list[bytes]) -> None:
        """Run a program until it ends by itself."""
        with self.beginning:
            self.running.acquire()
            self.pid = spawn(source, argv)
        say(self.pid)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) if self.pid else 127
        kill_group(self.pid)  # what it has left
        self.running.release()
        if status < 0:
            print(f"[ERROR] it was ended by signal {-status}", file=sys.stderr, flush=True)
        say(status)

    def watch(self) -> None:
        """Wait for the run's end; then end and remove everything."""
        await_end_of_run(self.folders[0] + "/alive")
        self.beginning.acquire()  # for good
        if self.running.locked() and self.pid:
            if not os.path.exists(f"{self.folders[0]}/{KEPT}"):  # noqa: PTH110 (pathlib is slow)
                kill_group(self.pid)
            self.running.acquire()
        remove(self.folders)
        os._exit(0)


def spawn(source: bytes, argv: list[bytes]) -> int:
    """Start a program whose output goes to the log, and return its id, or 0 where it can't."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, source, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, 2, 1),
    ]
    back = (*IGNORED, signal.SIGPIPE)
    try:
        return os.posix_spawn(
            argv[0], argv, os.environ, file_actions=actions, setpgroup=0, setsigdef=back
        )
    except OSError as error:
        print(f"[ERROR] {os.fsdecode(argv[0])}: {error.strerror}", file=sys.stderr, flush=True)
        return 0


def kill_group(pid: int) -> None:
    """Kill a program, if there is one, and all that it has started in its group."""
    if pid:  # else it would be this process's own group
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(pid, signal.SIGKILL)


def await_end_of_run(alive: str) -> None:
    """Return once no process holds the lock on the file."""
    # Without the file the run has ended, too.
    with suppress(FileNotFoundError), open(alive, "ab") as file:  # noqa: PTH123 (pathlib is slow)
        fcntl.lockf(file, fcntl.LOCK_EX)


def remove(folders: list[str]) -> None:
    """Remove folders, the first at last: it is renamed before, so half of one is known as such."""
    import shutil  # only now: it takes long

    first, *more = folders
    for folder in more:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.rename(first, first + GONE)  # noqa: PTH104 (pathlib is slow)
    for folder in (first, first + GONE):
        shutil.rmtree(folder, ignore_errors=True)


def say(number: int) -> None:
    """Tell the run, if it still listens."""
    with suppress(OSError):
        print(number, flush=True)


def main(descriptor: str, *folders: str) -> None:
    """Guard the folders until the run ends."""
    os.set_inheritable(int(descriptor), False)  # noqa: FBT003
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    guard = Guard(list(folders))
    _thread.start_new_thread(guard.obey, ())
    guard.watch()


if __name__ == "__main__":
    main(*sys.argv[1:])
