"""The roofline as a picture: dots where the closed forms put them, words that cover nothing."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn

import archscope
from archscope import plots
from archscope.analyzers import roofline
from archscope.devices import Device, find_device
from archscope.errors import InvalidInput


def two_bandwidths():
    return Device(
        name="cpu",
        title="A processor, 1 thread",
        kind="cpu",
        year=2026,
        peaks={"fp64": 5.8e10, "fp32": 2.5e11, "bf16": 2.9e11},
        bandwidth=4e10,
        launch=1e-6,
        power_w=None,
        source="made up",
        cache_bandwidth=2e11,
        cache_bytes=1 << 25,
        basis="measured",
    )


def net():
    model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    model.append(nn.Linear(64 * 15 * 15, 10))
    return model.eval()


def analyzed(device, **settings):
    return roofline(archscope.trace(net(), ((8, 3, 32, 32),), **settings), device)


def dots(figure):
    """Places of all dots, of each the face colour."""
    (axes,) = figure.axes
    found = {}
    for collection in axes.collections:
        face = tuple(np.round(collection.get_facecolor()[0], 3))
        found[tuple(np.asarray(collection.get_offsets()[0], float))] = face
    return found


def texts(figure):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def test_every_layer_that_computes_is_at_its_intensity_and_least_rate():
    frame = analyzed(find_device("a100"))
    found = sorted(dots(plots.roofline(frame)))
    work = frame[frame.flops > 0]
    wanted = sorted(zip(work.intensity, 1e3 * work.flops / work.least_ms, strict=True))
    assert np.allclose(found, wanted)


def test_no_layer_is_above_its_roof():
    device = two_bandwidths()
    for intensity, rate in dots(plots.roofline(analyzed(device))):
        roof = min(device.product_rate("fp32"), device.cache_bandwidth * intensity)
        assert rate <= roof * (1 + 1e-9)


def test_there_is_a_ceiling_for_every_rate_and_a_slope_for_every_bandwidth():
    found = texts(plots.roofline(analyzed(find_device("h100"))))
    assert {"fp64, fp32 67T", "tf32 495T", "bf16, fp16 989T", "memory 3350 GB/s"} <= set(found)
    found = texts(plots.roofline(analyzed(two_bandwidths())))
    assert {"memory 40 GB/s", "cache 200 GB/s", "fp32 250G"} <= set(found)


def test_measured_times_hang_below_what_the_roof_allows():
    frame = analyzed(two_bandwidths())
    own = pd.DataFrame({"path": frame.path, "self_ms": 3 * frame.least_ms})
    found = dots(plots.roofline(frame, own))
    work = frame[frame.flops > 0]
    for intensity, least in zip(work.intensity, 1e3 * work.flops / work.least_ms, strict=True):
        assert any(np.allclose(place, (intensity, least)) for place in found)
        assert any(np.allclose(place, (intensity, least / 3)) for place in found)


def test_the_area_of_a_dot_is_its_share_of_the_time():
    frame = analyzed(find_device("a100"))
    (axes,) = plots.roofline(frame).axes
    areas = {tuple(c.get_offsets()[0]): float(c.get_sizes()[0]) for c in axes.collections}
    shares = {
        (row.intensity, 1e3 * row.flops / row.least_ms): row.share for row in frame.itertuples()
    }
    large = [place for place, area in areas.items() if area > 20]
    ratios = [areas[place] / shares[place] for place in large if place in shares]
    assert len(ratios) > 1 and max(ratios) == pytest.approx(min(ratios))


@pytest.mark.parametrize("size", [(3.3, 3.3), (6.0, 4.2)])
@pytest.mark.parametrize("name", ["k40", "a100", "h100", "ryzen-7950x", "cpu-amd-epyc-1t"])
def test_no_words_cover_other_words_or_leave_the_picture(name, size):
    figure = plots.roofline(analyzed(find_device(name)), size=size)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    (axes,) = figure.axes
    titles = (axes.title, axes._left_title)
    words = [text for text in (*axes.texts, *figure.texts, *titles) if text.get_text()]
    words += [axes.xaxis.label, axes.yaxis.label]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in words]
    for text, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height, text
    straight = [(text, box) for text, box in boxes if "GB/s" not in text]
    for (one, a), (other, b) in itertools.combinations(straight, 2):
        assert not a.shrunk(0.98, 0.9).overlaps(b.shrunk(0.98, 0.9)), (one, other)


def test_it_is_drawn_at_the_size_asked_for():
    figure = plots.roofline(analyzed(find_device("a100")), size=(3.3, 3.0))
    assert tuple(figure.get_size_inches()) == (3.3, 3.0)


def test_a_run_without_layers_has_ceilings_still():
    frame = roofline(archscope.trace(nn.Flatten(), ((1, 2, 2),)), "h100")
    figure = plots.roofline(frame)
    assert "fp64, fp32 67T" in texts(figure) and not dots(figure)


def test_times_of_another_network_are_refused():
    other = pd.DataFrame({"path": ["elsewhere"], "self_ms": [1.0]})
    with pytest.raises(InvalidInput, match="no layer"):
        plots.roofline(analyzed(find_device("a100")), other)


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_it_is_drawn_into_axes_that_are_given(layout):
    figure = Figure(figsize=(12, 5), layout=layout)
    left, right = figure.subplots(1, 2)
    assert plots.roofline(analyzed(find_device("a100")), ax=left) is figure
    assert figure.axes == [left, right] and not figure.texts
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    box = left.get_tightbbox(renderer)
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= right.get_window_extent(renderer).x0


def test_names_of_layers_keep_off_the_words_along_the_ceiling():
    trace = archscope.analyze("alexnet").trace
    figure = plots.roofline(roofline(trace, "a100"), size=(4.5, 3.6))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    words = next(text for text in axes.texts if text.get_gid() == "bandwidth memory")
    angle, scale = np.deg2rad(words.get_rotation()), figure.dpi / 72
    start = axes.transData.transform(words.xy) + np.array([0, 3 * scale])
    along, up = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    names = [text for text in axes.texts if (text.get_gid() or "").startswith("label ")]
    assert names
    for name, points in itertools.product(names, range(0, 60, 2)):
        x, y = start + scale * (points * along + 3 * up)
        assert not name.get_window_extent().contains(x, y), name.get_text()
