import pytest
import torch
from counting import conv_and_linear_macs, expected_rows, layer_rows, parameter_count

from archscope.models import build


@pytest.fixture(scope="module")
def zfnet():
    with torch.device("meta"):
        return build("zfnet").eval()


def test_parameters_and_macs_are_exact(zfnet):
    assert parameter_count(zfnet) == 62_357_608
    assert conv_and_linear_macs(zfnet, (3, 224, 224)) == 1_168_032_896


def test_layers_are_the_listed_ones_in_order(zfnet):
    assert layer_rows(zfnet, (3, 224, 224)) == expected_rows("zfnet")


def test_training_step_runs_backward_through_the_in_place_layers():
    with torch.device("meta"):
        model = build("zfnet", num_classes=10, dropout=0.1).train()
        logits = model(torch.empty(2, 3, 224, 224))
    assert logits.shape == (2, 10)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_real_build_starts_as_section_3_says():
    model = build("zfnet", num_classes=10)
    assert model.conv3.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not model.fc8.bias.any()
