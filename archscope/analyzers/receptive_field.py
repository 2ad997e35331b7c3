"""The receptive field: how much of the input one position of an operator's output depends on.

In each spatial dimension a window of k positions, d apart, that moves by s makes of a field r
with neighbours j input positions apart r + (k - 1) d j, with neighbours s j apart. Where branches
meet, the larger field counts. Positions outside the image, in the padding, are counted: the field
may be larger than the image. (Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional
Neural Networks", Distill, 2019.)
"""

from __future__ import annotations

from typing import NamedTuple

from archscope.trace.records import Op, Shape, Trace, Window

Field = tuple[int, ...]  # positions of the input, per spatial dimension


class _Reach(NamedTuple):
    """Per spatial dimension: the field, how far apart neighbours are, and how many there are, which
    is nothing for the features that are left of an image when all its positions went into them."""

    field: tuple[int, ...]
    jump: tuple[int, ...]
    size: tuple[int, ...]


def receptive_fields(trace: Trace) -> dict[int, Field | None]:
    """The receptive field of every forward operator, None where it is not known.

    It is known from inputs of shape (N, C, ...) on, through windows, operators on single positions
    and operators that take in all positions.
    """
    reaches: dict[int, _Reach] = {}
    for op in trace.forward:
        if op.category == "input":
            if len(op.output_shapes[0]) > 2:
                size = op.output_shapes[0][2:]
                reaches[op.index] = _Reach((1,) * len(size), (1,) * len(size), size)
            continue
        before = [reaches[p] for p in op.parents if p in reaches]
        if before and len(before) == len(op.parents):
            found = _after(op, before)
            if found is not None:
                reaches[op.index] = found
    return {op.index: _field(reaches.get(op.index)) for op in trace.forward}


def _field(reach: _Reach | None) -> Field | None:
    return reach.field if reach else None


def _after(op: Op, before: list[_Reach]) -> _Reach | None:
    if len({len(reach.field) for reach in before}) != 1:
        return None
    dimensions = len(before[0].field)
    size = _spatial(op.output_shapes[0], dimensions)
    if op.window is not None:
        return _through(op.window, before[0], size)
    if op.name == "constant_pad_nd":
        padded = _spatial(op.input_shapes[0], dimensions)
        return _joined([_seen_as(reach, padded) for reach in before], size)
    if _takes_all(op, size):
        return _joined([_everything(reach) for reach in before], size)
    return _joined([_seen_as(reach, size) for reach in before], size)


def _spatial(shape: Shape, dimensions: int) -> Shape:
    """The last sizes of a shape, behind the batch and the channels; nothing of plain features."""
    return shape[-dimensions:] if len(shape) >= dimensions + 2 else ()


def _joined(reaches: list[_Reach | None], size: Shape) -> _Reach | None:
    """The larger field counts where branches meet."""
    known = [reach for reach in reaches if reach is not None]
    if len(known) < len(reaches):
        return None
    fields = zip(*(reach.field for reach in known), strict=True)
    jumps = zip(*(reach.jump for reach in known), strict=True)
    return _Reach(tuple(map(max, fields)), tuple(map(max, jumps)), size)


def _through(window: Window, reach: _Reach, size: Shape) -> _Reach | None:
    n = len(reach.field)  # a window may reach over channels too, as a response normalisation's
    if len(window.kernel) < n:
        return None
    kernel, stride, dilation = window.kernel[-n:], window.stride[-n:], window.dilation[-n:]
    sides = zip(reach.field, kernel, dilation, reach.jump, strict=True)
    field = tuple(r + (k - 1) * d * j for r, k, d, j in sides)
    return _Reach(field, tuple(s * j for s, j in zip(stride, reach.jump, strict=True)), size)


def _seen_as(reach: _Reach, size: Shape) -> _Reach | None:
    """A view that takes every n-th position leaves neighbours n times as far apart."""
    if reach.size == size:
        return reach
    if len(reach.size) != len(size) or any(m > n for m, n in zip(size, reach.size, strict=True)):
        return None
    every = (round(n / m) for n, m in zip(reach.size, size, strict=True))
    jump = tuple(n * j for n, j in zip(every, reach.jump, strict=True))
    return _Reach(reach.field, jump, size)


def _takes_all(op: Op, size: Shape) -> bool:
    """Whether every position goes into every output: a mean, a linear layer behind a flatten."""
    return op.name in ("mean", "sum", "amax") or (op.name in ("addmm", "mm") and not size)


def _everything(reach: _Reach) -> _Reach:
    sides = zip(reach.field, reach.jump, reach.size or (1,) * len(reach.field), strict=True)
    return _Reach(tuple(r + (n - 1) * j for r, j, n in sides), reach.jump, ())
