"""The colours of the page: those of the printed figures, seen on paper and on a dark screen."""

from __future__ import annotations

from collections.abc import Iterable

from archscope.plots.families import hue
from archscope.plots.style import COLOURS

# The dark ones would drown in a dark page.
_ON_DARK = {"#000000": "#E8E8E8", "#0072B2": "#3D9BDB", "#882255": "#B8407F"}


def palette(families: Iterable[str]) -> dict[str, object]:
    """Colours of the families and of other words, on light and on dark ground.

    Args:
        families: as the comparison names them.

    Returns:
        ``families`` (name -> light and dark colour) and ``words`` (pairs to be dealt in order).
    """
    return {
        "families": {name: _pair(hue(name)) for name in families},
        "words": [_pair(colour) for colour in COLOURS],
    }


def _pair(colour: str) -> tuple[str, str]:
    return colour, _ON_DARK.get(colour, colour)
