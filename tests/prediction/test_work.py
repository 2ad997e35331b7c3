"""What a run asks of a device, by kind of operator."""

import pytest
from torch import nn

import archscope
from archscope.analyzers.roofline import limits
from archscope.devices import find_device
from archscope.prediction.work import KINDS, kind_of, works

H100 = find_device("h100")


def kinds(model, shape):
    trace = archscope.trace(model.eval(), (shape,), device="cpu")
    return [kind_of(op) for op in trace.ops if op.category in ("compute", "move")]


@pytest.mark.parametrize(
    ("layer", "shape", "kind"),
    [
        (nn.Conv2d(8, 8, 3), (2, 8, 9, 9), "convolution"),
        (nn.Conv2d(8, 8, 3), (1, 8, 9, 9), "small convolution"),
        (nn.Conv2d(8, 8, 3), (1, 8, 60, 60), "convolution"),
        (nn.Conv2d(8, 8, 1), (1, 8, 9, 9), "pointwise convolution"),
        (nn.Conv2d(8, 8, 3, groups=2), (2, 8, 9, 9), "grouped convolution"),
        (nn.Conv2d(8, 16, 3, groups=8), (2, 8, 9, 9), "depthwise convolution"),
        (nn.Conv1d(8, 8, 3), (2, 8, 9), "convolution"),
        (nn.Conv3d(8, 8, 3), (2, 8, 9, 9, 9), "convolution"),
        (nn.Linear(8, 8), (2, 8), "product"),
        (nn.BatchNorm2d(8), (2, 8, 9, 9), "normalisation"),
        (nn.LayerNorm(8), (2, 8), "normalisation"),
        (nn.Softmax(-1), (2, 8), "normalisation"),
        (nn.MaxPool2d(3), (2, 8, 9, 9), "max pooling"),
        (nn.AvgPool2d(3), (2, 8, 9, 9), "average pooling"),
        (nn.ReLU(), (2, 8), "elementwise"),
        (nn.GELU(), (2, 8), "transcendental"),
    ],
    ids=str,
)
def test_a_layer_is_of_the_kind_of_its_kernel(layer, shape, kind):
    assert kinds(layer, shape) == [kind]


def test_a_recurrent_layer_starts_kernels_at_every_step():
    trace = archscope.trace(nn.LSTM(8, 8, num_layers=2), ((30, 1, 8),), device="cpu")
    (found,) = (work for work in works(trace.ops, H100) if work.kind == "recurrent")
    assert found.launches == 30 * 2


def test_works_are_the_sums_of_their_operators():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    trace = archscope.trace(model.eval(), ((2, 3, 16, 16),))
    found = {work.kind: work for work in works(trace.ops, H100)}
    assert set(found) <= set(KINDS)
    products = [op for op in trace.ops if op.macs]
    seconds = [limits(op, H100) for op in products]
    assert found["convolution"].compute == pytest.approx(sum(one["compute"] for one in seconds))
    assert found["convolution"].memory == pytest.approx(sum(one["memory"] for one in seconds))
    assert (found["convolution"].launches, found["elementwise"].launches) == (2, 2)
