from types import SimpleNamespace

import torch

from archscope.trace.costs.vision import OVERLAP, SAMPLE, deform_conv2d, nms, roi_align


def tensor(*shape: int) -> SimpleNamespace:
    return SimpleNamespace(shape=shape, dtype=torch.float32)


def test_suppression_compares_every_pair_of_boxes() -> None:
    assert nms(tensor(5, 4), tensor(5), 0.5, out=tensor(3)) == (0, OVERLAP * 10)


def test_roi_align_averages_its_samples() -> None:
    out = tensor(10, 256, 7, 7)
    features, rois = tensor(1, 256, 50, 50), tensor(10, 5)
    _, flops = roi_align(features, rois, 0.25, 7, 7, 2, out=out)
    assert flops == SAMPLE * 4 * 10 * 256 * 49
    assert roi_align(features, rois, 0.25, 7, 7, 0, out=out).flops == flops


def test_a_deformable_convolution_has_the_macs_of_a_plain_one() -> None:
    x, weight, out = tensor(2, 8, 9, 9), tensor(16, 8, 3, 3), tensor(2, 16, 7, 7)
    macs, flops = deform_conv2d(x, weight, tensor(2, 18, 7, 7), out=out)
    assert macs == 2 * 16 * 49 * 8 * 9
    assert flops == 2 * macs + 2 * 16 * 49 + SAMPLE * 2 * 49 * 8 * 9
