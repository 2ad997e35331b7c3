"""Rows that were worked out before, for a process that shows the same networks many times."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from archscope.comparison.row import DEFAULT, network_row
from archscope.models.catalog import architectures

if TYPE_CHECKING:
    from torch import nn

# What each analysis adds to a row. Those of one run on shapes are had together.
_ADDED = {
    "compute": ("macs", "flops", "activations", "coverage"),
    "memory": ("peak_bytes",),
    "depth": ("depth", "shortest_path", "paths", "mean_path"),
    "training": ("training_peak_bytes",),
}
_OF_ONE_RUN = ("compute", "memory", "depth")

_rows: ContextVar[dict[str, dict[str, Any]] | None] = ContextVar("rows", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Inside, and inside of any other around it, a network of the zoo is analysed once under the
    same settings.
    """
    around = _rows.get()
    before = _rows.set({} if around is None else around)
    try:
        yield
    finally:
        _rows.reset(before)


def row(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    analyses: Collection[str] = DEFAULT,
    **settings: Any,
) -> dict[str, Any]:
    """As ``network_row``; other networks than the zoo's may change while a process runs."""
    known = _rows.get()
    if known is None or model not in architectures() or not set(analyses) <= set(_ADDED):
        return network_row(model, inputs, analyses=analyses, **settings)
    wanted = [one for one in _ADDED if one in _OF_ONE_RUN or one in analyses]
    given = sorted((name, value) for name, value in settings.items() if value not in (None, {}))
    key = repr((model, inputs, given))
    found = known.get(key)
    if found is None or any(name not in found for one in wanted for name in _ADDED[one]):
        found = known[key] = network_row(model, inputs, analyses=wanted, **settings)
    if found["remarks"] and "training" not in analyses:  # which they are about
        return network_row(model, inputs, analyses=analyses, **settings)
    left_out = {name for one in _ADDED if one not in analyses for name in _ADDED[one]}
    return {name: value for name, value in found.items() if name not in left_out}
