"""The paper under a picture: panels, a key beside or below them, and a caption, of a given size.

A figure of our own is laid out once and then stays as it is, so that what is placed by geometry
(names, bubbles) keeps its place. In axes that the caller gives, the key stands to their right and
there is no caption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, OffsetBox
from matplotlib.text import Text
from matplotlib.transforms import Bbox, Transform

from archscope.errors import InvalidInput
from archscope.plots.key import Block, in_rows, stacked
from archscope.plots.labels import text_width
from archscope.plots.picture import Picture
from archscope.plots.style import FULL_WIDTH, GREY, WIDE

_MARGIN = 4.0  # points
_CAPTION_SIZE = 6.2
_SMALLEST = 2.0  # inches
_LINE = 11.0  # points that a line of the key takes
_FEWEST = 10  # entries that a block which may be shortened keeps
_MOST = 60  # lines of such a block, however large the figure
_UNDER = 0.4  # of the figure's height, at most, for a key that can be shortened
_LEAST_PANEL = 36.0  # points
_LEAST_SHARE = 0.4  # of the caller's axes, which give way to the key


@dataclass(frozen=True, slots=True)
class Key:
    """The key as it is drawn, and the points that it takes beside the panels or below them."""

    box: AnchoredOffsetbox | None
    side: float = 0.0
    below: float = 0.0
    foot: float = inf  # height of the caption above which there is room for it


@dataclass(slots=True)
class Sheet:
    """A figure, its panels, and whether it is our own."""

    figure: Figure
    panels: list[Axes]
    own: bool
    key: list[Block] = field(default_factory=list)
    drawn: Key | None = None
    titles: dict[Text, str] = field(default_factory=dict)  # of axes, before they are wrapped

    @property
    def width(self) -> float:
        """Of the first panel or, before our own figure is laid out, of the figure, in points."""
        if self.own:
            return 72 * self.figure.get_figwidth() / len(self._columns())
        return 72 * self.panels[0].bbox.width / self.figure.dpi

    @property
    def height(self) -> float:
        """Of a panel in points, about what is left of it beside ticks, key and caption."""
        if self.own:
            rows = len({round(panel.get_position().y0, 3) for panel in self.panels})
            return 0.55 * 72 * self.figure.get_figheight() / rows
        return 72 * self.panels[0].bbox.height / self.figure.dpi

    def _columns(self) -> set[float]:
        return {round(panel.get_position().x0, 3) for panel in self.panels}


def begin(
    ax: Axes | Sequence[Axes] | None,
    size: tuple[float, float] | None,
    panels: int = 1,
    *,
    stacked: bool = False,
) -> Sheet:
    """A sheet with so many panels.

    Args:
        ax: axes to draw into, one for each panel; a figure of our own is made without them.
        size: of our own figure in inches, width and height.
        panels: beside each other, or above each other in a narrow figure.
        stacked: above each other in any figure, with one axis along them all.

    Raises:
        InvalidInput: another number of axes than panels, or a figure too small for anything.
    """
    if ax is not None:
        given = [ax] if isinstance(ax, Axes) else list(ax)
        if len(given) != panels:
            raise InvalidInput(f"this picture takes {panels} axes, not {len(given)}")
        figure = given[0].get_figure(root=True)
        assert figure is not None
        if not isinstance(figure.canvas, FigureCanvasAgg):
            FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        return Sheet(figure, given, own=False)
    width, height = size or FULL_WIDTH
    if min(width, height) < _SMALLEST:
        raise InvalidInput(f"a figure is at least {_SMALLEST:g} by {_SMALLEST:g} inches")
    figure = Picture(figsize=(width, height))
    FigureCanvasAgg(figure)
    rows, columns = (panels, 1) if stacked or width < WIDE else (1, panels)
    made = figure.subplots(rows, columns, squeeze=False, sharex=stacked)
    return Sheet(figure, list(made.ravel()), own=True)


def finish(
    sheet: Sheet, caption: str, title: str = "", settle: Callable[[], None] = lambda: None
) -> Figure:
    """Lay the sheet out with its key and caption; again, if it is called again.

    Args:
        sheet: with all that decides how much room ticks and titles take.
        caption: under what conditions the figures hold.
        title: of the page when the picture becomes one.
        settle: sets the limits of axes, whose size it may read; called when that has changed.
    """
    figure = sheet.figure
    if not sheet.own:
        if sheet.drawn is None:
            sheet.drawn = _key_beside(sheet)
        for _ in range(2):  # the second time with the room that names of bars, say, have left
            _wrap_titles(sheet)
            for panel in sheet.panels:
                keep_inside(panel)
            figure.draw_without_rendering()
        settle()
        return figure
    figure.set_label(title)
    width, height = 72 * figure.get_figwidth(), 72 * figure.get_figheight()
    foot = _caption(figure, caption, width, height)
    if sheet.drawn is None or sheet.drawn.foot < foot:
        if sheet.drawn is not None and sheet.drawn.box is not None:
            sheet.drawn.box.remove()
        sheet.drawn = _key_of_own(sheet, width, height, foot)
    drawn = sheet.drawn
    room = (foot + drawn.below) / height
    if room > 0.8:
        raise too_small(figure)
    for _ in range(2):  # the second time with the ticks that the first one's size asks for
        _wrap_titles(sheet)
        settle()
        _fit(figure, (0, room, 1 - drawn.side / width, 1 - room))
        if min(min(panel.bbox.size) for panel in sheet.panels) * 72 < _LEAST_PANEL * figure.dpi:
            raise too_small(figure)
    settle()
    if drawn.box is not None:
        right = 1 - (drawn.side - 2 * _MARGIN) / width
        beside = (right, sheet.panels[0].get_position().y1)
        under = (2 * _MARGIN / width, room - _MARGIN / 2 / height)
        _place(drawn.box, beside if drawn.side else under, figure.transFigure)
    return figure


def too_small(figure: Figure | None) -> InvalidInput:
    """The error of a figure in which panels have no room."""
    assert figure is not None
    width, height = figure.get_size_inches()
    return InvalidInput(
        f"this picture needs more than {width:g}x{height:g} inches; give it a size of, say, "
        f"{width:g}x{1.4 * height:.1f}"
    )


def _wrap_titles(sheet: Sheet) -> None:
    """Break titles of axes that are longer than their axis."""
    inches = 72 / sheet.figure.dpi
    for panel in sheet.panels:
        box = panel.bbox
        for axis, length in ((panel.xaxis, box.width), (panel.yaxis, box.height)):
            label = axis.get_label()
            title = sheet.titles.setdefault(label, label.get_text())
            lines = wrapped(title, 0.9 * length * inches, float(label.get_fontsize()))
            label.set_text("\n".join(lines))


def outer_titles(sheet: Sheet) -> None:
    """Leave titles to the axes at the left and at the bottom; the panels have the same."""
    for panel in sheet.panels:
        place = panel.get_subplotspec()
        if sheet.own and place is not None:
            panel.set_ylabel(panel.get_ylabel() if place.is_first_col() else "")
            panel.set_xlabel(panel.get_xlabel() if place.is_last_row() else "")


def _caption(figure: Figure, caption: str, width: float, height: float) -> float:
    """Write it at the foot of the figure; the points that it takes."""
    for old in [text for text in figure.texts if text.get_gid() == "caption"]:
        old.remove()
    room = 0.9 * (width - 4 * _MARGIN)  # hinted letters are wider
    lines = wrapped(caption, room, _CAPTION_SIZE, breaking=True)
    if not lines:
        return 0.0
    figure.text(
        2 * _MARGIN / width,
        _MARGIN / height,
        "\n".join(lines),
        fontsize=_CAPTION_SIZE,
        linespacing=1.1,
        color=GREY,
        va="bottom",
        parse_math=False,
        gid="caption",
    )
    return len(lines) * 1.15 * _CAPTION_SIZE + 2 * _MARGIN


def _key_of_own(sheet: Sheet, width: float, height: float, foot: float) -> Key:
    """Beside the panels if there is room, else below them; shortened if that helps."""
    if not sheet.key:
        return Key(None)
    drawn = _key_at_side(sheet, width, height, foot) or _key_below(sheet, width)
    assert drawn.box is not None
    _place(drawn.box, (0, 0), sheet.figure.transFigure)  # until panels have places
    drawn.box.set_in_layout(False)
    sheet.figure.add_artist(drawn.box)
    return drawn


def _key_at_side(sheet: Sheet, width: float, height: float, foot: float) -> Key | None:
    if width < 72 * WIDE:
        return None
    room = height - foot - 2 * _MARGIN
    for most in _lengths(sheet.key):
        blocks = [block.shortened(most) for block in sheet.key]
        lines = sum(len(block.entries) for block in blocks)
        if lines * _LINE > 1.2 * room:
            continue  # far from it: not worth being measured
        column = stacked(blocks)
        wide, tall = _extent(column, sheet.figure)
        if tall < room:
            fits = wide < 0.3 * width
            return Key(_anchored(column), side=wide + 4 * _MARGIN, foot=foot) if fits else None
    return None


def _key_below(sheet: Sheet, width: float) -> Key:
    room = _UNDER * 72 * sheet.figure.get_figheight()
    for most in _lengths(sheet.key):
        blocks = [block.shortened(most) for block in sheet.key]
        rows = in_rows(blocks, width - 4 * _MARGIN)
        tall = _extent(rows, sheet.figure)[1] + 2 * _MARGIN
        if tall <= room:
            break
    return Key(_anchored(rows), below=tall)


def _lengths(blocks: Sequence[Block]) -> range:
    """To how many lines blocks may be shortened, not at all first."""
    longest = max((len(block.entries) for block in blocks if block.weights), default=0)
    return range(min(max(longest, _FEWEST), _MOST), _FEWEST - 1, -1)


def _key_beside(sheet: Sheet) -> Key:
    """In the caller's figure: right of the last panel, which gives way to it."""
    if not sheet.key:
        return Key(None)
    axes = sheet.panels[-1]
    height = 72 * axes.bbox.height / sheet.figure.dpi
    for most in _lengths(sheet.key):
        stack = stacked([block.shortened(most) for block in sheet.key])
        wide, tall = _extent(stack, sheet.figure)
        if tall <= height:
            break
    give_way(axes, wide + 2 * _MARGIN)
    box = _anchored(stack)
    _place(box, (1 + _MARGIN * sheet.figure.dpi / 72 / axes.bbox.width, 1), axes.transAxes)
    axes.add_artist(box)
    return Key(box)


