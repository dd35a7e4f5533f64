"""The report of a measurement: a page of tables, the samples, and a plot if there is one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.frame import Benchmark, Ratio, Sample, by_round, engines

EXPLAINED = """\
Each ratio is the median of the rounds' own ratios, with the least and the largest of them in
brackets, and with its aim, if it has one. The other tables have medians.
[The samples](%s.json). [How they are measured](../benchmarks/README.md)."""
# The columns of the tables of medians, and their headings.
MEASURES = {"rate": "requests a second", "p50": "p50, ms", "p99": "p99, ms", "ms": "ms"}


def write(
    benchmark: Benchmark, folder: Path, facts: Mapping[str, str], samples: Sequence[Sample]
) -> Path:
    """Write the page, the samples and the plot into `folder`; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{benchmark.name}.md"
    ratios = [
        [ratio.title, *(_value(ratio, samples, engine) for engine in engines(samples))]
        for ratio in (*benchmark.ratios, *_before(benchmark, samples))
    ]
    parts = [f"# {benchmark.title}", EXPLAINED % benchmark.name, "## Ratios"]
    parts.append(_table(["ratio", *engines(samples)], ratios))
    if benchmark.plot:
        benchmark.plot(samples, page.with_suffix(".svg"))
        parts.append(f"![Requests a second and p99, by clients]({benchmark.name}.svg)")
    for heading, titles in benchmark.tables.items():
        parts += [f"## {heading}", _medians(titles, samples)]
    parts += ["## Where it was measured", _table(["", ""], [list(fact) for fact in facts.items()])]
    page.write_text("\n\n".join(parts) + "\n")
    page.with_suffix(".json").write_text(dump(facts, samples))
    return page


def dump(facts: Mapping[str, str], samples: Sequence[Sample]) -> str:
    """Return JSON with a line for each sample, for readable diffs."""
    lines = ",\n".join(map(json.dumps, samples))
    return f'{{"facts": {json.dumps(facts, indent=1)},\n"samples": [\n{lines}\n]}}\n'


def load(text: str) -> tuple[dict[str, str], list[Sample]]:
    """Return the facts and samples that `dump` wrote."""
    parsed = json.loads(text)
    return parsed["facts"], [Sample(*row) for row in parsed["samples"]]


def _before(benchmark: Benchmark, samples: Sequence[Sample]) -> Iterator[Ratio]:
    """Yield the ratios of contestants to their other version, if that was measured too."""
    measured = {sample.series for sample in samples}
    for titles in benchmark.tables.values():
        for name, title in titles.items():
            if (before := f"before {name} ms") in measured:
                yield Ratio(f"{title}: now / before", f"{name} ms", before, "", "≤ 1.1", "≤ 1.1")


def _value(ratio: Ratio, samples: Sequence[Sample], engine: str) -> str:
    """Return a ratio's value, range and aim."""
    rounds, aim = ratio.rounds(samples, engine), ratio.aim(engine)
    value, form = "not measured", ",.1f" if ratio.unit else ".2f"
    if rounds:
        middle, low, high = (format(of(rounds), form) for of in (median, min, max))
        value = f"{f'{middle} {ratio.unit}'.strip()} ({low} to {high})"
    missed = "**missed**" if ratio.is_missed(samples, engine) else ""
    return ", ".join(filter(None, [value, aim, missed]))


def _medians(titles: Mapping[str, str], samples: Sequence[Sample]) -> str:
    """Return a table with a column for each of MEASURES that the contestants have."""
    measured = {sample.series for sample in samples}
    columns = [
        (engine, measure)
        for engine in engines(samples)
        for measure in MEASURES
        if any(f"{name} {measure}" in measured for name in titles)
    ]
    rows = [
        [title, *(_median(by_round(samples, engine, f"{name} {what}")) for engine, what in columns)]
        for name, title in titles.items()
    ]
    head = ["", *(f"{engine}: {MEASURES[measure]}" for engine, measure in columns)]
    return _table(head, [row for row in rows if any(row[1:])])


def _median(rounds: Mapping[int, float]) -> str:
    value = median(rounds.values()) if rounds else 0
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}" if rounds else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
