"""Parts of a model along an axis: neighbours under one name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Span:
    """What is at start <= i < end belongs to one part of the model, or to one phase."""

    label: str
    start: int
    end: int


def spans(labels: Sequence[str]) -> list[Span]:
    """Neighbours with the same label, joined."""
    found, start = [], 0
    for label, group in groupby(labels):
        end = start + sum(1 for _ in group)
        found.append(Span(label, start, end))
        start = end
    return found


def parts(paths: Sequence[str], most: int) -> list[Span]:
    """Spans of modules at the deepest level at which there are not too many.

    Args:
        paths: of modules, "layer1.0.conv1", in the order in which they run.
        most: spans, where the first level has not more already.
    """
    deepest = max((path.count(".") + 1 for path in paths), default=1)
    found: list[Span] = []
    for depth in range(1, deepest + 1):
        finer = spans([".".join(path.split(".")[:depth]) for path in paths])
        if found and len(finer) > most:
            break
        found = finer
    return found
