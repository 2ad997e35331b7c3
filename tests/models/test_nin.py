import pytest
import torch
from counting import conv_and_linear_macs, expected_rows, layer_rows, parameter_count

from archscope.models import build

TOTALS = {
    "nin": (7_595_176, 1_100_188_800),
    "nin-bn": (8_655_336, 1_259_939_840),
}


@pytest.mark.parametrize("name", TOTALS)
def test_parameters_and_macs_are_exact(name):
    with torch.device("meta"):
        model = build(name).eval()
    params, macs = TOTALS[name]
    assert parameter_count(model) == params
    assert conv_and_linear_macs(model, (3, 224, 224)) == macs


@pytest.mark.parametrize("name", TOTALS)
def test_layers_are_the_listed_ones_in_order(name):
    with torch.device("meta"):
        model = build(name).eval()
    assert layer_rows(model, (3, 224, 224)) == expected_rows(name)


@pytest.mark.parametrize("name", TOTALS)
def test_global_pooling_takes_other_input_sizes(name):
    model = build(name, num_classes=10).eval()
    with torch.inference_mode():
        assert model(torch.randn(1, 3, 96, 128)).shape == (1, 10)


@pytest.mark.parametrize("name", TOTALS)
def test_training_step_runs_backward_through_the_in_place_layers(name):
    with torch.device("meta"):
        model = build(name, num_classes=10).train()
        model(torch.empty(2, 3, 224, 224)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_at_227_nin_costs_what_the_caffe_crop_costs():
    with torch.device("meta"):
        model = build("nin").eval()
    assert round(conv_and_linear_macs(model, (3, 227, 227)) / 1e6) == 1106


def test_real_build_starts_as_the_caffe_definition_says():
    model = build("nin")
    assert model.mlpconv3.conv.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert model.mlpconv3.cccp1.weight.std().item() == pytest.approx(0.05, rel=0.02)
    assert not model.mlpconv4.cccp2.bias.any()
