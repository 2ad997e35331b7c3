"""What the report draws from and cannot derive: gradients of random weights, measured once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.gallery.networks import (
    EFFECTIVE,
    FLOW,
    PATHS,
    RECURRENT,
    STEPS,
)

if TYPE_CHECKING:
    import pandas as pd

_SEEDS = 3
_SAMPLES = 4


def measure(data: Path, say: Callable[[str], None]) -> None:
    """Measure gradients on this machine and write them as files, each whole or not at all.

    Args:
        data: the folder ``data`` of a report.
        say: called with a line of text before each network.

    Raises:
        ArchscopeError: a network cannot be measured, or a file cannot be written.
    """
    from archscope.gradients.stored import save

    data.mkdir(parents=True, exist_ok=True)
    for kind, tables in (
        ("gradient-through-time", _through_time),
        ("gradient-flow", _flow),
        ("gradient-paths", _paths),
    ):
        save(data / f"{kind}.json", kind, tables(say), about())


def about() -> dict[str, Any]:
    """Machine, versions and date of a measurement."""
    from archscope.measure.devices import cpu_title
    from archscope.measure.environment import versions

    return {"device": cpu_title(), **versions()}


def _through_time(say: Callable[[str], None]) -> list[pd.DataFrame]:
    from archscope.gradients import gradient_through_time

    found = []
    for model in RECURRENT:
        say(f"gradient through time: {model}")
        given: dict[str, Any] = {"samples": _SAMPLES, "seeds": _SEEDS, "seq_len": STEPS}
        found.append(gradient_through_time(model, **given))
    return found


def _flow(say: Callable[[str], None]) -> list[pd.DataFrame]:
    from archscope.gradients import gradient_flow

    found = []
    for model in FLOW:
        say(f"gradient at every layer: {model}")
        found.append(gradient_flow(model, samples=_SAMPLES))
    return found


def _paths(say: Callable[[str], None]) -> list[pd.DataFrame]:
    from archscope.gradients import gradient_paths

    found = []
    for model in dict.fromkeys((*PATHS, *EFFECTIVE)):
        say(f"gradient by path length: {model}")
        # Large images take minutes a sample, and their lengths are spread little.
        samples, seeds = (_SAMPLES, _SEEDS) if model in PATHS else (1, 2)
        found.append(gradient_paths(model, samples=samples, seeds=seeds))
    return found
