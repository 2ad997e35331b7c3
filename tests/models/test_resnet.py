import copy

import pytest
import torch
import torchvision
from counting import conv_and_linear_macs, expected_rows, layer_rows, parameter_count
from paths import path_lengths
from torch import nn
from weights import share_weights

from archscope.errors import InvalidInput
from archscope.models import architectures, build, find

TOTALS = {
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet50-v1": (25_557_032, 3_857_973_248),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet101-v1": (44_549_160, 7_570_194_432),
    "resnet152": (60_192_808, 11_513_626_624),
    "resnet152-v1": (60_192_808, 11_282_415_616),
    "resnet18-a": (11_515_688, 1_794_805_760),
    "plain18": (11_515_688, 1_794_805_760),
    "resnet34-a": (21_623_848, 3_644_493_824),
    "plain34": (21_623_848, 3_644_493_824),
    "resnet20-cifar": (269_722, 40_551_040),
    "plain20-cifar": (269_722, 40_551_040),
    "resnet32-cifar": (464_154, 68_862_592),
    "plain32-cifar": (464_154, 68_862_592),
    "resnet44-cifar": (658_586, 97_174_144),
    "plain44-cifar": (658_586, 97_174_144),
    "resnet56-cifar": (853_018, 125_485_696),
    "plain56-cifar": (853_018, 125_485_696),
    "resnet110-cifar": (1_727_962, 252_887_680),
    "plain110-cifar": (1_727_962, 252_887_680),
    "resnet1202-cifar": (19_421_274, 2_829_238_912),
    "preact-resnet110-cifar": (1_727_962, 252_887_680),
    "preact-resnet164-cifar": (1_703_258, 244_500_992),
    "preact-resnet1001-cifar": (10_327_706, 1_487_849_984),
}

LISTED = [
    "resnet18",
    "resnet34",
    "resnet34-a",
    "resnet50",
    "resnet50-v1",
    "resnet101",
    "resnet152",
    "plain18",
    "plain34",
    "resnet20-cifar",
    "resnet110-cifar",
    "plain20-cifar",
    "preact-resnet110-cifar",
    "preact-resnet164-cifar",
]

# name: (longest, shortest, number of paths); a projection shortcut is a layer
PATHS = {
    "resnet18": (18, 5, 2**8),
    "resnet18-a": (18, 2, 2**8),
    "resnet34": (34, 5, 2**16),
    "resnet50": (50, 6, 2**16),
    "resnet50-v1": (50, 6, 2**16),
    "resnet152": (152, 6, 2**50),
    "resnet110-cifar": (110, 2, 2**54),
    "preact-resnet110-cifar": (110, 2, 2**54),
    "preact-resnet164-cifar": (164, 5, 2**54),
    "plain18": (18, 18, 1),
    "plain34": (34, 34, 1),
    "plain110-cifar": (110, 110, 1),
}


def on_meta(name, **options):
    with torch.device("meta"):
        return build(name, **options).eval()


def test_every_residual_and_plain_network_has_its_totals_here():
    declared = {n for n, a in architectures().items() if "resnet" in a.module.rsplit(".", 1)[1]}
    assert {n for n in declared if "inception" not in n} == set(TOTALS)


@pytest.mark.parametrize("name", TOTALS)
def test_parameters_and_macs_are_exact(name):
    model = on_meta(name)
    params, macs = TOTALS[name]
    assert parameter_count(model) == params
    assert conv_and_linear_macs(model, find(name).input) == macs


@pytest.mark.parametrize("name", LISTED)
def test_layers_are_the_listed_ones_in_order(name):
    def without_average_pool(rows):  # some of the listings were made from a functional one
        return [row for row in rows if row["type"] != "AdaptiveAvgPool2d"]

    rows = layer_rows(on_meta(name), find(name).input)
    assert without_average_pool(rows) == without_average_pool(expected_rows(name))


