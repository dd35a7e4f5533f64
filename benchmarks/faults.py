"""Prove by damage that each hit is counted once: the long form of `test_faults.py`.

    .venv/bin/python -m benchmarks.faults [--seed N] [--minutes M] [--only FAULT,...]
        [--mysqld=PROGRAM] [--flag=OPTION]...

32 clients hit the app, two processes of it, and keep every answer, while faults follow
each other in an order that the seed gives: one round of all, or rounds for M minutes.
The server flushes each commit, and its data are on a disk of their own where this may be
mounted (Linux, root). An OPTION of the server's may weaken it, which should then be seen.
The report goes to standard output. Where a check is violated, ends with status 1 and says how
to repeat the run: the seed repeats the faults, though not the very moment of each.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from faults.clients import at_work
from faults.disk import Disk, DiskError
from faults.plan import ON_OWN_DISK, ROUND, Fault, name_of, rounds
from faults.report import Run, markdown
from faults.scene import Scene, scene
from throwaway_mysql.servers.run import RunServer

CLIENTS = 32
WORKERS = 2
WELL = 300  # requests that are counted after each fault
WELL_WITHIN = 120.0  # seconds; MySQL looks once a minute whether a full disk has room again


def main() -> None:
    """Run the plan, and print the report."""
    faults = {name_of(fault): fault for fault in ROUND}
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--only", default=",".join(faults), help="of: " + ", ".join(faults))
    parser.add_argument("--mysqld", default="")
    parser.add_argument("--flag", action="append", default=[])
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(faults):
        parser.error(f"no such faults: {', '.join(unknown)}")
    options.faults = [faults[name] for name in options.only.split(",")]
    run = asyncio.run(damage(options))
    print(markdown(run))
    if run.violated:
        again = " ".join(["python -m benchmarks.faults", *sys.argv[1:], f"--seed {options.seed}"])
        sys.exit(f"VIOLATED. To repeat: {again}")


async def damage(options: argparse.Namespace) -> Run:
    """Let the faults happen, and examine what the clients were told."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disk = own_disk(folder)
        if disk:
            stack.callback(disk.close)
        server = RunServer(
            options.mysqld, durable=True, inside=disk.place if disk else None, flags=options.flag
        )
        stack.callback(server.close)
        stage = await stack.enter_async_context(scene(server, folder, WORKERS, disk))
        run = Run(options.seed, server.program, options.flag, "" if disk else "no disk of its own")
        possible = [fault for fault in options.faults if disk or fault not in ON_OWN_DISK]
        async with at_work(stage, CLIENTS, str(options.seed), "faults"):
            await strike_all(stage, run, possible, options.minutes)
        run.figures = stage.figures
        run.close(stage.ledger, await asyncio.to_thread(stage.verdicts))
    return run


def own_disk(folder: Path) -> Disk | None:
    """Return a disk for the server alone, where this machine lets us mount one."""
    try:
        return Disk(folder)
    except DiskError as error:
        say(f"without {', '.join(map(name_of, ON_OWN_DISK))}: {error}")
        return None


async def strike_all(stage: Scene, run: Run, faults: list[Fault], minutes: float) -> None:
    """Let one fault follow the other, each once the app is well again after the one before."""
    await stage.ledger.more(WELL, WELL_WITHIN)
    for turns in rounds(run.seed, faults):
        for turn in turns:
            injuries = await turn.strike(stage)
            start = time.monotonic()
            try:
                await stage.ledger.more(WELL, WELL_WITHIN)
            except TimeoutError:
                run.not_well.append(f"{turn.name} ({turn.seed})")
            well = time.monotonic() - start
            run.note(turn.name, injuries, well)
            say(f"{run.seconds():6.0f} s  {turn.name} ({injuries}), well after {well:.1f} s")
        if run.seconds() >= 60 * minutes:
            return


def say(line: str) -> None:
    """Show progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
