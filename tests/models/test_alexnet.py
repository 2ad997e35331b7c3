import pytest
import torch
import torchvision
from counting import conv_and_linear_macs, expected_rows, layer_rows, parameter_count
from weights import share_weights

from archscope.models import architectures, build

TOTALS = {
    "alexnet": (60_965_224, 724_406_816),
    "alexnet-owt": (61_100_840, 714_188_480),
    "alexnet-bn": (61_119_528, 714_188_480),
}


@pytest.mark.parametrize("name", TOTALS)
def test_parameters_and_macs_are_exact(name):
    with torch.device("meta"):
        model = build(name).eval()
    params, macs = TOTALS[name]
    assert parameter_count(model) == params
    assert conv_and_linear_macs(model, architectures()[name].input) == macs


@pytest.mark.parametrize("name", TOTALS)
def test_layers_are_the_listed_ones_in_order(name):
    with torch.device("meta"):
        model = build(name).eval()
    assert layer_rows(model, architectures()[name].input) == expected_rows(name)


def test_owt_computes_what_torchvision_computes():
    with torch.device("meta"):
        ours, theirs = build("alexnet-owt"), torchvision.models.alexnet()
    share_weights(ours, theirs)
    image = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), theirs(image), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", TOTALS)
def test_training_step_runs_backward_through_the_in_place_layers(name):
    with torch.device("meta"):
        model = build(name, num_classes=10).train()
        logits = model(torch.empty(2, *architectures()[name].input))
    assert logits.shape == (2, 10)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_real_build_starts_as_section_5_says():
    model = build("alexnet", num_classes=10)
    assert model.fc7.weight.std().item() == pytest.approx(0.01, rel=0.01)
    for name in ("conv2", "conv4", "conv5", "fc6", "fc7"):
        assert model.get_submodule(name).bias.unique().tolist() == [1.0]
    for name in ("conv1", "conv3", "fc8"):
        assert model.get_submodule(name).bias.unique().tolist() == [0.0]


def test_response_normalisation_multiplies_the_sum_by_alpha():
    # section 3.3: b = a / (k + alpha * sum a^2)^beta over n = 5 neighbouring maps
    with torch.device("meta"):
        norm = build("alexnet").norm1
    maps = torch.full((1, 5, 1, 1), 10.0)
    middle = norm(maps)[0, 2, 0, 0].item()
    assert middle == pytest.approx(10 / (2 + 1e-4 * 5 * 100) ** 0.75, rel=1e-6)


def test_other_input_sizes_are_refused_by_the_first_fully_connected_layer():
    with torch.device("meta"):
        model = build("alexnet-owt").eval()
        with pytest.raises(RuntimeError, match="20736"):
            model(torch.empty(1, 3, 320, 320))
