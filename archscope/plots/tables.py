"""What the tables and axes must be that pictures are drawn from and into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archscope.arguments import Rule, shown
from archscope.errors import InvalidInput


def table(
    *columns: str,
    numbers: Sequence[str] = (),
    attrs: Sequence[str] = (),
    gives: str,
    may_be_empty: bool = False,
) -> Rule:
    """A DataFrame with rows.

    Args:
        columns: that it must have.
        numbers: more of them, in which only numbers stand or nothing.
        attrs: what its ``attrs`` must have.
        gives: the call that gives such a table.
        may_be_empty: a table without rows needs no columns.
    """

    def rule(what: str, value: Any) -> None:
        if not isinstance(value, pd.DataFrame):
            raise InvalidInput(
                f"{what} must be a DataFrame, such as {gives} gives, not {shown(value)}"
            )
        if not (value.empty and may_be_empty):
            _refuse_lacking(what, value, (*columns, *numbers), gives)
        lost = [name for name in attrs if name not in value.attrs]
        if lost:
            raise InvalidInput(
                f"{what} has no attrs {', '.join(lost)}; {gives} gives such a table, and what "
                "pandas makes of it may have lost them"
            )
        for name in numbers if len(value) else ():
            column_of_numbers(what, value, name)

    return rule


def _refuse_lacking(what: str, frame: pd.DataFrame, columns: Sequence[str], gives: str) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        kind = "column" if len(missing) == 1 else "columns"
        names = ", ".join(missing)
        raise InvalidInput(f"{what} has no {kind} {names}; {gives} gives such a table")
    if frame.empty:
        raise InvalidInput(f"{what} has no rows, and so nothing to draw")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise InvalidInput(f"{what} has the column {twice[0]} twice")


def column_of_numbers(what: str, frame: pd.DataFrame, name: str) -> None:
    """Refuse a frame that lacks this column, or has something else than numbers in it."""
    if name not in frame.columns:
        raise InvalidInput(f"{what} has no column {name}")
    column = frame[name]
    wrong = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
    if len(wrong):
        raise InvalidInput(
            f"{what} must have numbers in the column {name}, not {shown(wrong.iloc[0])}"
        )


COMPARISON = 'archscope.compare(["resnet50", "vgg16"])'

gradient_lengths = table(
    *("length", "paths"),
    numbers=("gradient_norm", "share", "share_low", "share_high"),
    attrs=("model", "conditions", "effective_depth", "runs"),
    gives="archscope.gradient_paths(MODEL)",
)
gradient_layers = table(
    numbers=("layer", "gradient_norm"),
    attrs=("model", "conditions"),
    gives="archscope.gradient_flow(MODEL)",
)
static_lags = table(
    numbers=("lag", "shortest", "longest"),
    attrs=("skip_coefficient",),
    gives="archscope.through_time(MODEL)",
)
gradient_lags = table(
    numbers=("lag", "hidden_norm"),
    attrs=("model", "conditions"),
    gives="archscope.gradient_through_time(MODEL)",
)
layer_costs = table("path", "kind", gives="archscope.analyze(MODEL).layers")
rooflines = table(
    *("path", "kind", "bound"),
    numbers=("flops", "bytes", "intensity", "least_ms", "share"),
    attrs=("device", "dtype"),
    gives="archscope.analyzers.roofline(TRACE, DEVICE)",
    may_be_empty=True,  # a run that computes nothing
)
own_times = table(
    "path", numbers=("self_ms",), gives="archscope latency MODEL --layers -o FILE.csv"
)


def compared(*numbers: str) -> Rule:
    """A comparison, a row per network, with these columns of numbers."""
    return table("model", numbers=numbers, gives=COMPARISON)


def axes(what: str, value: Any) -> None:
    """Axes, or several for a picture of several panels."""
    several = value if isinstance(value, Sequence) else getattr(value, "flat", [value])
    if not all(isinstance(one, Axes) for one in several):
        raise InvalidInput(f"{what} must be matplotlib Axes, or a list of some, not {shown(value)}")


def figure(what: str, value: Any) -> None:
    """A figure."""
    if not isinstance(value, Figure):
        raise InvalidInput(f"{what} must be a matplotlib Figure, not {shown(value)}")


def each(rule: Rule) -> Rule:
    """A sequence in which all are so, and which has some."""

    def of_all(what: str, value: Any) -> None:
        if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or not value:
            raise InvalidInput(f"{what} must be a list of tables, not {shown(value)}")
        for place, one in enumerate(value):
            rule(f"{what}[{place}]", one)

    return of_all


def by_name(rule: Rule) -> Rule:
    """A dictionary, of names for keys, in which all values are so."""

    def of_all(what: str, value: Any) -> None:
        if not isinstance(value, Mapping) or not value:
            raise InvalidInput(
                f"{what} must be a dictionary with names as keys, not {shown(value)}"
            )
        for name, one in value.items():
            rule(f"{what}[{name!r}]", one)

    return of_all
