"""docs/benchmarks.md, which is made of the samples and the words in page.md."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from benchmarks.contestants import CLIENTS, CONTESTANTS, GROWING, GROWTH
from benchmarks.lone import TURNS
from benchmarks.ratios import RATIOS, Ratio
from benchmarks.rounds import FULL
from benchmarks.samples import Sample, engines, middle

PAGE, PLOT, SAMPLES = "benchmarks.md", "benchmarks.svg", "benchmarks.json"
WORDS = Path(__file__).with_name("page.md")


def markdown(machine: dict[str, str], samples: Sequence[Sample]) -> str:
    """Return the page."""
    return Template(WORDS.read_text()).substitute(
        ratios=_ratios(samples),
        verdict=_verdict(samples),
        clients=CLIENTS,
        rates=_rates(samples),
        lone=_lone(samples),
        growth="\n\n".join(_growth(samples, engine) for engine in engines(samples)),
        machine=table(["", ""], [[f"**{name}**", text] for name, text in machine.items()]),
        cores=machine["Cores"],
        rounds=FULL.rounds,
        seconds=FULL.seconds,
        growth_rounds=FULL.growth,
        lone_rounds=FULL.lone,
        each=FULL.each,
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def short_of(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield a line for each ratio that is not what it should be."""
    for engine in engines(samples):
        for ratio in RATIOS:
            value = ratio.value(samples, engine)
            if not ratio.is_met(value):
                yield f"{ratio.title}: {value:.2f} on {engine}, {ratio.aim}"


def _verdict(samples: Sequence[Sample]) -> str:
    short = [f"- {line}" for line in short_of(samples)]
    return "\n".join(["These fell short:", "", *short]) if short else "All of them are met."


def _ratios(samples: Sequence[Sample]) -> str:
    columns = engines(samples)
    rows = [
        [ratio.title, ratio.aim, *(_came_to(ratio, samples, engine) for engine in columns)]
        for ratio in RATIOS
    ]
    return table(["ratio", "aim", *columns], rows)


def _came_to(ratio: Ratio, samples: Sequence[Sample], engine: str) -> str:
    rounds, value = ratio.rounds(samples, engine), ratio.value(samples, engine)
    met = ", met" if ratio.is_met(value) else ", **fell short**"
    return f"{value:.2f} ({min(rounds):.2f} to {max(rounds):.2f}){met if ratio.has_aim else ''}"


def _rates(samples: Sequence[Sample]) -> str:
    columns = engines(samples)
    rows = [
        [contestant.title, *(_load(samples, engine, name, CLIENTS) for engine in columns)]
        for name, contestant in CONTESTANTS.items()
    ]
    return table(["requests a second (p50, p99 in ms)", *columns], rows)


def _growth(samples: Sequence[Sample], engine: str) -> str:
    rows = [
        [f"{clients:,}", *(_load(samples, engine, name, clients) for name in GROWING)]
        for clients in GROWTH
    ]
    return table([f"{engine}: clients", *GROWING.values()], rows)


def _load(samples: Sequence[Sample], engine: str, name: str, clients: int) -> str:
    rate, p50, p99 = (
        middle(samples, engine, name, clients, what) for what in ("rate", "p50", "p99")
    )
    return f"{rate:,.0f} ({p50:.2f}, {p99:.2f})"


def _lone(samples: Sequence[Sample]) -> str:
    columns = engines(samples)
    titles = "Hit on one counter", "The page `/`", "PyMySQL's `UPDATE; COMMIT`"
    rows = [
        [title, *(_times(samples, engine, name) for engine in columns)]
        for title, name in zip(titles, TURNS, strict=True)
    ]
    return table(["p50, p99 in ms", *columns], rows)


def _times(samples: Sequence[Sample], engine: str, name: str) -> str:
    p50, p99 = (middle(samples, engine, name, 1, what) for what in ("p50", "p99"))
    return f"{p50:.2f}, {p99:.2f}"
