from collections import Counter

import pytest
import torch
from counting import conv_and_linear_macs, expected_rows, layer_rows, parameter_count

from archscope.models import build


@pytest.fixture(scope="module")
def plain():
    with torch.device("meta"):
        return build("googlenet").eval()


@pytest.fixture(scope="module")
def supervised():
    with torch.device("meta"):
        return build("googlenet", aux=True)


def test_parameters_and_macs_are_exact(plain):
    assert parameter_count(plain) == 6_998_552
    assert conv_and_linear_macs(plain, (3, 224, 224)) == 1_582_671_872


def test_layers_are_the_listed_ones_in_order(plain):
    assert layer_rows(plain, (3, 224, 224)) == expected_rows("googlenet")


def test_training_with_auxiliary_heads_adds_their_layers(supervised):
    # as a multiset: the list has each head where it branches off, we run both after the trunk
    rows = layer_rows(supervised.train(), (3, 224, 224))
    expected = expected_rows("googlenet-aux")
    assert Counter(map(str, rows)) == Counter(map(str, expected))
    assert parameter_count(supervised) == 13_378_280
    assert conv_and_linear_macs(supervised, (3, 224, 224)) == 1_591_044_096


def test_auxiliary_heads_run_in_training_only(supervised):
    image = torch.empty(2, 3, 224, 224, device="meta")
    logits = supervised.train()(image)
    assert [tuple(each.shape) for each in logits] == [(2, 1000)] * 3
    assert supervised.eval()(image).shape == (2, 1000)
    assert conv_and_linear_macs(supervised, (3, 224, 224)) == 1_582_671_872


def test_deep_supervision_sends_gradient_everywhere():
    with torch.device("meta"):
        model = build("googlenet", aux=True, num_classes=10).train()
        logits, aux1, aux2 = model(torch.empty(2, 3, 224, 224))
        (logits.sum() + 0.3 * (aux1.sum() + aux2.sum())).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_global_pooling_takes_other_input_sizes():
    model = build("googlenet", num_classes=10).eval()
    with torch.inference_mode():
        assert model(torch.randn(1, 3, 96, 128)).shape == (1, 10)


def test_modules_concatenate_their_branches_in_the_papers_order(plain):
    module = build("googlenet").inception_3a.eval()
    x = torch.randn(1, 192, 7, 7)
    with torch.inference_mode():
        one, three, five, pooled = module(x).split([64, 128, 32, 32], dim=1)
        torch.testing.assert_close(one, module.conv1x1(x))
        torch.testing.assert_close(three, module.conv3x3(module.conv3x3_reduce(x)))
        torch.testing.assert_close(five, module.conv5x5(module.conv5x5_reduce(x)))
        torch.testing.assert_close(pooled, module.pool_proj(module.pool(x)))


def test_real_build_starts_as_the_caffe_definition_says():
    model = build("googlenet", aux=True)
    weight = model.inception_5b.conv3x3.conv.weight
    bound = (3 / (192 * 9)) ** 0.5
    assert bound * 0.99 < weight.abs().max().item() <= bound
    biases = {name: p.unique().tolist() for name, p in model.named_parameters() if "bias" in name}
    zero = {name for name, values in biases.items() if values == [0.0]}
    assert zero == {"linear.bias", "aux1.classifier.bias", "aux2.classifier.bias"}
