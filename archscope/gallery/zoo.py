"""Every network of the zoo: a page of tables each, and all of them in the explorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archscope.errors import ArchscopeError
from archscope.models.catalog import Architecture, architectures

if TYPE_CHECKING:
    import pandas as pd

    from archscope.report import Report

_MOST_LAYERS = 700  # rows that a page can show; longer networks repeat their blocks
_COLUMNS = (
    *("model", "family", "year", "params", "macs", "activations", "peak_bytes"),
    *("training_peak_bytes", "depth", "paths", "mean_path", "top1"),
)


@dataclass(frozen=True, slots=True)
class Zoo:
    """What the report has of the zoo."""

    table: str  # all networks, a row each
    pages: dict[str, str]  # by network, its tables as Markdown
    explorer: str  # an HTML page


def zoo(measured: Sequence[str], say: Callable[[str], None]) -> Zoo:
    """Analyse the whole zoo.

    Args:
        measured: files whose latencies the explorer has, too.
        say: called with a line of text before each network.
    """
    from archscope.analysis import analyze
    from archscope.comparison import compare
    from archscope.comparison.compare import INTERRUPTED
    from archscope.explorer import page
    from archscope.explorer.layers import SHOWN
    from archscope.report.compare import render

    pages: dict[str, str] = {}
    layers: dict[str, pd.DataFrame] = {}
    for name, architecture in architectures().items():
        say(name)
        report = analyze(name)
        pages[name] = _page(architecture, report)
        layers[name] = report.layers.filter(items=SHOWN)
    say("all together")
    frame = compare("*")
    for name, reason in frame.attrs["failed"].items():
        raise KeyboardInterrupt if reason == INTERRUPTED else ArchscopeError(f"{name}: {reason}")
    table = render(frame, "markdown", columns=list(_COLUMNS))
    return Zoo(_linked(table), pages, page(compare("*", measured=measured), layers))


TABLE = ("compare", "*", "--columns", ",".join(_COLUMNS))


def _linked(table: str) -> str:
    """The names of networks lead to their pages."""
    lines = []
    for line in table.splitlines():
        name = line.removeprefix("| ").split(" ")[0]
        found = line.startswith("| ") and name in architectures()
        link = f"[{name}](tables/{name}.md)"
        lines.append(line.replace(name, link, 1) if found else line)
    return "\n".join(lines) + "\n"


def _page(architecture: Architecture, report: Report) -> str:
    from archscope.report.costs import View
    from archscope.report.formats import render
    from archscope.report.levels import lines

    name = architecture.name
    number = {level: len(lines(report, level)) for level in ("layer", "block")}
    levels = ["block"] if number["block"] < number["layer"] else []
    levels += ["layer"] if number["layer"] <= _MOST_LAYERS or not levels else []
    parts = [
        f"# {name}\n",
        f"{architecture.paper}, {architecture.year}. [All networks](../README.md)\n",
    ]
    for level in levels:
        at = [] if level == "layer" else ["--level", level]
        command = " ".join(["archscope", "table", name, *at, "--format", "markdown"])
        parts.append(f"```sh\n{command}\n```\n")
        parts.append(render(report, "markdown", view=View(level)))
    if "layer" not in levels:
        whole = f"`archscope table {name}` shows all {number['layer']} layers"
        parts.append(f"{whole}; they repeat in these blocks.\n")
    return "\n".join(parts)
