"""How every picture looks: colours that all eyes and printers tell apart, plain axes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any

import matplotlib as mpl

# Okabe and Ito, "Color Universal Design", 2008, the darkest first; yellow is too pale for paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
GREY = "#555555"  # of what is said about the data
PALE = "#DDDDDD"

FULL_WIDTH = (7.0, 4.6)  # inches: two columns of a paper; one is 3.4
WIDE = 5.5  # inches from which on there is room beside the axes

_SETTINGS: Any = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "archscope",
    "pdf.fonttype": 42,
    "text.hinting": "none",
}
_FINE: Any = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.fontsize": 7,
    "lines.linewidth": 1.2,
}


@contextmanager
def styled(*, fine: bool = False) -> Iterator[None]:
    """Pictures drawn inside have the style; matplotlib's settings are put back afterwards.

    Args:
        fine: the smaller letters of a picture that is printed at the size that it has.
    """
    with mpl.rc_context(_SETTINGS | (_FINE if fine else {})):
        yield


def colours(number: int) -> list[str]:
    """So many colours; they repeat after seven, when markers and lines must tell."""
    return list(islice(cycle(COLOURS), number))
