"""torchvision's own operators."""

from __future__ import annotations

from typing import Any

from archscope.trace.costs.registry import Cost, cost_of, elements_of, product

# A bilinear sample: 4 multiplications and 3 additions, and one more to sum samples up.
SAMPLE = 8
# Two boxes' overlap: 2 maxima, 2 minima, 2 differences, 2 clamps, a product, a sum, a difference, a
# division and a comparison.
OVERLAP = 13


@cost_of("torchvision::nms")
def nms(boxes: Any, scores: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """The overlap of each pair of n boxes: n (n - 1) / 2, as the CUDA kernel computes them."""
    count = boxes.shape[0]
    return Cost(0, OVERLAP * count * (count - 1) // 2)


@cost_of("torchvision::roi_align")
def roi_align(
    x: Any,
    rois: Any,
    scale: float,
    height: int,
    width: int,
    samples: int = 2,
    *_: Any,
    out: Any,
    **__: Any,
) -> Cost:
    """Each output averages samples^2 bilinear samples; 2^2 where the operator is to choose."""
    per_output = (samples if samples > 0 else 2) ** 2
    return Cost(0, SAMPLE * per_output * elements_of(out))


@cost_of("torchvision::deform_conv2d")
def deform_conv2d(x: Any, weight: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """A convolution, (Cin / g) K for each output, of bilinear samples: Cin K for each position."""
    batch, channels_out, height, width = out.shape
    kernel = elements_of(weight) // (weight.shape[0] * weight.shape[1])
    samples = batch * height * width * x.shape[1] * kernel
    per_output = elements_of(weight) // channels_out
    convolved = product(elements_of(out) * per_output, x.dtype, elements_of(out))
    return Cost(convolved.macs, convolved.flops + SAMPLE * samples)
