"""docs/harness-benchmarks.md, which is made of the samples and the words in page.md."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from string import Template

from benchmarks.harness.contestants import DOCKER, MODULES, RUNS
from benchmarks.harness.databases import NAMES
from benchmarks.harness.figures import FIGURES, Figure, short_of
from benchmarks.harness.projects import MODULES as COUNT
from benchmarks.harness.rounds import FULL
from benchmarks.harness.samples import Sample, by_round, engines
from benchmarks.page import table

PAGE, SAMPLES = "harness-benchmarks.md", "harness-benchmarks.json"
WORDS = Path(__file__).with_name("page.md")


def markdown(machine: dict[str, str], notes: Sequence[str], samples: Sequence[Sample]) -> str:
    """Return the page."""
    runs = {f"run {name}": run.title for name, run in RUNS.items()}
    modules = {f"modules {name}": run.title for name, run in MODULES.items()}
    return Template(WORDS.read_text()).substitute(
        figures=_figures(samples),
        verdict=_verdict(samples),
        runs=_times("one test, s", runs, samples, thousandth=True),
        modules=_times(f"{COUNT} modules, s", modules, samples, thousandth=True),
        databases=_times(
            "ms", {f"database {name}": title for name, title in NAMES.items()}, samples
        ),
        machine=table(["", ""], [[f"**{name}**", text] for name, text in machine.items()]),
        notes="\n".join(f"- {note}" for note in notes),
        run_rounds=FULL.runs,
        module_rounds=FULL.modules,
        database_rounds=FULL.databases,
    )


def _verdict(samples: Sequence[Sample]) -> str:
    short = [f"- {line}" for line in short_of(samples)]
    return "\n".join(["These fell short:", "", *short]) if short else "All of them are met."


def _figures(samples: Sequence[Sample]) -> str:
    columns = [cell for engine in engines(samples) for cell in (engine, "at most")]
    rows = [
        [
            figure.title,
            *(cell for engine in engines(samples) for cell in _cells(figure, samples, engine)),
        ]
        for figure in FIGURES
    ]
    return table(["", *columns], rows)


def _cells(figure: Figure, samples: Sequence[Sample], engine: str) -> tuple[str, str]:
    """Return what a figure came to, and its aim."""
    rounds, aim = figure.rounds(samples, engine), figure.aim(engine)
    if not rounds:
        return "not measured", ""
    least, middle, most = (figure.written(f(rounds)) for f in (min, median, max))
    met = "" if aim is None else ", met" if median(rounds) <= aim else ", **fell short**"
    came_to = middle if least == most else f"{middle} ({least} to {most})"
    return came_to + met, "" if aim is None else figure.written(aim)


def _times(
    unit: str, titles: dict[str, str], samples: Sequence[Sample], *, thousandth: bool = False
) -> str:
    """Return a table of medians, with the least and the largest; milliseconds or seconds."""
    rows = [
        [
            title,
            *(_range(by_round(samples, engine, name), thousandth) for engine in engines(samples)),
        ]
        for name, title in titles.items()
    ]
    return table([unit, *engines(samples)], rows)


def _range(rounds: dict[int, float], thousandth: bool) -> str:  # noqa: FBT001
    if not rounds:
        return DOCKER
    values = [f(rounds.values()) for f in (median, min, max)]
    if thousandth:
        return "{:.2f} ({:.2f} to {:.2f})".format(*(value / 1000 for value in values))
    return "{:.1f} ({:.1f} to {:.1f})".format(*values)
