"""The run for which kernels are registered; a run inside of another comes last."""

from __future__ import annotations

from typing import NamedTuple

from archscope.trace.execution import Execution
from archscope.trace.recorder import Recorder


class Run(NamedTuple):
    """Who records, and what was chosen."""

    recorder: Recorder
    execution: Execution


runs: list[Run] = []


def running() -> Run:
    """The innermost run."""
    return runs[-1]
