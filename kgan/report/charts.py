"""The curves of several runs: a picture for each number that training logged."""

import io
import math

from kgan.callbacks.curves import LOGARITHMIC_FROM_RATIO, NOT_CURVES
from kgan.metrics import gives_probability

# Okabe and Ito's palette, which people tell apart who do not see all colours.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":", "-.")
# What a reader looks at first.
FIRST = ("generator_loss", "discriminator_loss", "real_score", "fake_score")


def color(i):
    """Returns the colour of the i-th run, on the whole page."""
    return COLORS[i % len(COLORS)]


def logged_names(runs):
    """Returns what any of the runs logged each epoch: losses and scores first.

    Args:
        runs: list of `kgan.report.Run`.
    """
    names = {name: None for run in runs for row in run.rows for name in row}
    names = [name for name in names if name not in NOT_CURVES]
    return [*(n for n in FIRST if n in names), *(n for n in names if n not in FIRST)]


def draw_chart(runs, name):
    """Returns one number over the epochs, a line for each run, as the bytes of a PNG file.

    Args:
        runs: list of `kgan.report.Run`.
        name: str, what is logged under this name. Epochs without it, or where it is not finite,
            are gaps.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(4.4, 2.7), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn, are_probabilities = [], name.endswith("_score")
    for i, run in enumerate(runs):
        points = [(row["epoch"], float(row[name])) for row in run.rows if name in row]
        drawn += [value for _, value in points if math.isfinite(value)]
        if points:
            _draw_line(axes, i, points)
            are_probabilities = are_probabilities and gives_probability(run.gan)
    _scale(axes, drawn, are_probabilities)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw_line(axes, i, points):
    epochs, values = zip(*points, strict=True)
    axes.plot(
        epochs,
        [value if math.isfinite(value) else math.nan for value in values],
        color=color(i),
        # Colours come again from the eighth run on, lines with another dash.
        linestyle=DASHES[i // len(COLORS) % len(DASHES)],
        # Without a mark, one epoch, or one between two gaps, would not show at all.
        marker="." if len(points) <= 50 else None,
        linewidth=1.6,
    )


def _scale(axes, values, are_probabilities):
    if not values:
        return
    if are_probabilities:
        axes.axhline(0.5, color="black", linewidth=1, linestyle=":")
        axes.set_ylim(-0.03, 1.03)
    elif min(values) > 0 and max(values) > LOGARITHMIC_FROM_RATIO * min(values):
        axes.set_yscale("log")
