"""The report of a measurement: a page of tables, the samples, and a plot where there is one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from statistics import median

from benchmarks.frame import Benchmark, Ratio, Sample, Table, by_round, engines

EXPLAINED = """\
Each ratio is the median of the rounds' own ratios, with the least and the largest of them in
brackets, and with its aim, if it has one. The other tables have medians.
[The samples](%s.json). [How they are measured](../benchmarks/README.md)."""


def write(
    benchmark: Benchmark, folder: Path, facts: Mapping[str, str], samples: Sequence[Sample]
) -> Path:
    """Write the page, the samples and the plot into `folder`; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{benchmark.name}.md"
    parts = [f"# {benchmark.title}", EXPLAINED % benchmark.name, "## Ratios"]
    parts.append(_ratios(benchmark.ratios, samples))
    if benchmark.plot:
        benchmark.plot(samples, page.with_suffix(".svg"))
        parts.append(f"![Requests a second and p99, by clients]({benchmark.name}.svg)")
    for table in benchmark.tables:
        parts += [f"## {table.heading}", _medians(table, samples)]
    parts += ["## Where it was measured", _table(["", ""], [list(fact) for fact in facts.items()])]
    page.write_text("\n\n".join(parts) + "\n")
    page.with_suffix(".json").write_text(dump(facts, samples))
    return page


def missed(benchmark: Benchmark, samples: Sequence[Sample]) -> Iterator[str]:
    """Yield a line for each ratio that misses its aim."""
    for engine in engines(samples):
        for ratio in benchmark.ratios:
            if ratio.is_missed(samples, engine):
                yield f"{engine}: {ratio.title}: {_value(ratio, samples, engine)}"


def dump(facts: Mapping[str, str], samples: Sequence[Sample]) -> str:
    """Return JSON with a line for each sample, so that versions can be compared."""
    lines = ",\n".join(json.dumps(astuple(sample)) for sample in samples)
    return f'{{"facts": {json.dumps(facts, indent=1)},\n"samples": [\n{lines}\n]}}\n'


def load(text: str) -> tuple[dict[str, str], list[Sample]]:
    """Return facts and samples from what `dump` made of them."""
    parsed = json.loads(text)
    return parsed["facts"], [Sample(*row) for row in parsed["samples"]]


def _ratios(ratios: Sequence[Ratio], samples: Sequence[Sample]) -> str:
    columns = engines(samples)
    rows = [[ratio.title, *(_value(ratio, samples, it) for it in columns)] for ratio in ratios]
    return _table(["ratio", *columns], rows)


def _value(ratio: Ratio, samples: Sequence[Sample], engine: str) -> str:
    """Return what a ratio came to, its range and its aim."""
    rounds, aim = ratio.rounds(samples, engine), ratio.aim(engine)
    value, form = "not measured", ",.1f" if ratio.unit else ".2f"
    if rounds:
        middle, low, high = (format(of(rounds), form) for of in (median, min, max))
        value = f"{f'{middle} {ratio.unit}'.strip()} ({low} to {high})"
    missed = "**missed**" if ratio.is_missed(samples, engine) else ""
    return ", ".join(filter(None, [value, aim, missed]))


def _medians(table: Table, samples: Sequence[Sample]) -> str:
    columns = [(engine, measure) for engine in engines(samples) for measure in table.measures]
    head = [f"{engine}: {table.measures[measure]}" for engine, measure in columns]
    rows = [
        [title, *(_median(by_round(samples, engine, f"{name} {what}")) for engine, what in columns)]
        for name, title in table.rows.items()
    ]
    return _table(["", *head], [row for row in rows if any(row[1:])])


def _median(rounds: Mapping[int, float]) -> str:
    if not rounds:
        return ""
    value = median(rounds.values())
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
