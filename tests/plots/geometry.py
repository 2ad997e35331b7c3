"""Where things of a figure are, as a renderer says, and what must hold of them."""

from itertools import combinations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.offsetbox import AnchoredOffsetbox


def boxes(figure):
    """Names and their boxes in pixels, of each panel."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    return {
        axes: {
            text.get_gid().removeprefix("label "): text.get_window_extent(renderer)
            for text in axes.texts
            if (text.get_gid() or "").startswith("label ")
        }
        for axes in figure.axes
    }


def circles(axes):
    """Centre, radius in pixels and name of every bubble."""
    scale = axes.figure.dpi / 72
    spots = {
        line.get_gid().removeprefix("centre "): axes.transData.transform(line.get_xydata()[0])
        for line in axes.lines
        if (line.get_gid() or "").startswith("centre ")
    }
    names, places = list(spots), np.array(list(spots.values())).reshape(-1, 2)
    found = []
    for collection in axes.collections:
        if collection.get_gid() != "bubbles":
            continue
        centres = axes.transData.transform(collection.get_offsets())
        for centre, size in zip(centres, collection.get_sizes(), strict=True):
            nearest = np.hypot(*(places - centre).T).argmin()
            found.append((names[nearest], centre, np.sqrt(size) / 2 * scale))
    return found


def assert_names_cover_nothing(figure):
    for axes, texts in boxes(figure).items():
        for (one, a), (other, b) in combinations(texts.items(), 2):
            assert not a.overlaps(b), f"{one} covers {other}"
        frame, bubbles = axes.get_window_extent(), circles(axes)
        for name, box in texts.items():
            inside = box.x0 >= frame.x0 - 0.5 and box.x1 <= frame.x1 + 0.5
            assert inside and box.y0 >= frame.y0 - 0.5 and box.y1 <= frame.y1 + 0.5, name
            for owner, centre, radius in bubbles:
                nearest = np.clip(centre, box.p0, box.p1)
                if owner != name:
                    assert np.hypot(*(nearest - centre)) >= radius - 0.3, f"{name} covers {owner}"


def assert_inside(figure):
    """Every bubble in its axes; every text of the figure in the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for axes in figure.axes:
        frame = axes.get_window_extent()
        for name, centre, radius in circles(axes):
            assert (centre - radius >= frame.p0 - 0.5).all(), name
            assert (centre + radius <= frame.p1 + 0.5).all(), name
    ticks = {
        text for axes in figure.axes for text in axes.get_xticklabels() + axes.get_yticklabels()
    }
    shown = {
        tick.label1
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis._update_ticks()
    }
    for text in figure.findobj(lambda artist: hasattr(artist, "get_text")):
        if text.get_visible() and text.get_text() and (text not in ticks or text in shown):
            box = text.get_window_extent(renderer)
            assert box.x0 >= -1 and box.y0 >= -1, text.get_text()
            assert box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1, text.get_text()


def assert_panels_are_most_of(figure, share):
    """Panels with more than a share of the figure's height, and a key that meets no caption."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    panels = [axes.get_window_extent(renderer) for axes in figure.axes]
    top, low = max(box.y1 for box in panels), min(box.y0 for box in panels)
    assert top - low > share * figure.bbox.height
    (words,) = [text for text in figure.texts if text.get_gid() == "caption"]
    for key in figure.findobj(AnchoredOffsetbox):
        box = key.get_window_extent(renderer)
        assert box.y0 >= words.get_window_extent(renderer).y1 - 1
        assert not any(box.overlaps(panel) for panel in panels)


def caption(figure):
    """The words at the foot of a figure, in one line."""
    (text,) = [text for text in figure.texts if text.get_gid() == "caption"]
    return " ".join(text.get_text().split())
