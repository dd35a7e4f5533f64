"""What the page of the test harness's figures makes of samples."""

import re

import pytest

from benchmarks.harness.contestants import DOCKER, MODULES, RUNS
from benchmarks.harness.databases import NAMES
from benchmarks.harness.figures import FIGURES, Figure, How, short_of
from benchmarks.harness.page import markdown
from benchmarks.harness.rounds import MEMORY
from benchmarks.harness.samples import Sample, dump, load

ENGINES = "MariaDB 10.11.19", "MySQL 9.7.4"
MACHINE = {"Cores": "2"}
NOTES = ["**a peer**: needs what this machine lacks."]
GOOD = {
    "run none": 300,
    "run harness": 500,
    "run pytest-mysql": 2000,
    "database harness 1": 14,
    "database harness 20": 39,
    "modules one": 1000,
    "modules two": 600,
    "memory rss": 90,
}


def measured(**other: float) -> list[Sample]:
    """Return three rounds on both engines, in which the machine is slow, as usual and fast."""
    names = [f"run {name}" for name, run in RUNS.items() if not run.docker]
    names += [f"modules {name}" for name in MODULES] + [f"database {name}" for name in NAMES]
    values = {**dict.fromkeys(names, 10.0), **GOOD, **other}
    values |= {f"memory {what}": values.get(f"memory {what}", 50.0) for what in MEMORY}
    return [
        Sample(engine, name, number, value * speed)
        for engine in ENGINES
        for number, speed in {1: 1.1, 2: 1.0, 3: 0.9}.items()
        for name, value in values.items()
    ]


def samples(name: str, *values: float) -> list[Sample]:
    return [Sample(ENGINES[0], name, number, value) for number, value in enumerate(values, 1)]


@pytest.mark.parametrize(
    ("how", "rounds"), [(How.RATIO, [2, 4, 0.5]), (How.MORE, [1, 6, -4]), (How.VALUE, [2, 8, 4])]
)
def test_a_figure_compares_what_was_measured_in_the_same_round(
    how: How, rounds: list[float]
) -> None:
    figure = Figure("", "a", "" if how is How.VALUE else "b", how)
    both = samples("a", 2, 8, 4) + samples("b", 1, 2, 8)
    assert figure.rounds(both[::-1], ENGINES[0]) == rounds[::-1]


def test_an_aim_is_of_a_family_and_met_at_its_very_value() -> None:
    figure = Figure("", "a", most={"MariaDB": 3})
    assert figure.is_met(samples("a", 1, 3, 9), ENGINES[0])
    assert not figure.is_met(samples("a", 1, 3.01, 9), ENGINES[0])
    assert figure.aim(ENGINES[1]) is None


def test_what_was_not_measured_is_not_met() -> None:
    assert not Figure("", "a", "b", How.RATIO, {"MariaDB": 1}).is_met(samples("a", 1), ENGINES[0])


def test_every_aim_of_the_figures_is_met_by_good_samples_and_missed_by_bad_ones() -> None:
    assert short_of(measured()) == []
    bad = {name: 10 * value for name, value in GOOD.items()} | {"modules one": 1, "run none": 1}
    bad["run pytest-mysql"] = 1
    lines = short_of(measured(**bad))
    assert len(lines) == sum(len(figure.most) for figure in FIGURES)
    assert "of the private server after 200 modules, resident: 900 MB on MySQL" in lines[-1]


def test_the_page_says_what_fell_short_and_who_needs_docker() -> None:
    assert "All of them are met." in markdown(MACHINE, NOTES, measured())
    page = markdown(MACHINE, NOTES, measured(**{"memory rss": 120}))
    assert page.count("**fell short**") == len(ENGINES)
    assert "resident: 120 MB on MySQL 9.7.4, at most 100 MB" in page
    assert f"| testcontainers | {DOCKER} | {DOCKER} |" in page
    assert f"- {NOTES[0]}" in page


def test_every_row_of_a_table_has_a_cell_for_each_column() -> None:
    page = markdown(MACHINE, NOTES, measured())
    assert "$" not in page
    for lines in re.findall(r"(?:^\|.*\|\n)+", page, re.M):
        assert len({line.count("|") for line in lines.splitlines()}) == 1, lines


def test_samples_are_kept_as_they_were() -> None:
    assert load(dump(MACHINE, NOTES, measured())) == (MACHINE, NOTES, measured())