@pytest.mark.parametrize("name", PATHS)
def test_paths_are_those_of_the_papers_graph(name):
    lengths = path_lengths(on_meta(name))
    assert (max(lengths), min(lengths), lengths.total()) == PATHS[name]


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_computes_what_torchvision_computes(name):
    assert_same_outputs(on_meta(name), torchvision_on_meta(name))


def test_v1_computes_what_torchvision_computes_with_its_strides_moved():
    theirs = torchvision_on_meta("resnet50")
    for stage in (theirs.layer2, theirs.layer3, theirs.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    assert_same_outputs(on_meta("resnet50-v1"), theirs)


def test_option_a_computes_what_torchvision_computes_with_padding_for_projections():
    class Pad(nn.Module):
        def forward(self, x):
            x = torch.nn.functional.avg_pool2d(x, 1, stride=2)
            return torch.cat((x, torch.zeros_like(x)), dim=1)

    theirs = torchvision_on_meta("resnet18")
    for stage in (theirs.layer2, theirs.layer3, theirs.layer4):
        stage[0].downsample = Pad()
    assert_same_outputs(on_meta("resnet18-a"), theirs)


def torchvision_on_meta(name):
    with torch.device("meta"):
        return getattr(torchvision.models, name)()


def assert_same_outputs(ours, theirs):
    share_weights(ours, theirs)
    image = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), theirs(image), atol=1e-4, rtol=1e-4)


def test_a_preactivation_unit_adds_to_a_clean_path_and_shares_only_where_the_paper_says():
    basic, bottleneck = build("preact-resnet110-cifar"), build("preact-resnet164-cifar")
    for model in (basic, bottleneck):
        model.eval()
    for first in (basic.maps_32[0], bottleneck.maps_32[0]):
        assert first.shared
    assert [u.shared for u in basic.maps_16] == [False] * 18
    assert [u.shared for u in bottleneck.maps_16] == [True] + [False] * 17
    unit = basic.maps_32[1]
    nn.init.zeros_(unit.residual[-1].weight)
    x = torch.randn(1, 16, 8, 8)
    assert torch.equal(unit(x), x)
    unit.shared = True
    assert torch.equal(unit(x), unit.relu(unit.bn(x)))


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet34-a", "plain18"])
def test_training_step_reaches_every_parameter_at_another_size(name):
    with torch.device("meta"):
        model = build(name, num_classes=10).train()
        logits = model(torch.empty(2, 3, 320, 256))
    assert logits.shape == (2, 10)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["resnet20-cifar", "plain20-cifar", "preact-resnet110-cifar"])
def test_in_place_layers_leave_gradients_as_they_are(name):
    model = build(name).double().train()
    out_of_place = copy.deepcopy(model)
    for module in out_of_place.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    image = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    for m in (model, out_of_place):
        m(image).square().sum().backward()
    for a, b in zip(model.parameters(), out_of_place.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_projections_everywhere_are_option_c():
    projections = 16 - 3  # the blocks of resnet34 whose shortcut is an identity with option B
    extra = parameter_count(on_meta("resnet34", shortcut="C")) - TOTALS["resnet34"][0]
    widths = [64] * 3 + [128] * 3 + [256] * 5 + [512] * 2
    assert len(widths) == projections
    assert extra == sum(width * width + 2 * width for width in widths)


def test_real_build_starts_with_hes_deviation():
    for name in ("resnet18", "preact-resnet164-cifar"):
        model = build(name)
        weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
        scaled = torch.cat(
            [(w * (w.shape[0] * w[0, 0].numel() / 2) ** 0.5).flatten() for w in weights]
        )
        assert abs(scaled.std().item() - 1) < 0.02
        assert not model.fc.bias.any()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet50", {"depth": 51}, "depth is one of"),
        ("resnet50", {"shortcut": "D"}, "A, B, C or none"),
        ("resnet20-cifar", {"depth": 21}, "6n"),
        ("preact-resnet164-cifar", {"depth": 110 + 1}, "9n"),
    ],
)
def test_an_impossible_option_says_what_would_be_right(name, options, message):
    with pytest.raises(InvalidInput, match=message):
        on_meta(name, **options)