def give_way(axes: Axes, points: float) -> None:
    """Leave so much room at the right of the caller's axes, as for a colour bar.

    A layout engine does so by itself.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    if figure.get_layout_engine() is None:
        place = axes.get_position()
        left = max(1 - points * figure.dpi / 72 / axes.bbox.width, _LEAST_SHARE)
        axes.set_position((place.x0, place.y0, left * place.width, place.height))


def keep_inside(axes: Axes) -> None:
    """Draw in the edges of the caller's axes where their names would leave the figure.

    A layout engine does so by itself.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    if figure.get_layout_engine() is not None:
        return
    taken = axes.get_tightbbox()
    assert taken is not None
    wide, tall = figure.bbox.size
    place = axes.get_position()
    taken = taken.padded(_MARGIN * figure.dpi / 72)  # hinted letters are wider
    left, low = max(-taken.x0 / wide, 0), max(-taken.y0 / tall, 0)
    right, high = max(taken.x1 / wide - 1, 0), max(taken.y1 / tall - 1, 0)
    inner = (place.width - left - right, place.height - low - high)
    least = (_LEAST_SHARE * place.width, _LEAST_SHARE * place.height)
    axes.set_position((place.x0 + left, place.y0 + low, *map(max, inner, least)))


def _place(box: AnchoredOffsetbox, corner: tuple[float, float], transform: Transform) -> None:
    box.set_bbox_to_anchor(Bbox.from_bounds(*corner, 0, 0), transform)


