"""Pictures as files: the same figure gives the same bytes, and a page opens without a network."""

from __future__ import annotations

from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from archscope.arguments import checked, file
from archscope.errors import InvalidInput
from archscope.plots.style import styled
from archscope.plots.tables import figure
from archscope.report.files import write_whole

FORMATS = ("svg", "png", "pdf", "html")
# Without the hour at which it was made, and matplotlib's version, a file depends on data only.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": "archscope"},
    "pdf": {"CreationDate": None, "Creator": "archscope", "Producer": "archscope"},
    "png": {"Software": None},
}


@checked(figure=figure, path=file)
def save(figure: Figure, path: str | Path) -> None:
    """Write a figure, whole or not at all; the ending tells the format.

    Args:
        figure: any matplotlib figure.
        path: ends in .svg, .png, .pdf or .html (one page with the SVG inside).

    Raises:
        InvalidInput: another ending.
        ArchscopeError: the file cannot be written.
    """
    content = rendered(figure, picture_format(path))
    write_whole(Path(path), lambda place: place.write_bytes(content))


def picture_format(path: str | Path) -> str:
    """The format that a picture's file has.

    Raises:
        InvalidInput: an ending that is of no picture.
    """
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise InvalidInput(f"a picture is a .svg, .png, .pdf or .html file, not '{path}'")
    return ending


def rendered(figure: Figure, format: str) -> bytes:
    """The bytes of a figure in one of ``FORMATS``."""
    if format == "html":
        return _page(figure).encode()
    buffer = BytesIO()
    with styled():
        figure.savefig(buffer, format=format, metadata=_METADATA[format])
    return buffer.getvalue()


def _page(figure: Figure) -> str:
    svg = rendered(figure, "svg").decode()
    drawing = svg[svg.index("<svg") :]  # HTML knows neither XML's first line nor its doctype
    return _PAGE.format(title=escape(str(figure.get_label() or "archscope")), drawing=drawing)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0; background: #fff; }}
figure {{ margin: 1rem auto; max-width: 80rem; padding: 0 1rem; }}
svg {{ width: 100%; height: auto; }}
</style>
</head>
<body>
<figure>
{drawing}</figure>
</body>
</html>
"""
