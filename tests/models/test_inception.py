"""The batch-normalised Inception networks against their released counts, layers and weights."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from counting import conv_and_linear_macs, expected_rows, layer_rows, parameter_count
from torch import Tensor, nn

from archscope.models import architectures, build

COUNTS = {
    "inception-bn": (11_295_240, 2_032_600_064),
    "inception-v3": (23_834_568, 5_713_216_096),
    "inception-v4": (42_679_816, 12_253_974_624),
    "inception-resnet-v1": (22_756_328, 6_206_361_696),
    "inception-resnet-v2": (55_843_464, 13_155_794_016),
}


def on_meta(name: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        return build(name, **options).eval()


def shape_of(name: str) -> tuple[int, ...]:
    return tuple(int(size) for size in architectures()[name].input)


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_macs_are_exact(name: str) -> None:
    model = on_meta(name)
    assert (parameter_count(model), conv_and_linear_macs(model, shape_of(name))) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_every_layer_is_the_reference_layer(name: str) -> None:
    found = layer_rows(on_meta(name), shape_of(name))
    expected = expected_rows(name)
    if name == "inception-resnet-v1":
        # Its listing runs the pooling of a reduction first; the paper draws no order of branches.
        found, expected = sorted(found, key=str), sorted(expected, key=str)
    assert found == expected


def theirs_inception_v3() -> nn.Module:
    return torchvision.models.inception_v3(
        weights=None, aux_logits=False, transform_input=False, init_weights=False
    )


REFERENCES = {
    "inception-v3": theirs_inception_v3,
    "inception-v4": lambda: timm.create_model("inception_v4", pretrained=False),
    "inception-resnet-v2": lambda: timm.create_model("inception_resnet_v2", pretrained=False),
}


def give_statistics(model: nn.Module) -> None:
    """Running statistics as training leaves them: a fresh zero and one would hide a swap."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Load the source's tensors into the target's names, both in the order of the forward."""
    tensors, names = source.state_dict().values(), target.state_dict().keys()
    target.load_state_dict(dict(zip(names, tensors, strict=True)))


def assert_same_function(ours: nn.Module, theirs: nn.Module, x: Tensor) -> None:
    give_statistics(ours)
    copy_in_order(ours, theirs)
    with torch.inference_mode():
        found, expected = ours.eval()(x), theirs.eval()(x)
    assert expected.std() > 0.01, "an output this flat would agree by accident"
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", REFERENCES)
def test_forward_equals_the_reference_with_the_same_weights(name: str) -> None:
    torch.manual_seed(0)
    assert_same_function(build(name), REFERENCES[name](), torch.randn(1, 3, 139, 139))


def test_the_auxiliary_head_of_v3_equals_torchvisions() -> None:
    torch.manual_seed(0)
    ours = build("inception-v3", aux=True).auxiliary
    theirs = torchvision.models.inception.InceptionAux(768, 1000)
    assert_same_function(ours, theirs, 100 * torch.randn(1, 768, 17, 17))


def test_v3_returns_the_auxiliary_logits_only_in_training() -> None:
    model = on_meta("inception-v3", aux=True, num_classes=10)
    x = torch.empty(2, 3, 299, 299, device="meta")
    assert model(x).shape == (2, 10)
    assert [logits.shape for logits in model.train()(x)] == [(2, 10), (2, 10)]
    assert parameter_count(on_meta("inception-v3", aux=True)) == 27_161_264


def test_v3_without_its_auxiliary_head_returns_logits_in_training_too() -> None:
    model = on_meta("inception-v3").train()
    assert model(torch.empty(2, 3, 299, 299, device="meta")).shape == (2, 1000)


@pytest.mark.parametrize("name", COUNTS)
def test_classes_and_input_size_are_free(name: str) -> None:
    model = on_meta(name, num_classes=10)
    assert model(torch.empty(2, 3, 320, 320, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("name", sorted(COUNTS.keys() - {"inception-bn"}))
def test_dropout_is_an_option(name: str) -> None:
    assert on_meta(name, dropout=0.5).classifier.dropout.p == 0.5


def test_inception_resnet_v2_can_have_the_number_of_modules_of_the_paper() -> None:
    model = on_meta("inception-resnet-v2", blocks_a=5, blocks_b=10, blocks_c=5)
    assert [len(model.inception_a), len(model.inception_b), len(model.inception_c)] == [5, 10, 5]
    assert parameter_count(model) < COUNTS["inception-resnet-v2"][0]


@pytest.mark.parametrize("name", COUNTS)
def test_the_input_of_a_module_is_left_alone(name: str) -> None:
    """In-place ReLU and dropout must not reach a tensor that backward or a caller still needs."""
    torch.manual_seed(0)
    model = build(name, num_classes=2).train()
    x = torch.randn(2, 3, 96, 96, requires_grad=True)
    before = x.detach().clone()
    model(x).sum().backward()
    assert torch.equal(x, before)
    assert x.grad is not None and x.grad.isfinite().all()
