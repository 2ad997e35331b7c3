"""What a run asks of a device, by kind of operator: the parts from which its time is predicted.

Operators of one kind run by the same kernels, which reach about the same share of the roof.
Convolutions are four kinds: of one pixel (a matrix product), dense, in groups, and depthwise, whose
kernels have little to reuse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archscope.analyzers.roofline import limits
from archscope.devices import Device
from archscope.trace.records import Op, elements

KINDS = (
    "convolution",
    "small convolution",
    "pointwise convolution",
    "grouped convolution",
    "depthwise convolution",
    "product",
    "attention",
    "recurrent",
    "normalisation",
    "max pooling",
    "average pooling",
    "elementwise",
    "transcendental",
    "concatenation",
    "rearrangement",
)
# Their arithmetic may reach the peak; that of the others is done without fused multiply-adds.
PRODUCTS = (*(kind for kind in KINDS if "convolution" in kind), "product", "attention", "recurrent")

_PREFIXES = {
    "normalisation": ("native_batch_norm", "native_layer_norm", "native_group_norm", "_softmax"),
    "max pooling": ("max_pool", "adaptive_max_pool", "fractional_max_pool"),
    "average pooling": ("avg_pool", "adaptive_avg_pool", "_adaptive_avg_pool", "mean", "upsample"),
    "attention": ("scaled_dot_product", "_scaled_dot_product", "_transformer", "_native_multi"),
}
# Up to so many elements of a single image torch convolves on the CPU by im2col and a product, and
# not by oneDNN: ConvParams::use_mkldnn in its Convolution.cpp.
_SMALL = 20480
_TRANSCENDENTAL = {
    *("exp", "log", "pow", "sigmoid", "tanh", "silu", "gelu", "elu", "mish", "softplus", "erf"),
    *("sin", "cos", "rsqrt", "sqrt"),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What the operators of one kind ask of a device.

    ``compute`` and ``memory`` are the seconds that their arithmetic and their traffic take at its
    ceilings; ``launches`` is how many kernels start.
    """

    kind: str
    compute: float
    memory: float
    launches: int


def works(ops: Iterable[Op], device: Device, *, tf32: bool = False) -> list[Work]:
    """What operators that run one after the other ask of a device, a record for each kind."""
    found: dict[str, list[float]] = {}
    for op in ops:
        if op.category not in ("compute", "move"):  # nothing is computed, nothing is read
            continue
        compute, memory = _seconds(op, device, tf32)
        sums = found.setdefault(kind_of(op), [0.0, 0.0, 0])
        sums[0] += compute
        sums[1] += memory
        sums[2] += launches_of(op)
    return [Work(kind, sums[0], sums[1], int(sums[2])) for kind, sums in sorted(found.items())]


def kind_of(op: Op) -> str:
    """One of ``KINDS``."""
    if op.recurrence is not None:
        return "recurrent"
    if op.window is not None and op.macs:
        return _convolution(op)
    for kind, prefixes in _PREFIXES.items():
        if op.name.startswith(prefixes):
            return kind
    if op.macs:
        return "product"
    if op.category == "move":
        return "concatenation" if op.name in ("cat", "stack") else "rearrangement"
    return "transcendental" if op.name.rstrip("_") in _TRANSCENDENTAL else "elementwise"


def launches_of(op: Op) -> int:
    """Kernels that start; a recurrent layer starts some at every step."""
    cell = op.recurrence
    return 1 if cell is None else cell.steps * cell.layers * cell.directions


def _convolution(op: Op) -> str:
    image, weight = op.input_shapes[0], op.input_shapes[1]
    channels, of_group = image[1], weight[1]
    if of_group == channels:
        if op.window is not None and elements(op.window.kernel) == 1:
            return "pointwise convolution"
        small = image[0] == 1 and elements(image) <= _SMALL
        return "small convolution" if small else "convolution"
    return "depthwise convolution" if of_group == 1 else "grouped convolution"


def _seconds(op: Op, device: Device, tf32: bool) -> tuple[float, float]:
    """Under the compute roof and under the memory's.

    A recurrent layer reads its weights again at every step: they are too many for registers.
    """
    found = limits(op, device, tf32=tf32)
    memory = found["memory"]
    if op.recurrence is not None:
        weights = 4 * sum(elements(shape) for shape in op.input_shapes if len(shape) == 2)
        memory += (op.recurrence.steps - 1) * weights / device.bandwidth_for(weights)
    return found["compute"], memory
