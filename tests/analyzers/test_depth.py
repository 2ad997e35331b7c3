"""Lengths of all routes: known networks, and small ones whose routes can be enumerated."""

import math
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import archscope
from archscope.analyzers import depth, paths
from archscope.analyzers.depth import path_counts, path_summary, quantile
from archscope.errors import InvalidInput
from archscope.models.catalog import build
from archscope.trace.building import on_meta
from tests.models.paths import path_lengths


@cache
def traced(name, **options):
    return archscope.analyze(name, **options).trace


# Longest, shortest, number and mean of the routes.
KNOWN = {
    "alexnet": (8, 8, 1, 8),
    "zfnet": (8, 8, 1, 8),
    "vgg16": (16, 16, 1, 16),
    "vgg19": (19, 19, 1, 19),
    "googlenet": (22, 13, 262_144, 17.5),
    # 4 branches in 8 modules, 3 in the 2 with stride
    "inception-bn": (34, 12, 4**8 * 3**2, 21 + 1 / 3),
    "inception-v3": (48, 15, 5_308_416, 28 + 7 / 12),
    "inception-v4": (76, 20, 65_229_815_808, 42 + 5 / 6),
    "resnet18": (18, 5, 2**8, None),
    "resnet34": (34, 5, 2**16, None),
    "resnet50": (50, 6, 2**16, None),
    "resnet101": (101, 6, 2**33, None),
    "resnet152": (152, 6, 2**50, None),
    "resnet110-cifar": (110, 2, 2**54, 56),
    "resnet1202-cifar": (1202, 2, 2**600, 602),
    "plain20-cifar": (20, 20, 1, 20),
    "plain110-cifar": (110, 110, 1, 110),
    "fractalnet20-cifar": (21, 6, 3_125, 14),
    "fractalnet40-cifar": (41, 6, 26**5, None),
}


@pytest.mark.parametrize(("name", "expected"), KNOWN.items())
def test_known_networks(name, expected):
    found = path_summary(traced(name))
    longest, shortest, number, mean = expected
    assert (found.longest, found.shortest, found.paths) == (longest, shortest, number)
    if mean is not None:
        assert found.mean == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize(
    "name", ["googlenet", "inception-bn", "inception-v3", "inception-v4", "resnet50"]
)
def test_counts_agree_with_the_graph_that_fx_sees(name):
    with on_meta():
        model = build(name).eval()
    assert path_counts(traced(name)) == dict(sorted(path_lengths(model).items()))


def test_the_summary_is_that_of_the_distribution():
    for name in ("googlenet", "resnet152", "inception-resnet-v2"):
        counts = path_counts(traced(name))
        found = path_summary(traced(name))
        number = sum(counts.values())
        mean = sum(k * n for k, n in counts.items()) / number
        variance = sum((k - mean) ** 2 * n for k, n in counts.items()) / number
        assert (found.longest, found.shortest, found.paths) == (max(counts), min(counts), number)
        assert found.mean == pytest.approx(mean)
        assert found.deviation == pytest.approx(math.sqrt(variance))


def test_paths_is_a_series_of_exact_integers():
    series = paths(traced("resnet1202-cifar"))
    assert sum(series) == 2**600
    assert list(series.index) == list(range(2, 1203, 2))
    assert series[602] == math.comb(600, 300)


def test_veits_residual_modules():
    """Veit et al. 2016: 54 modules, Binomial(54, 1/2). They print 95 % for what is 98.0 %."""
    counts = path_counts(traced("resnet110-cifar"), "modules")
    assert counts == {k: math.comb(54, k) for k in range(55)}
    number = 2**54
    assert 100 * sum(counts[k] for k in range(5, 18)) / number == pytest.approx(0.4537, abs=5e-5)
    assert 100 * sum(counts[k] for k in range(19, 36)) / number == pytest.approx(98.02, abs=5e-3)
    assert quantile(counts, 0.5) == 27


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("resnet50", 16),
        ("resnet152", 50),
        ("inception-resnet-v2", 40),
        ("preact-resnet110-cifar", 54),
    ],
)
def test_residual_modules_of_other_networks(name, modules):
    found = path_summary(traced(name), "modules")
    assert (found.longest, found.shortest) == (modules, 0)


