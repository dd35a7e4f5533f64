"""The plot of requests per second and p99, from one client to many."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.frame import Sample, by_round, engines
from benchmarks.service.contestants import GROWING, GROWTH

ROWS = {"rate": "requests a second", "p99": "p99, ms"}


def draw(samples: Sequence[Sample], file: Path) -> None:
    """Draw a column of panels for each engine, as an SVG with real text."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": file.name})
    columns = engines(samples)
    size = (5.5 * len(columns), 4 * len(ROWS))
    figure, panels = plt.subplots(
        len(ROWS), len(columns), squeeze=False, sharex=True, sharey="row", figsize=size
    )
    for row, (measure, label) in zip(panels, ROWS.items(), strict=True):
        row[0].set_ylabel(label)
        for panel, engine in zip(row, columns, strict=True):
            for name, title in GROWING.items():
                series = [f"{name}@{clients} {measure}" for clients in GROWTH]
                values = [median(by_round(samples, engine, it).values()) for it in series]
                panel.loglog(GROWTH, values, marker="o", label=title)
            panel.set_xticks(GROWTH, [f"{clients:,}" for clients in GROWTH], minor=False)
            panel.set(title=engine, xlabel="clients")
            panel.minorticks_off()
            panel.grid(alpha=0.3)
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
