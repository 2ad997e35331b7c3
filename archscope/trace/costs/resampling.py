"""Resampling: a weighted sum of neighbours, 2 for each; the nearest alone is a lookup."""

from __future__ import annotations

from math import ceil
from typing import Any

from archscope.trace.costs.registry import Cost, Formula, cost_of, elements_of

# Dimensions, and neighbours along each.
_INTERPOLATIONS = {
    "upsample_linear1d": (1, 2),
    "upsample_bilinear2d": (2, 2),
    "upsample_trilinear3d": (3, 2),
    "upsample_bicubic2d": (2, 4),
}
_ANTIALIASED = {
    "_upsample_bilinear2d_aa": 2,
    "_upsample_bicubic2d_aa": 4,
    "_upsample_lanczos2d_aa": 6,
}


def _interpolation(neighbours: int) -> Formula:
    def interpolate(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, 2 * neighbours * elements_of(out))

    return interpolate


def _interpolation_backward(neighbours: int) -> Formula:
    def backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, 2 * neighbours * elements_of(grad))

    return backward


for _name, (_dims, _along) in _INTERPOLATIONS.items():
    cost_of(_name)(_interpolation(_along**_dims))
    cost_of(f"{_name}_backward")(_interpolation_backward(_along**_dims))


def _antialiased(large: Any, small: Any, along: int) -> int:
    """A filter against aliasing is as much wider as the image shrinks."""
    height, width = (max(n / m, 1) for n, m in zip(large.shape[-2:], small.shape[-2:], strict=True))
    return 2 * elements_of(small) * ceil(along * height) * ceil(along * width)


def _antialiasing(along: int) -> Formula:
    def interpolate(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, _antialiased(x, out, along))

    return interpolate


def _antialiasing_backward(along: int) -> Formula:
    def backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, _antialiased(out, grad, along))

    return backward


for _name, _along in _ANTIALIASED.items():
    cost_of(_name)(_antialiasing(_along))
    cost_of(f"{_name}_backward")(_antialiasing_backward(_along))

# Neighbours along an axis by torch's number of the mode: bilinear, nearest, bicubic.
_GRID_MODES = {0: 2, 1: 0, 2: 4}


def _grid_sampler(dims: int) -> Formula:
    def sample(x: Any, grid: Any, mode: int, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, 2 * _GRID_MODES[mode] ** dims * elements_of(out))

    return sample


def _grid_sampler_backward(dims: int) -> Formula:
    def backward(
        grad: Any, x: Any, grid: Any, mode: int, *rest: Any, out: Any, **options: Any
    ) -> Cost:
        """As much as forward for each wanted gradient; a nearest neighbour is added to."""
        wanted = options.get("output_mask", rest[-1])
        neighbours = _GRID_MODES[mode] ** dims
        to_image = wanted[0] * (2 * neighbours or 1)
        return Cost(0, (to_image + wanted[1] * 2 * neighbours) * elements_of(grad))

    return backward


for _dims in (2, 3):
    cost_of(f"grid_sampler_{_dims}d")(_grid_sampler(_dims))
    cost_of(f"grid_sampler_{_dims}d_backward")(_grid_sampler_backward(_dims))
