"""One self-contained file: the template, the style, the scripts, the library and the data."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from archscope._version import __version__
from archscope.arguments import checked, data_frame, mapping, text
from archscope.explorer.layers import Packed, pack
from archscope.explorer.networks import networks, readable
from archscope.report.convention import CONVENTION

if TYPE_CHECKING:
    import pandas as pd

STYLES = ("base.css", "filters.css", "plot.css", "tables.css", "narrow.css")
# In the order in which they are read; together they are one module.
SCRIPTS = (
    "data.js",
    "numbers.js",
    "view.js",
    "choice.js",
    "axes.js",
    "scales.js",
    "labels.js",
    "scatter.js",
    "pointing.js",
    "card.js",
    "table.js",
    "filters.js",
    "legend.js",
    "bars.js",
    "detail.js",
    "address.js",
    "main.js",
)
_LIBRARY = "vendor/echarts/echarts.common.min.js"


@checked(frame=data_frame, layers=mapping, title=text)
def page(
    frame: pd.DataFrame, layers: Mapping[str, pd.DataFrame] | None = None, *, title: str = ""
) -> str:
    """A comparison as an interactive page: one HTML file that fetches nothing.

    Args:
        frame: a row per network (or per network and setting) with at least ``model``; the columns
            of a comparison are shown with their titles and units, others by their names. What is
            missing is shown as not measured.
        layers: by ``model`` the layers of a network, a row per layer call, as ``Report.layers``;
            a network with several rows shows those of its first row's conditions.
        title: of the page; "archscope explorer" by default.

    Returns:
        The page; the same for the same arguments.

    Raises:
        InvalidInput: the frame has no ``model``, no row or more than 20,000, a column twice, or
            texts where a known column has numbers; or there are layers of a model that is not
            in it.
    """
    data = networks(frame)
    packed = pack([str(model) for model in frame["model"]], layers or {})
    data |= {
        "palette": _palette(data),
        "pack_of": packed.pack_of,
        "table_of": packed.table_of,
        "convention": CONVENTION,
        "version": __version__,
    }
    library, script = _static(_LIBRARY), _script()
    parts = {
        "title": html.escape(readable(title) or "archscope explorer"),
        # Only these two scripts run, and they evaluate no text.
        "policy": f"script-src {_hash(library)} {_hash(script)}",
        "style": "\n".join(_static(f"static/{name}") for name in STYLES),
        "data": _embedded(data),
        "packs": _packs(packed),
        "library": library,
        "script": script,
    }
    # Cut once, so that nothing inside a part is taken for a place of another.
    pieces = _static("static/page.html").split("%%")
    return "".join(parts[piece] if odd % 2 else piece for odd, piece in enumerate(pieces))


def _static(name: str) -> str:
    return files("archscope.explorer").joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    return '"use strict";\n' + "\n".join(_static(f"static/{name}") for name in SCRIPTS)


def _hash(script: str) -> str:
    """What lets a browser run this script and no other."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that no HTML parser takes for markup, whatever the names in it."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _packs(packed: Packed) -> str:
    return "\n".join(
        f'<script type="text/plain" id="pack-{number}">{text}</script>'
        for number, text in enumerate(packed.packs)
    )


def _palette(data: Mapping[str, Any]) -> dict[str, Any]:
    from archscope.explorer.colours import palette

    families: list[str] = next((f["words"] for f in data["fields"] if f["name"] == "family"), [])
    return palette(families)
