"""The pictures of docs/guards.md; the same numbers give the same files, byte for byte."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.guards.exposure import CURVE, small
from benchmarks.guards.harm import PROMISED, Cell
from benchmarks.guards.policy import FLOOR
from benchmarks.guards.rules import RULES
from campaign.brake import expected_harm

#: Told apart by everybody (Okabe and Ito), and in grey by their dashes.
_STYLES = (("#999999", ":"), ("#e69f00", "--"), ("#56b4e9", "-."), ("#0072b2", "-"), ("#d55e00", "-"))
_RING = 1_000
_DRAWN = (
    "all at once, no brake",
    "10,000 in flight, no brake",
    "1,000 in flight, no brake",
    "budget 25, failures reported",
    "budget 25, all failures silent",
)
_BUDGET = 25


def draw(folder: Path, cells: Sequence[Cell]) -> None:
    """Write guards-pause.svg and guards-harm.svg."""
    with mpl.rc_context({"svg.hashsalt": "guards", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        _save(_pauses(), folder / "guards-pause.svg")
        _save(_harm(cells), folder / "guards-harm.svg")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def _axes(title: str, ylabel: str) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
    axes.set(title=title, xlabel="true failure rate", ylabel=ylabel, xscale="log")
    ticks = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
    axes.set_xticks(ticks, [f"{each * 100:g} %" for each in ticks], minor=False)
    axes.set_xticks([], minor=True)
    return figure, axes


def _pauses() -> Figure:
    """The chance of a pause against the true failure rate, by rule."""
    figure, axes = _axes(f"A ring of {_RING:,}: how likely is a pause?", "chance of a pause")
    for (name, _), (colour, dashes) in zip(RULES.items(), _STYLES, strict=False):
        chances = [cell.chance * 100 for cell in small(_RING, name, CURVE)]
        axes.plot(CURVE, chances, color=colour, linestyle=dashes, label=name, linewidth=1.8)
    for place, words in ((0.005, "target"), (0.02, "limit")):
        axes.axvline(place, color="black", linewidth=0.6)
        axes.text(place, 103, words, ha="center", fontsize=8)
    axes.set(ylim=(0, 110), xlim=(CURVE[0], CURVE[-1]))
    axes.set_yticks(range(0, 101, 20), [f"{each} %" for each in range(0, 101, 20)])
    axes.legend(loc="center right")
    return figure


def _harm(cells: Sequence[Cell]) -> Figure:
    """Vehicles harmed against the true failure rate, by policy."""
    figure, axes = _axes("A ring of 200,000: how many are harmed?", "vehicles harmed, mean")
    for name, (colour, dashes) in zip(_DRAWN, _STYLES, strict=True):
        mine = sorted((cell for cell in cells if cell.policy == name), key=lambda cell: cell.rate)
        rates, harmed = [cell.rate for cell in mine], [cell.harmed for cell in mine]
        axes.plot(rates, harmed, color=colour, linestyle=dashes, marker="o", markersize=3, label=name)
    bound = expected_harm(_BUDGET, FLOOR)
    axes.hlines(bound, PROMISED, 1, color="black", linewidth=0.8)
    axes.text(1, bound * 1.1, f"promised: {bound}", ha="right", fontsize=8)
    axes.set(yscale="log")
    axes.legend(loc="upper left")
    return figure
