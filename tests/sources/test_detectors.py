"""torchvision's detectors learn from objects, so a training step brings some."""

import pytest

import archscope
from archscope.sources import resolve


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("fcos_resnet50_fpn", {"boxes", "labels"}),
        ("maskrcnn_resnet50_fpn", {"boxes", "labels", "masks"}),
        ("keypointrcnn_resnet50_fpn", {"boxes", "labels", "keypoints"}),
    ],
)
def test_every_image_of_a_training_step_has_an_object(name, keys):
    images, targets = resolve(f"torchvision:{name}", batch=2, mode="training").inputs
    assert len(images) == len(targets) == 2
    assert all(set(target) == keys for target in targets)
    assert len(resolve(f"torchvision:{name}", batch=2).inputs) == 1


def test_a_detectors_losses_go_back_to_every_layer():
    reference = "torchvision:ssdlite320_mobilenet_v3_large"
    totals = archscope.analyze(reference, batch=2, mode="training").totals
    first_layer = 2 * 16 * 3 * 9 * 160 * 160  # the image needs no gradient
    assert totals.backward_macs == 2 * totals.macs - first_layer
    assert totals.coverage == 1
