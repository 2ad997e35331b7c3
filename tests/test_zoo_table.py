"""Every name of the zoo, through the front door: exact parameters and multiply-accumulates.

The figures are the papers' configurations, counted independently of archscope's tracer in
``tests/models``; here it is the tracer that must give them. MACs given in millions are the exact
ones rounded to 10^4.
"""

import csv
from pathlib import Path

import pytest

import archscope
from archscope.models import architectures

EXACT = {
    "alexnet": (60_965_224, 724_406_816),
    "alexnet-owt": (61_100_840, 714_188_480),
    "alexnet-bn": (61_119_528, 714_188_480),
    "zfnet": (62_357_608, 1_168_032_896),
    "nin": (7_595_176, 1_100_188_800),
    "nin-bn": (8_655_336, 1_259_939_840),
    "vgg16": (138_357_544, 15_470_264_320),
    "inception-naive": (None, 854_196_224),
    "inception-bottleneck": (None, 271_351_808),
}
IN_MILLIONS = {
    "vgg11": (132_863_336, 7_609.09),
    "vgg11-lrn": (132_863_336, 7_609.09),
    "vgg13": (133_047_848, 11_308.47),
    "vgg16-c": (133_638_952, 11_770.89),
    "vgg19": (143_667_240, 19_632.06),
    "googlenet": (6_998_552, 1_582.67),
    "inception-bn": (11_295_240, 2_032.60),
    "inception-v3": (23_834_568, 5_713.22),
    "inception-v4": (42_679_816, 12_253.97),
    "inception-resnet-v1": (22_756_328, 6_206.36),
    "inception-resnet-v2": (55_843_464, 13_155.79),
    "resnet18": (11_689_512, 1_814.07),
    "resnet34": (21_797_672, 3_663.76),
    "resnet50": (25_557_032, 4_089.18),
    "resnet50-v1": (25_557_032, 3_857.97),
    "resnet101": (44_549_160, 7_801.41),
    "resnet101-v1": (44_549_160, 7_570.19),
    "resnet152": (60_192_808, 11_513.63),
    "resnet152-v1": (60_192_808, 11_282.42),
    "resnet18-a": (11_515_688, 1_794.81),
    "plain18": (11_515_688, 1_794.81),
    "resnet34-a": (21_623_848, 3_644.49),
    "plain34": (21_623_848, 3_644.49),
    "resnet20-cifar": (269_722, 40.55),
    "plain20-cifar": (269_722, 40.55),
    "resnet32-cifar": (464_154, 68.86),
    "plain32-cifar": (464_154, 68.86),
    "resnet44-cifar": (658_586, 97.17),
    "plain44-cifar": (658_586, 97.17),
    "resnet56-cifar": (853_018, 125.49),
    "plain56-cifar": (853_018, 125.49),
    "resnet110-cifar": (1_727_962, 252.89),
    "plain110-cifar": (1_727_962, 252.89),
    "resnet1202-cifar": (19_421_274, 2_829.24),
    "preact-resnet110-cifar": (1_727_962, 252.89),
    "preact-resnet164-cifar": (1_703_258, 244.50),
    "preact-resnet1001-cifar": (10_327_706, 1_487.85),
    "fractalnet20-cifar": (33_734_922, 845.22),
    "fractalnet40-cifar": (76_128_714, 2_036.08),
}
# Parameters of the recurrent networks follow from their equations; MACs are per step and sample
# the weights of the recurrence and the readout.
RECURRENT = {
    "rnn": (25_994, 100, 25_856),
    "lstm": (99_328, 100, 98_304),
    "gru": (74_496, 100, 73_728),
    "char-rnn": (240_321, 50, 238_208),
    "char-rnn-512": (5_421_633, 50, 5_409_280),
    "char-rnn-vanilla": (66_369, 50, 65_792),
    "char-rnn-gru": (182_337, 50, 180_736),
}


def test_no_name_of_the_zoo_is_left_out():
    assert set(architectures()) == {*EXACT, *IN_MILLIONS, *RECURRENT}


@pytest.mark.parametrize("name", EXACT)
def test_exact_counts(name):
    params, macs = EXACT[name]
    totals = archscope.analyze(name).totals
    assert totals["macs"] == macs
    assert params is None or totals["params"] == params
    assert totals["coverage"] == 1


@pytest.mark.parametrize("name", IN_MILLIONS)
def test_counts_in_millions(name):
    params, millions = IN_MILLIONS[name]
    totals = archscope.analyze(name).totals
    assert (totals["params"], round(totals["macs"] / 1e6, 2)) == (params, millions)
    assert totals["coverage"] == 1


@pytest.mark.parametrize("unrolled", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_counts_fused_and_unrolled(name, unrolled):
    params, steps, weights = RECURRENT[name]
    totals = archscope.analyze(name, unrolled=unrolled).totals
    assert (totals["params"], totals["macs"]) == (params, steps * weights)


@pytest.mark.parametrize(
    ("name", "params"), [("googlenet", 13_378_280), ("inception-v3", 27_161_264)]
)
def test_training_has_the_auxiliary_heads(name, params):
    assert archscope.analyze(name, mode="training").totals["params"] == params


def test_options_reach_the_network_and_its_input():
    report = archscope.analyze("resnet50", batch=8, input=(3, 320, 320), num_classes=10)
    assert report.trace.inputs[0][1] == (8, 3, 320, 320)
    assert report.rows[-1]["output_shape"] == (8, 10)
    lstm = archscope.analyze("lstm", hidden=512, seq_len=100, batch=8)
    assert lstm.totals["macs"] == 8 * 100 * 4 * 512 * (64 + 512)


def test_the_lectures_activations_of_vgg16_add_up_to_15_million():
    assert archscope.analyze("vgg16").totals["activations"] == 15_237_608


LISTINGS = Path(__file__).parent / "data" / "layers"
KINDS = ("Conv2d", "Linear", "BatchNorm2d")


@pytest.mark.parametrize(
    "name", sorted({p.stem for p in LISTINGS.glob("*.csv")} & {*architectures()})
)
def test_layer_by_layer(name):
    """Parameters, MACs and output shape of every convolution, linear and normalisation layer."""
    with (LISTINGS / f"{name}.csv").open() as file:
        expected = [row for row in csv.DictReader(file) if row["type"] in KINDS]
    counted = [row for row in archscope.analyze(name).rows if row["kind"] in KINDS]

    def ours(row):
        return row["kind"], row["params"], row["macs"], "x".join(map(str, row["output_shape"][1:]))

    def theirs(row):
        return row["type"], int(row["params"]), int(row["macs"]), row["out"]

    # Branches may run in another order than the listing has them.
    assert sorted(map(ours, counted)) == sorted(map(theirs, expected))


@pytest.mark.parametrize("name", RECURRENT)
def test_fused_and_unrolled_are_one_network(name):
    fused, unrolled = (
        archscope.analyze(name, mode="training", seq_len=5, unrolled=way).totals
        for way in (False, True)
    )
    for cost in ("params", "macs", "flops", "backward_macs", "depth", "shortest_path", "paths"):
        assert fused[cost] == unrolled[cost], cost
