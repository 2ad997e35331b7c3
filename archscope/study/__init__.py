"""Studies: many networks at many settings, kept in one SQLite file.

::

    Grid -> cells -> tasks -> engine -> results -> Store -> frame, .csv, .parquet

A cell is one analysis of one network at one setting, and has a content key (``keys``). A task is
the cells that share a run. Engines carry tasks out; the driver alone writes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archscope.study.driver import limits_of, retry, run
    from archscope.study.engines import Engine, engine
    from archscope.study.files import export
    from archscope.study.grid import Grid, Plan, read_plan
    from archscope.study.records import Limits
    from archscope.study.results import frame
    from archscope.study.store import Store

# Public names and where they live. They are looked up when first used: whoever wants a content key
# need not load SQLite and engines.
_PLACES = {
    "Engine": "engines",
    "Grid": "grid",
    "Limits": "records",
    "Plan": "grid",
    "Store": "store",
    "engine": "engines",
    "export": "files",
    "frame": "results",
    "limits_of": "driver",
    "read_plan": "grid",
    "retry": "driver",
    "run": "driver",
}

__all__ = [
    "Engine",
    "Grid",
    "Limits",
    "Plan",
    "Store",
    "engine",
    "export",
    "frame",
    "limits_of",
    "read_plan",
    "retry",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value