def test_networks_without_shortcuts_have_no_residual_modules():
    for name in ("vgg16", "googlenet", "fractalnet20-cifar", "plain20-cifar"):
        assert path_summary(traced(name), "modules").longest == 0
    assert path_summary(traced("lstm", unrolled=True, seq_len=3), "modules").longest == 0


def test_routes_weighed_by_their_work():
    assert path_summary(traced("vgg16"), "macs").mean == 15_470_264_320
    found = path_summary(traced("resnet50"), "macs")
    assert found.shortest < found.mean < found.longest < traced("resnet50").macs


def test_every_operator_counts():
    assert path_summary(traced("vgg16"), "ops").longest == 16 + 15 + 5  # products, ReLUs, poolings


def test_an_unknown_count_is_refused():
    with pytest.raises(InvalidInput, match="layers, modules, ops, macs"):
        path_summary(traced("vgg16"), "blocks")
    with pytest.raises(InvalidInput, match="summary"):
        paths(traced("vgg16"), "macs")


# -- every operator's distances, and the receptive field -----------------------------------------


@pytest.mark.parametrize("name", ["vgg16", "googlenet", "resnet50", "inception-v4"])
def test_distances_before_and_behind_a_layer_make_a_route(name):
    found = path_summary(traced(name))
    table = depth(traced(name))
    longest = table["longest_from_input"] + table["longest_to_output"]
    shortest = table["shortest_from_input"] + table["shortest_to_output"]
    assert longest.max() == found.longest
    assert shortest.min() == found.shortest
    assert (longest <= found.longest).all()
    assert (shortest >= found.shortest).all()
    last = table.iloc[-1]
    assert (last.longest_from_input, last.longest_to_output) == (found.longest, 0)


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [  # Araujo, Norris and Sim, Distill 2019
        ("alexnet", "pool5", 195),
        ("vgg16", "block5.pool", 212),
        ("inception-bn", "inception5b.cat", 699),
        ("inception-v3", "inception_c.1.cat", 1311),
        ("inception-v4", "inception_c.2.cat", 2071),
        ("inception-resnet-v2", "conv.relu", 3039),
        # stride in the 3x3 convolution
        ("resnet50", "conv5_x.2.relu", 427),
    ],
)
def test_receptive_fields(name, layer, size):
    table = depth(traced(name)).set_index("path")
    found = table.loc[[layer], "receptive_field"].iloc[-1]
    assert found == (size, size)


def test_receptive_field_of_dilated_and_strided_windows():
    model = nn.Sequential(
        nn.Conv2d(1, 1, (3, 5), stride=(2, 1), dilation=(1, 2)),  # 3 x 9, 2 x 1 apart
        nn.AvgPool2d(2),  # 3 + 2 x 9 + 1
        nn.Conv2d(1, 1, 3),  # + 2 * 4 x + 2 * 2
    )
    table = depth(archscope.trace(model, ((1, 1, 40, 40),)))
    assert list(table["receptive_field"]) == [(1, 1), (3, 9), (5, 10), (13, 14)]


# -- recurrences ---------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_a_fused_layer_has_the_routes_of_its_unrolled_cells(name, layers, steps):
    fused = traced(name, layers=layers, seq_len=steps)
    unrolled = traced(name, layers=layers, seq_len=steps, unrolled=True)
    assert path_counts(fused) == path_counts(unrolled)
    for count in ("layers", "modules"):
        assert path_summary(fused, count) == path_summary(unrolled, count)
    readout = int(name == "rnn")
    assert path_summary(fused).longest == steps + layers - 1 + readout
    assert path_summary(fused).shortest == layers + readout


def test_a_gated_state_passes_any_selection_of_time_steps():
    counts = path_counts(traced("lstm", seq_len=100))
    assert counts == {m: math.comb(100, m) for m in range(1, 101)}
    assert path_counts(traced("gru", seq_len=100)) == counts


CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Steps(nn.Module):
    """torch's cells in a loop, from a state that is given, one layer above the other."""

    def __init__(self, name, layers):
        super().__init__()
        self.cells = nn.ModuleList(CELLS[name](4, 4) for _ in range(layers))

    def forward(self, x: Tensor, *state: Tensor) -> Tensor:
        states = [tuple(s[i] for s in state) for i in range(len(self.cells))]
        outputs = []
        for x_t in x:
            for i, cell in enumerate(self.cells):
                new = cell(x_t, states[i] if len(state) > 1 else states[i][0])
                states[i] = new if len(state) > 1 else (new,)
                x_t = states[i][0]
            outputs.append(x_t)
        return torch.stack(outputs)


class Fused(nn.Module):
    def __init__(self, name, layers, bidirectional=False):
        super().__init__()
        self.layer = LAYERS[name](4, 4, layers, bidirectional=bidirectional)

    def forward(self, x: Tensor, *state: Tensor) -> Tensor:
        return self.layer(x, state if len(state) > 1 else state[0])[0]


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_a_given_state_counts_as_in_a_loop_of_cells(name, layers, steps):
    state = ((layers, 1, 4),) * (2 if name == "lstm" else 1)
    looped = archscope.trace(Steps(name, layers), ((steps, 1, 4), *state))
    fused = archscope.trace(Fused(name, layers), ((steps, 1, 4), *state))
    assert path_counts(fused) == path_counts(looped)
    assert path_summary(fused) == path_summary(looped)


class BothWays(nn.Module):
    """Two bidirectional layers, step by step."""

    def __init__(self, name, layers):
        super().__init__()
        self.pairs = nn.ModuleList(
            nn.ModuleList(CELLS[name](4 if i == 0 else 8, 4) for _ in range(2))
            for i in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        sequence = list(x)
        for forwards, backwards in self.pairs:
            ahead = self.run(forwards, sequence)
            back = self.run(backwards, sequence[::-1])[::-1]
            sequence = [torch.cat(pair, dim=-1) for pair in zip(ahead, back, strict=True)]
        return torch.stack(sequence)

    def run(self, cell, sequence):
        state, outputs = None, []
        for x_t in sequence:
            state = cell(x_t, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return outputs


class FusedBothWays(nn.Module):
    def __init__(self, name, layers):
        super().__init__()
        self.layer = LAYERS[name](4, 4, layers, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_both_directions_zigzag(name, layers):
    looped = archscope.trace(BothWays(name, layers), ((4, 1, 4),))
    fused = archscope.trace(FusedBothWays(name, layers), ((4, 1, 4),))
    assert path_counts(fused) == path_counts(looped)
    assert path_summary(fused) == path_summary(looped)
    assert path_summary(fused).longest == 4 * layers


# -- random graphs against enumeration -----------------------------------------------------------


class RandomGraph(nn.Module):
    """Layer i reads the sum of the layers that ``reads[i]`` names; -1 is the input."""

    def __init__(self, reads):
        super().__init__()
        self.reads = reads
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in reads)

    def forward(self, x: Tensor) -> Tensor:
        made = [x]
        for reads, layer in zip(self.reads, self.layers, strict=True):
            made.append(layer(torch.stack([made[i + 1] for i in reads]).sum(0)).relu())
        return made[-1]


@st.composite
def random_graphs(draw):
    size = draw(st.integers(1, 7))
    return [draw(st.sets(st.integers(-1, i - 1), min_size=1)) for i in range(size)]


@settings(max_examples=40, deadline=None)
@given(random_graphs())
def test_random_graphs(reads):
    def enumerated(layer):
        if layer < 0:
            return [0]
        return [length + 1 for before in reads[layer] for length in enumerated(before)]

    lengths = enumerated(len(reads) - 1)
    counts = path_counts(archscope.trace(RandomGraph([sorted(r) for r in reads]), ((1, 3),)))
    assert counts == {k: lengths.count(k) for k in sorted(set(lengths))}


def test_a_dense_network_is_counted_in_no_time():
    """DenseNet's layers read all that came before in their block: every subset is a route."""
    reads = [list(range(-1, i)) for i in range(200)]
    counts = path_counts(archscope.trace(RandomGraph(reads), ((1, 3),)))
    assert counts == {k: math.comb(199, k - 1) for k in range(1, 201)}
