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

_SETTINGS: Any = {
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "savefig.bbox": "tight",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """Pictures drawn inside have the style; matplotlib's settings are put back afterwards."""
    with mpl.rc_context(_SETTINGS):
        yield


def colours(number: int) -> list[str]:
    """So many colours; they repeat after seven, when markers and lines must tell."""
    return list(islice(cycle(COLOURS), number))
