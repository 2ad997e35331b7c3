"""Writing a benchmark's tables: to the terminal, and to ``results/`` as CSV and markdown."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.counters import installed_version

RESULTS = Path(__file__).parent / "results"


def conditions(counters: Iterable[str]) -> str:
    """One line: the day, the machine, and the version of everything compared."""
    versions = ", ".join(f"{name} {installed_version(name) or 'absent'}" for name in counters)
    day = datetime.now(UTC).date().isoformat()
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{day}; {cpu()}; Python {python}; torch {torch.__version__}; {versions}."


def cpu() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def show(title: str, frame: pd.DataFrame) -> None:
    """Print a frame of strings as a table, wider than the terminal rather than cut."""
    table = Table(title=title, title_justify="left")
    table.add_column(str(frame.index.name), no_wrap=True)
    for column in frame.columns:
        table.add_column(str(column), justify="right", no_wrap=True)
    for label, row in frame.iterrows():
        table.add_row(str(label), *row)
    console = Console()
    console.width = max(console.width, _width(frame))
    console.print(table)


def _width(frame: pd.DataFrame) -> int:
    """How wide the frame is with every column as wide as its widest cell, padding and rules."""
    cells = [[str(frame.index.name), *map(str, frame.index)]]
    cells += [[str(column), *frame[column]] for column in frame.columns]
    return sum(3 + max(map(len, column)) for column in cells) + 1


def markdown(frame: pd.DataFrame) -> str:
    """A frame of strings as a markdown table."""
    header = [str(frame.index.name), *map(str, frame.columns)]
    rule = ["---", *["---:"] * len(frame.columns)]
    rows = [[str(label), *row] for label, row in frame.iterrows()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)) + "\n"


def formatted(frame: pd.DataFrame, cell: Callable[[object], str]) -> pd.DataFrame:
    """The frame with every cell as the string that a reader sees."""
    return frame.astype(object).map(cell)
