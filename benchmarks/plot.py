"""What many clients do to each contestant, drawn: an SVG of requests a second and of p99."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from string import Template

from benchmarks.contestants import CLIENTS, GROWING, GROWTH
from benchmarks.samples import Sample, engines, middle

WIDTH, HEIGHT = 470, 300  # of a panel, with its words
LEFT, TOP, RIGHT, BOTTOM = 62, 46, 94, 44  # room for the words around it
LINE = 15  # between labels
ROWS = {"rate": "requests a second", "p99": "p99, milliseconds"}

# A picture in a page does not get the page's colours, so it has its own ground in both.
PICTURE = Template("""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width"
 height="$height" role="img" aria-labelledby="title desc">
<title id="title">Requests a second and p99 from 1 to 1,024 clients</title>
<desc id="desc">$desc</desc>
<style>
svg { font: 12px system-ui, sans-serif; --ground: #fff; --ink: #1f2328; --grid: #d9dee3;
 --hits: #0550ae; --bare: #59636e; --redis: #bc3f00; --sqlalchemy: #0b7a4b }
@media (prefers-color-scheme: dark) { svg { --ground: #0d1117; --ink: #e6edf3; --grid: #30363d;
 --hits: #79b8ff; --bare: #9da7b3; --redis: #ff9a5c; --sqlalchemy: #56d39b } }
text { fill: var(--ink) } .end { text-anchor: end } .middle { text-anchor: middle }
.head { font-weight: 600; font-size: 14px } .grid { stroke: var(--grid) }
polyline { fill: none; stroke-width: 2 } .thick { stroke-width: 3.5 }
$colours
</style>
<rect width="$width" height="$height" fill="var(--ground)"/>
$panels
</svg>
""")


@dataclass(frozen=True)
class Scale:
    """Where values from `low` to `high` go between two places, by their logarithm."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return where a value goes."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the round numbers in between: 1, 2 and 5 with any noughts."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)))
        every = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
        return [value for value in every if self.low <= value <= self.high]


Curves = dict[str, list[float]]  # a contestant's name, and its value at each of GROWTH


def svg(samples: Sequence[Sample]) -> str:
    """Return the picture: a column of panels for each engine."""
    columns = engines(samples)
    panels = [
        _panel(
            f"{engine}: {title}",
            _curves(samples, engine, what),
            _common(samples, what),
            (column * WIDTH, row * HEIGHT),
        )
        for column, engine in enumerate(columns)
        for row, (what, title) in enumerate(ROWS.items())
    ]
    colours = (
        f"polyline.{name} {{ stroke: var(--{name}) }} text.{name} {{ fill: var(--{name}) }}"
        for name in GROWING
    )
    return PICTURE.substitute(
        width=WIDTH * len(columns),
        height=HEIGHT * len(ROWS),
        desc=escape(_in_words(samples)),
        colours="\n".join(colours),
        panels="\n".join(panels),
    )


def _curves(samples: Sequence[Sample], engine: str, what: str) -> Curves:
    return {
        name: [middle(samples, engine, name, clients, what) for clients in GROWTH]
        for name in GROWING
    }


def _common(samples: Sequence[Sample], what: str) -> tuple[float, float]:
    """Return least and largest of all engines, so that their panels can be compared."""
    every = [_curves(samples, engine, what).values() for engine in engines(samples)]
    values = [value for curves in every for curve in curves for value in curve]
    return min(values) / 1.3, max(values) * 1.3


def _panel(title: str, curves: Curves, bounds: tuple[float, float], at: tuple[float, float]) -> str:
    across = Scale(GROWTH[0], GROWTH[-1], LEFT, WIDTH - RIGHT)
    up = Scale(*bounds, HEIGHT - BOTTOM, TOP)
    parts = [f'<text class="head" x="{LEFT}" y="{TOP - 20}">{escape(title)}</text>']
    parts += [_horizontal(up.place(value), f"{value:,g}") for value in up.ticks()]
    parts += [_vertical(across.place(clients), f"{clients:,}") for clients in GROWTH]
    parts.append(f'<text class="middle" x="{across.place(32):.0f}" y="{HEIGHT - 8}">clients</text>')
    parts += [_curve(name, values, across, up) for name, values in curves.items()]
    ends = {name: up.place(values[-1]) for name, values in curves.items()}
    parts += [_label(name, y) for name, y in apart(ends).items()]
    return f'<g transform="translate({at[0]} {at[1]})">\n' + "\n".join(parts) + "\n</g>"


def _horizontal(y: float, text: str) -> str:
    line = f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
    return f'{line}<text class="end" x="{LEFT - 8}" y="{y + 4:.1f}">{text}</text>'


def _vertical(x: float, text: str) -> str:
    line = f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
    return f'{line}<text class="middle" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}">{text}</text>'


def _curve(name: str, values: Sequence[float], across: Scale, up: Scale) -> str:
    pairs = zip(GROWTH, values, strict=True)
    points = " ".join(
        f"{across.place(clients):.1f},{up.place(value):.1f}" for clients, value in pairs
    )
    return f'<polyline class="{name}{" thick" if name == "hits" else ""}" points="{points}"/>'


def _label(name: str, y: float) -> str:
    at = f'x="{WIDTH - RIGHT + 8}" y="{y + 4:.1f}"'
    return f'<text class="{name}" {at}>{escape(GROWING[name])}</text>'


def apart(ends: dict[str, float]) -> dict[str, float]:
    """Return the places of labels, moved down where they would lie on one another."""
    places: dict[str, float] = {}
    lowest = -math.inf
    for name in sorted(ends, key=lambda name: ends[name]):
        lowest = places[name] = max(ends[name], lowest + LINE)
    return places


def _in_words(samples: Sequence[Sample]) -> str:
    sentences = []
    for engine in engines(samples):
        each = ", ".join(
            f"{title} {middle(samples, engine, name, CLIENTS, 'rate'):,.0f} a second"
            f" with a p99 of {middle(samples, engine, name, CLIENTS, 'p99'):.1f} ms"
            for name, title in GROWING.items()
        )
        sentences.append(f"{engine}, {CLIENTS} clients: {each}.")
    return " ".join(sentences) + " The tables beside it have all values."
