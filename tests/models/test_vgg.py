import pytest
import torch
import torchvision
from counting import conv_and_linear_macs, expected_rows, layer_rows, parameter_count
from weights import share_weights

from archscope.errors import UnknownName
from archscope.models import build

TOTALS = {
    "vgg11": (132_863_336, 7_609_090_048),
    "vgg11-lrn": (132_863_336, 7_609_090_048),
    "vgg13": (133_047_848, 11_308_466_176),
    "vgg16-c": (133_638_952, 11_770_888_192),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg19": (143_667_240, 19_632_062_464),
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


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_computes_what_torchvision_computes(name):
    with torch.device("meta"):
        ours, theirs = build(name), getattr(torchvision.models, name)()
    share_weights(ours, theirs)
    image = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), theirs(image), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", TOTALS)
def test_training_step_runs_backward_through_the_in_place_layers(name):
    with torch.device("meta"):
        model = build(name, num_classes=10, dropout=0.1).train()
        logits = model(torch.empty(2, 3, 224, 224))
    assert logits.shape == (2, 10)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_configuration_is_an_option():
    with torch.device("meta"):
        assert parameter_count(build("vgg16", configuration="E")) == TOTALS["vgg19"][0]
        with pytest.raises(UnknownName, match="unknown configuration 'F'"):
            build("vgg16", configuration="F")


def test_real_build_starts_with_glorots_bound():
    model = build("vgg11", num_classes=10)
    weight = model.block5.conv1.weight
    bound = (6 / (512 * 9 + 512 * 9)) ** 0.5
    assert bound * 0.99 < weight.abs().max().item() <= bound
    assert not model.fc6.bias.any()
