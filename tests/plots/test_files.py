"""The same figure gives the same bytes; a page needs nothing from outside."""

import re
import subprocess
import sys

import pytest

from archscope import plots
from archscope.errors import ArchscopeError, InvalidInput
from tests.plots.frames import comparison, measured

DRAW = """
import sys
from archscope import plots
from tests.plots.frames import comparison
plots.save(plots.accuracy_vs_ops(comparison(12, 3)), sys.argv[1])
"""


@pytest.mark.parametrize("ending", ["svg", "pdf", "png", "html"])
def test_the_same_frame_gives_the_same_bytes(ending, tmp_path):
    files = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for file in files:
        plots.save(plots.accuracy_vs_ops(comparison(12, 3)), file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_another_process_gives_the_same_bytes(tmp_path):
    for seed in "12":
        subprocess.run(
            [sys.executable, "-c", DRAW, tmp_path / f"{seed}.svg"],
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ".", "PATH": "", "OMP_NUM_THREADS": "1"},
        )
    one, other = (tmp_path / f"{seed}.svg" for seed in "12")
    assert one.read_bytes() == other.read_bytes()


def test_text_stays_text():
    frame = comparison(5, 1)
    svg = plots.files.rendered(plots.accuracy_vs_ops(frame), "svg").decode()
    assert all(f">{name}</text>" in svg for name in frame["model"])


def test_a_page_has_the_drawing_inside_and_loads_nothing(tmp_path):
    file = tmp_path / "page.html"
    frame = comparison(4, 1)
    frame.loc[0, "model"] = "</svg><script>alert(1)</script>"
    plots.save(plots.accuracy_vs_ops(frame), file)
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.count("<svg") == 1
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "<title>Accuracy versus operations</title>" in page


def test_a_file_is_whole_or_not_there(tmp_path):
    figure = plots.accuracy(comparison(3))
    with pytest.raises(InvalidInput, match=r"\.svg, \.png, \.pdf or \.html"):
        plots.save(figure, tmp_path / "x.gif")
    with pytest.raises(ArchscopeError, match="there is no directory"):
        plots.save(figure, tmp_path / "no" / "x.svg")
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_is_left_as_it_was():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots.files.rendered(plots.time_vs_batch(measured(3)), "svg")
    assert dict(mpl.rcParams) == before
