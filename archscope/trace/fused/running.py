"""The run for which kernels are registered; a run inside of another comes last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archscope.trace.execution import Execution
from archscope.trace.recorder import Recorder


class Run(NamedTuple):
    """Who records, what was chosen, and the kernels by operator ("dropout", "lstm.input")."""

    recorder: Recorder
    execution: Execution
    kernels: Mapping[str, Callable[..., Any]]


runs: list[Run] = []


def running() -> Run:
    """The innermost run."""
    return runs[-1]
