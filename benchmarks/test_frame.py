"""The benchmarks' arithmetic, and whether the frame and the sample projects run."""

import os
import subprocess
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.frame import Benchmark, InvalidError, Ratio, Sample, read_ratios, run_rounds
from benchmarks.harness import projects
from benchmarks.harness.contestants import COSTS, MANY_MODULES, RUNS
from benchmarks.service.apps.counter import app
from benchmarks.service.contestants import CLIENTS, CONTESTANTS

MARIADB, MYSQL = "MariaDB 10.11.19", "MySQL 9.7.4"
FOLDER = Path(__file__).parent


def samples(series: str, *values: float) -> list[Sample]:
    return [Sample(MARIADB, series, number, value) for number, value in enumerate(values, 1)]


@pytest.mark.parametrize(
    ("ratio", "rounds"),
    [
        (Ratio("", "a", "b"), [2, 4, 0.5]),
        (Ratio("", "a", "b", "ms"), [1, 6, -4]),
        (Ratio("", "a"), [2, 8, 4, 100]),
    ],
    ids=["ratio", "difference", "alone"],
)
def test_a_ratio_compares_what_was_measured_in_the_same_round(
    ratio: Ratio, rounds: list[float]
) -> None:
    measured = samples("a", 2, 8, 4, 100) + samples("b", 1, 2, 8)[::-1]
    assert ratio.rounds(measured, MARIADB) == rounds


def test_an_aim_is_an_engines_own_and_met_at_its_very_value() -> None:
    most, least = Ratio("", "a", mariadb="≤ 3"), Ratio("", "a", mariadb="≥ 3")
    for values, missed in ((1, 3, 9), []), ((1, 3.01, 9), [most]), ((1, 2.99, 9), [least]):
        measured = samples("a", *values)
        assert [it for it in (most, least) if it.is_missed(measured, MARIADB)] == missed
    assert most.is_missed([], MARIADB), "nothing was measured"
    assert not most.is_missed([], MYSQL), "there is no aim"


@pytest.mark.parametrize("counted", [0, 999, 1065])
def test_a_run_that_lost_hits_or_made_some_up_is_invalid(counted: int) -> None:
    with pytest.raises(InvalidError, match=f"1000 were answered and {counted} counted"):
        CONTESTANTS["hits"].check(64, 1000, counted)
    with pytest.raises(InvalidError):
        CONTESTANTS["static"].check(64, 1000, 1)
    CONTESTANTS["static"].check(64, 1000, 0)
    CONTESTANTS["hits"].check(64, 1000, 1064)  # those in flight at the end


def test_every_ratio_is_of_something_that_is_measured() -> None:
    names = {f"{name}@{CLIENTS}" for name in CONTESTANTS} | {"lone hit", "lone page", "lone bare"}
    names |= {*RUNS, *MANY_MODULES, *COSTS}
    for ratio in read_ratios(FOLDER / "service") + read_ratios(FOLDER / "harness"):
        for series in filter(None, (ratio.over, ratio.under)):
            assert series.rpartition(" ")[0] in names


def test_rounds_become_a_report(tmp_path: Path) -> None:
    turns: list[str] = []

    def turn(name: str, value: float) -> dict[str, float]:
        turns.append(name)
        return {"ms": value}

    values = {"a": 6, "b": 2, "before b": 1}
    contestants = {name: partial(turn, name, value) for name, value in values.items()}
    benchmark = Benchmark(
        name="it",
        title="It",
        ratios=[Ratio("a / b", "a ms", "b ms", mariadb="≤ 2"), Ratio("c", "c ms", mysql="≤ 1")],
        tables={"Both": {"a": "the first", "b": "the second", "c": "none"}},
        measure=lambda program, options: run_rounds(program, contestants, options.rounds),
        facts=lambda _: {},
    )
    measured = list(benchmark.measure(MARIADB, Namespace(rounds=4)))
    assert [sorted(turns[at : at + 3]) for at in range(0, 12, 3)] == [["a", "b", "before b"]] * 4
    text = report.write(benchmark, tmp_path, {"Date": "today"}, measured).read_text()
    assert "\n| a / b | 3.00 (3.00 to 3.00), ≤ 2, **missed** |\n| c | not measured |\n" in text
    assert "| the second: now / before | 2.00 (2.00 to 2.00), ≤ 1.1, **missed** |" in text
    assert "\n| the first | 6.00 |\n| the second | 2.00 |\n\n" in text
    assert report.load((tmp_path / "it.json").read_text()) == ({"Date": "today"}, measured)


@pytest.mark.parametrize("name", ["further 1-1", "restored"])
def test_the_harness_runs_its_sample_project(name: str, tmp_path: Path, mysql_program: str) -> None:
    contestant = COSTS[name]
    projects.write(tmp_path)
    environ = {**os.environ, **contestant.environ, "TESTS": "2"}
    environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "THROWAWAY_MYSQLD": mysql_program}
    environ |= {"SCHEMA": str(projects.schema(tmp_path, *contestant.schema))}
    argv = [sys.executable, *contestant.command.split()]
    subprocess.run(argv, cwd=tmp_path / contestant.project, env=environ, check=True)


async def test_the_static_page_is_that_of_the_app() -> None:
    response = await app.test_client().get("/static-page")
    assert "<h1>Counter: 100000</h1>" in await response.get_data(as_text=True)
