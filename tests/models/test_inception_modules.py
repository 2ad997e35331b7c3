import pytest
import torch
from counting import conv_and_linear_macs

from archscope.models import architectures, build

MODULES = {
    "inception-naive": (854_196_224, 128 + 192 + 96 + 256),
    "inception-bottleneck": (271_351_808, 480),
}


@pytest.mark.parametrize("name", MODULES)
def test_macs_and_output_are_the_lectures(name):
    macs, channels = MODULES[name]
    shape = architectures()[name].input
    with torch.device("meta"):
        module = build(name)
        assert module(torch.empty(1, *shape)).shape == (1, channels, 28, 28)
    assert conv_and_linear_macs(module, shape) == macs


@pytest.mark.parametrize("name", MODULES)
def test_backward_runs_through_the_in_place_layers_and_leaves_the_input_alone(name):
    module = build(name)
    x = torch.randn(1, 256, 7, 7, requires_grad=True)
    before = x.detach().clone()
    module(x).sum().backward()
    assert torch.equal(x.detach(), before)
    assert x.grad is not None


def test_the_reduction_is_an_option():
    with torch.device("meta"):
        module = build("inception-bottleneck", reduce=32)
        assert module(torch.empty(1, 256, 28, 28)).shape == (1, 448, 28, 28)