def _anchored(box: OffsetBox) -> AnchoredOffsetbox:
    return AnchoredOffsetbox("upper left", child=box, frameon=False, pad=0, borderpad=0)


def _fit(figure: Figure, rect: tuple[float, float, float, float]) -> None:
    figure.set_layout_engine("constrained", rect=rect, w_pad=0.05, h_pad=0.05)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _extent(box: OffsetBox, figure: Figure) -> tuple[float, float]:
    box.set_figure(figure)
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    bounds = box.get_bbox(canvas.get_renderer())
    return bounds.width * 72 / figure.dpi, bounds.height * 72 / figure.dpi


def fitting(title: str, width: float) -> str:
    """A title of axes without its middle where it is longer than a figure of so many points."""
    size = rcParams["axes.titlesize"]
    most = int(0.7 * width / max(text_width(title, size), 1e-9) * len(title))
    if most >= len(title):
        return title
    return f"{title[: most // 2]}…{title[-(most // 2) :]}"


def wrapped(text: str, width: float, size: float, *, breaking: bool = False) -> list[str]:
    """A text in lines of at most so many points; a longer word is a line, or broken into some."""

    def part(word: str) -> list[str]:
        return _broken(word, width, size) if breaking else [word]

    lines: list[str] = []
    for word in chain.from_iterable(part(word) for word in text.split()):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _broken(word: str, width: float, size: float) -> list[str]:
    """A word in parts that fit: the path of a file, say."""
    most = int(len(word) * width / max(text_width(word, size), 1e-9))
    if most >= len(word):
        return [word]
    most = max(int(0.9 * most), 1)  # letters are not all of one width
    return [word[start : start + most] for start in range(0, len(word), most)]
