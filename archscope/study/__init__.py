"""Studies: many networks at many settings, kept in one SQLite file.

::

    Grid -> cells -> tasks -> engine -> results -> Store -> frame, .csv, .parquet

A cell is one analysis of one network at one setting, and has a content key (``keys``). A task is
the cells that share a run. Engines carry tasks out; the driver alone writes.
"""

from archscope.study.driver import retry, run
from archscope.study.engines import Engine, engine
from archscope.study.files import export
from archscope.study.grid import Grid, Plan, read_plan
from archscope.study.records import Limits
from archscope.study.results import frame
from archscope.study.store import Store

__all__ = [
    "Engine",
    "Grid",
    "Limits",
    "Plan",
    "Store",
    "engine",
    "export",
    "frame",
    "read_plan",
    "retry",
    "run",
]
