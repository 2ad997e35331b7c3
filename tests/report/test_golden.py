"""The table of VGG-16 as it is printed. ``python tests/report/test_golden.py`` writes it anew."""

from pathlib import Path

import pytest

import archscope
from archscope.report.formats import render

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("width", [80, 100])
def test_vgg16_is_printed_as_before(width):
    expected = (GOLDEN / f"vgg16_{width}.txt").read_text()
    assert render(archscope.analyze("vgg16"), "plain", width=width) == expected


if __name__ == "__main__":
    for columns in (80, 100):
        text = render(archscope.analyze("vgg16"), "plain", width=columns)
        (GOLDEN / f"vgg16_{columns}.txt").write_text(text)
