"""What the page and the plot make of samples."""

import re
from itertools import product
from xml.etree import ElementTree as ET

import pytest

from benchmarks.contestants import CLIENTS, CONTESTANTS, GROWING, GROWTH
from benchmarks.lone import TURNS
from benchmarks.page import markdown, short_of
from benchmarks.plot import apart, svg
from benchmarks.ratios import RATIOS, Ratio
from benchmarks.samples import Sample, dump, load

ENGINES = "MariaDB 10.11.19", "MySQL 9.7.4"
SPEED = {"bare": 100, "hits": 80, "sqlalchemy": 5, "redis": 15, "keys": 39}
MACHINE = {"Cores": "2", "Python": "3.11.7"}


def sample(engine: str, name: str, clients: int, number: int = 1, speed: float = 1) -> Sample:
    """Return a sample of a contestant that is so many times as fast as the median."""
    rate = round(speed * SPEED.get(name, 80) * 100)
    p50 = 1.5 if name in {"lone hit", "lone page"} else 1.0
    return Sample(engine, name, clients, number, rate, 1.0, p50, 9.0, statements=0.05)


@pytest.fixture
def samples() -> list[Sample]:
    """Return three rounds on both engines, in which the machine is slow, as usual and fast."""
    runs = [*product(CONTESTANTS, [CLIENTS]), *product(GROWING, GROWTH), *product(TURNS, [1])]
    speeds = {1: 0.1, 2: 1, 3: 2}
    return [
        sample(engine, name, clients, number, speed)
        for engine in ENGINES
        for number, speed in speeds.items()
        for name, clients in dict.fromkeys(runs)
    ]


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    ratio = Ratio("", "hits", "bare", least=0.5)
    speeds = {1: (0.4, 1), 2: (2, 5), 3: (0.5, 0.1)}  # of each round, in turn
    samples = [
        sample("MariaDB", name, CLIENTS, number, speed)
        for number, both in speeds.items()
        for name, speed in zip(("hits", "bare"), both, strict=True)
    ]
    assert ratio.rounds(samples, "MariaDB") == pytest.approx([0.32, 0.32, 4.0])
    assert ratio.value(samples, "MariaDB") == pytest.approx(0.32)


@pytest.mark.parametrize(
    ("ratio", "met", "not_met"),
    [(Ratio("", "", least=0.5), 0.5, 0.49), (Ratio("", "", most=2), 2, 2.01)],
    ids=["least", "most"],
)
def test_an_aim_is_met_at_its_very_value(ratio: Ratio, met: float, not_met: float) -> None:
    assert ratio.is_met(met)
    assert not ratio.is_met(not_met)


def test_a_ratio_without_an_aim_never_falls_short(samples: list[Sample]) -> None:
    free = [ratio.title for ratio in RATIOS if not ratio.has_aim]
    assert free
    assert not any(title in line for line in short_of(samples) for title in free)


def test_the_page_says_what_fell_short(samples: list[Sample]) -> None:
    page = markdown(MACHINE, samples)
    redis, keys = "5.33 (5.33 to 5.33), met", "0.49 (0.49 to 0.49), met"
    assert f"| at least 4 | {redis} | {redis} |" in page
    assert f"| at least 0.4 | {keys} | {keys} |" in page
    slow = [s for s in samples if s.contestant != "keys"]
    slow += [sample(engine, "keys", CLIENTS, speed=0.1 * 0.5) for engine in ENGINES]
    page = markdown(MACHINE, slow)
    assert page.count("0.24 (0.24 to 0.24), **fell short**") == len(ENGINES)
    for engine in ENGINES:
        assert f"- hits with idempotency keys / without: 0.24 on {engine}, at least 0.4" in page


def test_every_row_of_a_table_has_a_cell_for_each_column(samples: list[Sample]) -> None:
    page = markdown(MACHINE, samples)
    assert "$" not in page
    for lines in re.findall(r"(?:^\|.*\|\n)+", page, re.M):
        assert len({line.count("|") for line in lines.splitlines()}) == 1, lines


def test_samples_are_kept_as_they_were(samples: list[Sample]) -> None:
    assert load(dump(MACHINE, samples)) == (MACHINE, samples)


def test_the_plot_is_a_picture_with_its_values_in_words(samples: list[Sample]) -> None:
    picture = ET.fromstring(svg(samples))  # noqa: S314 (our own)
    names = {"svg": "http://www.w3.org/2000/svg"}
    described = picture.find("svg:desc", names)
    assert described is not None
    assert "Counter 8,000 a second" in str(described.text)
    lines = picture.findall(".//svg:polyline", names)
    assert len(lines) == len(ENGINES) * 2 * len(GROWING)
    for line in lines:
        assert len(line.attrib["points"].split()) == len(GROWTH)


def test_labels_do_not_lie_on_one_another() -> None:
    assert apart({"a": 100, "b": 40, "c": 103}) == {"b": 40, "a": 100, "c": 115}
