"""Names beside points: none covers another name, a bubble, a dot or the edge of the axes.

Every name has places around its bubble, near ones first and far ones with a line that leads back.
Places that cover something that does not move are out at once. Of the rest the names with the
fewest choose first; one that finds all places taken drives out whom it meets, a bounded number of
times; then each moves to the cheapest place left. Nothing is drawn by chance: the same points have
the same names in the same places.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ANGLES = np.deg2rad(np.arange(0, 360, 10))
_REACHES = (1.5, 4, 8, 13, 19, 26, 34, 44, 56, 70, 86, 104, 124, 148, 176)  # points
_LED = 5.0  # points from the bubble at which a line must lead to the name
_PAD = 1.2  # points around a name
_DOT = 2.6  # points around a centre that no name and no line covers
_MOST_PLACES = 260


@dataclass(frozen=True, slots=True)
class Bubble:
    """A circle in the axes: its centre in points from their lower left corner, and its radius."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Label:
    """A name and the bubble that it is of, by its index."""

    text: str
    bubble: int


@dataclass(frozen=True, slots=True)
class Places:
    """Where one name may stand: boxes (n, 4), lines (n, 2, 2) in points, and what each costs."""

    boxes: Array
    lines: Array
    costs: Array

    def __len__(self) -> int:
        return len(self.costs)


def text_width(text: str, size: float) -> float:
    """Width in points of a text in the pictures' font; no part of it is taken for a formula."""
    return text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)[0]


