"""Which part of a storage a view covers, so that writes into slices keep exact dependencies.

``buffer[:, t] = x`` writes one column; a later read of ``buffer[:, t - 1]`` does not depend on it.
Both views have the strides of the tensor that made the storage, so each is a box of indices in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from archscope.trace.records import Shape


@dataclass(frozen=True, slots=True)
class Region:
    """Elements [low, high) of a storage, and the box of base indices where one is known."""

    low: int
    high: int
    count: int
    box: tuple[tuple[int, int], ...] | None

    def overlaps(self, other: Region) -> bool:
        if self.low >= other.high or other.low >= self.high:
            return False
        if self.box is None or other.box is None:
            return True
        return all(a < d and c < b for (a, b), (c, d) in zip(self.box, other.box, strict=True))

    def covers(self, other: Region) -> bool:
        dense = self.count == self.high - self.low
        if dense and self.low <= other.low and other.high <= self.high:
            return True
        if self.box is None or other.box is None or self.count != _volume(self.box):
            return False
        return all(a <= c and d <= b for (a, b), (c, d) in zip(self.box, other.box, strict=True))


def region(
    shape: Shape, strides: Shape, offset: int, base_shape: Shape, base_strides: Shape
) -> Region:
    """The region of a view given by shape, strides and offset (all in elements)."""
    span = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    count = 1
    for size in shape:
        count *= size
    box = _box(shape, strides, offset, base_shape, base_strides)
    return Region(offset, offset + span + 1 if count else offset, count, box)


def _box(
    shape: Shape, strides: Shape, offset: int, base_shape: Shape, base_strides: Shape
) -> tuple[tuple[int, int], ...] | None:
    axes = sorted(range(len(base_shape)), key=lambda axis: -base_strides[axis])
    starts = [0] * len(base_shape)
    for axis in axes:
        if base_strides[axis] > 0:
            starts[axis], offset = divmod(offset, base_strides[axis])
    stops = [start + 1 for start in starts]
    for size, stride in zip(shape, strides, strict=True):
        if size == 1:
            continue
        found = [a for a in axes if 0 < base_strides[a] <= stride and base_shape[a] > 1]
        if not found:
            return None
        axis = found[0]
        if stride % base_strides[axis] or stops[axis] != starts[axis] + 1:
            return None
        stops[axis] = starts[axis] + (size - 1) * (stride // base_strides[axis]) + 1
    if any(stop > size for stop, size in zip(stops, base_shape, strict=True)):
        return None  # a view that runs across an axis, such as a flattened one
    return tuple(zip(starts, stops, strict=True))


def _volume(box: tuple[tuple[int, int], ...]) -> int:
    volume = 1
    for start, stop in box:
        volume *= stop - start
    return volume