def arrange(
    labels: Sequence[Label],
    bubbles: Sequence[Bubble],
    extent: tuple[float, float],
    size: float,
    avoid: Sequence[tuple[float, float]] = (),
) -> dict[int, tuple[Array, Array | None]]:
    """Find a place for each name.

    Args:
        labels: the names.
        bubbles: every bubble of the axes, named or not.
        extent: width and height of the axes in points.
        size: of the font in points.
        avoid: points of lines that names had better not cover.

    Returns:
        By the label's index the box of the text (4,), and the line that leads to it (2, 2) or
        None beside its bubble. A name that has no place is not there.
    """
    circles = np.array([(b.x, b.y, b.radius) for b in bubbles]).reshape(-1, 3)
    avoided = np.array([(x, y, 0) for x, y in avoid]).reshape(-1, 3)
    places = [_places(label, circles, extent, size, avoided) for label in labels]
    chosen = _choose(places)
    _improve(places, chosen)
    found: dict[int, tuple[Array, Array | None]] = {}
    for index, place in chosen.items():
        line = places[index].lines[place]
        far = float(np.hypot(*(line[1] - line[0]))) > _LED
        found[index] = (places[index].boxes[place], line if far else None)
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the names of some axes stand."""

    labels: tuple[Label, ...]
    bubbles: tuple[Bubble, ...]
    size: float
    extent: tuple[float, float]
    found: dict[int, tuple[Array, Array | None]]

    @property
    def unplaced(self) -> list[str]:
        """Names that find no place."""
        return [label.text for index, label in enumerate(self.labels) if index not in self.found]


def plan(
    axes: Axes,
    labels: Sequence[Label],
    bubbles: Sequence[Bubble],
    size: float,
    avoid: Sequence[tuple[float, float]] = (),
) -> Plan:
    """Places in axes whose limits and size are final; the arguments are those of ``arrange``."""
    scale = 72 / axes.figure.dpi
    extent = (axes.bbox.width * scale, axes.bbox.height * scale)
    found = arrange(labels, bubbles, extent, size, avoid)
    return Plan(tuple(labels), tuple(bubbles), size, extent, found)


def write(axes: Axes, plan: Plan) -> None:
    """Write the names, each in its place."""
    for index, (box, line) in plan.found.items():
        label = plan.labels[index]
        _write(axes, label, plan.bubbles[label.bubble], box, line, plan.size, plan.extent)


def _write(
    axes: Axes,
    label: Label,
    bubble: Bubble,
    box: Array,
    line: Array | None,
    size: float,
    extent: tuple[float, float],
) -> None:
    anchor = (bubble.x / extent[0], bubble.y / extent[1])
    middle = (box[:2] + box[2:]) / 2
    if line is not None:
        ends = line / np.array(extent)
        axes.plot(
            ends[:, 0],
            ends[:, 1],
            transform=axes.transAxes,
            color="#777777",
            lw=0.5,
            zorder=4,
            scalex=False,
            scaley=False,
        )
    axes.annotate(
        label.text,
        anchor,
        xycoords="axes fraction",
        xytext=(middle[0] - bubble.x, middle[1] - bubble.y),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=size,
        parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.3},
        zorder=5,
        gid=f"label {label.text}",
    )


# -- where a name may stand ------------------------------------------------------------------------


def _places(
    label: Label, circles: Array, extent: tuple[float, float], size: float, avoid: Array
) -> Places:
    x, y, radius = circles[label.bubble]
    others = np.delete(circles, label.bubble, axis=0)
    half = np.array([text_width(label.text, size) / 2 + _PAD, 0.62 * size + _PAD / 2])
    angles, reaches = (
        grid.ravel() for grid in np.meshgrid(_ANGLES, [r for r in _REACHES if r < max(extent)])
    )
    towards = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rim = np.array([x, y]) + towards * radius
    # A box beside the bubble touches it with a side, one above a corner with that corner.
    centre = rim + towards * reaches[:, None] + half * np.clip(1.6 * towards, -1, 1)
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    lines = np.stack([rim, np.clip(rim, boxes[:, :2], boxes[:, 2:])], axis=1)
    costs = reaches + 6 * (reaches > _LED) + _direction_cost(angles)
    own = circles[label.bubble][None] * (1, 1, 0)
    free = (boxes[:, :2] >= 1).all(axis=1) & (boxes[:, 2:] <= np.array(extent) - 1).all(axis=1)
    kept = np.flatnonzero(free)
    kept = kept[~_covers_circle(boxes[kept], own, _DOT).any(axis=1)]
    kept = kept[~_covers_circle(boxes[kept], others, 0.8).any(axis=1)]
    away = _from_line(lines[kept], others)
    led = np.hypot(*(lines[kept, 1] - lines[kept, 0]).T) > _LED
    costs[kept] += 2.5 * (away < others[None, :, 2]).sum(axis=1)
    kept = kept[~(led[:, None] & (away < _DOT)).any(axis=1)]
    costs[kept] += 9 * _covers_circle(boxes[kept], avoid, 0.5).any(axis=1)
    kept = kept[np.argsort(costs[kept], kind="stable")][:_MOST_PLACES]
    return Places(boxes[kept], lines[kept], costs[kept])


def _direction_cost(angles: Array) -> Array:
    """Readers look for a name to the right first, then above; a slant costs a little."""
    return 1.5 * (1 - np.cos(angles)) + 0.5 * (1 - np.sin(angles)) + np.abs(np.sin(2 * angles))


def _covers_circle(boxes: Array, circles: Array, margin: float) -> NDArray[np.bool_]:
    """Whether box i comes nearer to circle j than the margin: (boxes, circles)."""
    x, y, reach = circles[:, 0], circles[:, 1], circles[:, 2] + margin
    across = np.clip(x, boxes[:, None, 0], boxes[:, None, 2]) - x
    up = np.clip(y, boxes[:, None, 1], boxes[:, None, 3]) - y
    return across * across + up * up < reach * reach


def _from_line(lines: Array, circles: Array) -> Array:
    """Distance of centre j from line i: (lines, circles)."""
    x, y = (circles[None, :, k] - lines[:, 0, k, None] for k in (0, 1))
    along_x, along_y = (lines[:, 1, k, None] - lines[:, 0, k, None] for k in (0, 1))
    length = np.maximum(along_x**2 + along_y**2, 1e-12)
    share = ((x * along_x + y * along_y) / length).clip(0, 1)
    return np.hypot(x - share * along_x, y - share * along_y)


# -- who stands where ------------------------------------------------------------------------------


def _choose(places: Sequence[Places]) -> dict[int, int]:
    chosen: dict[int, int] = {}
    waiting = deque(
        sorted((i for i, p in enumerate(places) if len(p)), key=lambda i: len(places[i]))
    )
    tries = dict.fromkeys(waiting, 0)
    while waiting:
        index = waiting.popleft()
        meets = _meetings(places, index, chosen)
        conflicts = meets.sum(axis=1)
        # Each time that a name is driven out it looks further, so that two do not swap for ever.
        place = int(np.lexsort((places[index].costs, conflicts))[0])
        evicted = [other for other, met in zip(chosen, meets[place], strict=True) if met]
        tries[index] += 1
        if evicted and (tries[index] > 6 or any(tries[other] > 6 for other in evicted)):
            continue
        for other in evicted:
            del chosen[other]
            waiting.append(other)
        chosen[index] = place
    return chosen


def _improve(places: Sequence[Places], chosen: dict[int, int]) -> None:
    """Move each name to the cheapest place that meets nobody, until none moves."""
    for _ in range(6):
        moved = False
        for index in range(len(places)):
            others = {other: place for other, place in chosen.items() if other != index}
            free = np.flatnonzero(~_meetings(places, index, others).any(axis=1))
            if len(free) and chosen.get(index) != free[0]:
                chosen[index] = int(free[0])
                moved = True
        if not moved:
            return


def _meetings(places: Sequence[Places], index: int, chosen: dict[int, int]) -> NDArray[np.bool_]:
    """Whether place i of a name meets chosen name j: (places, chosen)."""
    mine = places[index]
    if not chosen:
        return np.zeros((len(mine), 0), dtype=bool)
    boxes = np.array([places[other].boxes[place] for other, place in chosen.items()])[None]
    lines = np.array([places[other].lines[place] for other, place in chosen.items()])[None]
    own_boxes, own_lines = mine.boxes[:, None], mine.lines[:, None]
    return (
        _overlap(own_boxes, boxes)
        | _line_meets_box(own_lines, boxes)
        | _line_meets_box(lines, own_boxes)
        | _lines_cross(own_lines, lines)
    )


def _overlap(one: Array, other: Array) -> NDArray[np.bool_]:
    return (
        (one[..., 0] < other[..., 2])
        & (other[..., 0] < one[..., 2])
        & (one[..., 1] < other[..., 3])
        & (other[..., 1] < one[..., 3])
    )


def _line_meets_box(lines: Array, boxes: Array) -> NDArray[np.bool_]:
    """Liang and Barsky: the part of the line that is between both pairs of sides."""
    start, along = lines[..., 0, :], lines[..., 1, :] - lines[..., 0, :]
    along = np.where(np.abs(along) < 1e-9, 1e-9, along)
    first, second = (boxes[..., :2] - start) / along, (boxes[..., 2:] - start) / along
    enters = np.minimum(first, second).max(axis=-1).clip(min=0)
    leaves = np.maximum(first, second).min(axis=-1).clip(max=1)
    return enters < leaves


def _lines_cross(one: Array, other: Array) -> NDArray[np.bool_]:
    def side(a: Array, b: Array, c: Array) -> Array:
        across, along = b - a, c - a
        return np.sign(across[..., 0] * along[..., 1] - across[..., 1] * along[..., 0])

    a, b, c, d = one[..., 0, :], one[..., 1, :], other[..., 0, :], other[..., 1, :]
    return (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
