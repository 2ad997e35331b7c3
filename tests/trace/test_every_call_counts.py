"""Every call costs, every parameter is counted once, and nothing is silently zero."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import archscope


class Repeated(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x):
        for _ in range(10):
            x = self.layer(x)
        return x


def test_a_module_called_ten_times_costs_ten_times_and_is_stored_once():
    report = archscope.analyze(Repeated(), inputs=(2, 6))
    assert report.totals["macs"] == 10 * 2 * 36
    assert report.totals["params"] == 42
    calls = [row["call"] for row in report.rows if row["kind"] == "Linear"]
    assert calls == list(range(1, 11))
    assert report.totals["depth"] == 10


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.decoder = nn.Linear(8, 50, bias=False)
        self.decoder.weight = self.embedding.weight

    def forward(self, tokens):
        return self.decoder(self.embedding(tokens))


def test_a_tied_weight_is_stored_once_and_used_twice():
    report = archscope.analyze(Tied(), inputs=(torch.randint(50, (2, 3)),))
    assert report.totals["params"] == 400
    assert report.totals["macs"] == 2 * 3 * 8 * 50
    decoder = next(row for row in report.rows if row["path"] == "decoder")
    assert decoder["params"] == 0 and decoder["shared"] == "embedding.weight"


class RawParameters(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(4, 3, 3, 3))
        self.matrix = nn.Parameter(torch.zeros(5, 4))

    def forward(self, x):
        return F.linear(F.conv2d(x, self.kernel).mean((2, 3)), self.matrix)


def test_functional_calls_on_raw_parameters_are_seen():
    report = archscope.analyze(RawParameters(), inputs=(1, 3, 8, 8))
    assert report.totals["macs"] == 6 * 6 * 4 * 27 + 20
    assert report.totals["params"] == 4 * 27 + 20
    assert report.totals["depth"] == 2


class Borrowed(nn.Module):
    """Uses another module's weight without calling it."""

    def __init__(self):
        super().__init__()
        self.lender = nn.Linear(4, 3)
        self.idle = nn.Linear(4, 2)

    def forward(self, x):
        return F.linear(x, self.lender.weight)


def test_unused_and_uncalled_parameters_still_add_up():
    report = archscope.analyze(Borrowed(), inputs=(1, 4))
    assert report.totals["params"] == 15 + 10 == sum(row["params"] for row in report.rows)
    idle = next(row for row in report.rows if row["path"] == "idle")
    assert idle["call"] == 0 and idle["macs"] == 0 and idle["params"] == 10


def test_containers_do_not_count_their_children_again():
    inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    report = archscope.analyze(nn.Sequential(inner, nn.Sequential(inner)), inputs=(1, 4))
    assert report.totals["macs"] == 32
    assert report.totals["params"] == 20


def test_a_module_level_count_includes_children_once():
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 4)), nn.Linear(4, 2))
    frame = archscope.analyzers.compute(archscope.trace(model, (1, 4)), level="module")
    by_path = frame.set_index("path")["macs"]
    assert by_path[""] == 24 and by_path["0"] == 16 and by_path["0.0"] == 16 and by_path["1"] == 8


_LIBRARY = torch.library.Library("of_somebody_else", "DEF")
_LIBRARY.define("mix(Tensor x) -> Tensor")
_LIBRARY.impl("mix", torch.clone, "CompositeExplicitAutograd")


class Unknown(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return torch.ops.of_somebody_else.mix(self.layer(x))


def test_an_operator_without_a_formula_is_listed_and_strict_refuses_it():
    report = archscope.analyze(Unknown(), inputs=(1, 4, 4))
    assert 0 < report.totals["coverage"] < 1
    assert any("mix" in warning for warning in report.warnings)
    with pytest.raises(archscope.ArchscopeError, match="mix"):
        archscope.analyze(Unknown(), inputs=(1, 4, 4), strict=True)


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        self.head = nn.Linear(8, 2)
        self.reentrant = reentrant

    def forward(self, x):
        if self.reentrant is None:
            return self.head(self.block(x))
        return self.head(checkpoint(self.block, x, use_reentrant=self.reentrant))


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_block_shows_its_recomputation(reentrant):
    x = torch.randn(3, 8, requires_grad=True)
    plain = archscope.analyze(Checkpointed(None), inputs=(x,), mode="training").totals
    again = archscope.analyze(Checkpointed(reentrant), inputs=(x,), mode="training").totals
    assert again["macs"] == plain["macs"] == 3 * (64 + 64 + 16)
    assert plain["recomputed_macs"] == 0
    # Reentrant checkpointing runs all of the block again, the other kind stops when it has what
    # the backward needs: the input of the last layer, not its output.
    assert again["recomputed_macs"] in (3 * 64, 3 * 128)
    assert again["backward_macs"] == plain["backward_macs"]


def test_the_backward_of_a_frozen_layer_costs_less_and_shows_it():
    def backward(freeze):
        model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2))
        if freeze:
            model[0].requires_grad_(False)
        report = archscope.analyze(model, inputs=(3, 8), mode="training")
        return [row["backward_macs"] for row in report.rows if row["kind"] == "Linear"]

    # The first layer's input needs no gradient; frozen, nothing of it does, nor the second's input.
    assert backward(freeze=False) == [3 * 64, 2 * 3 * 64, 2 * 3 * 16]
    assert backward(freeze=True) == [0, 3 * 64, 2 * 3 * 16]


def test_doubling_the_batch_doubles_the_macs():
    model = nn.Sequential(nn.Conv1d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 8, 5))
    one, two = (archscope.analyze(model, inputs=(n, 3, 10)).totals["macs"] for n in (4, 8))
    assert two == 2 * one


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("trainable_input", [True, False])
def test_the_backward_of_a_recurrent_layer_is_that_of_its_unrolled_cells(kind, trainable_input):
    steps, inputs, hidden = 5, 3, 4

    class Unrolled(nn.Module):
        def __init__(self):
            super().__init__()
            self.w_in = nn.Linear(inputs, hidden)
            self.w_rec = nn.Linear(hidden, hidden)

        def forward(self, x):
            h = x.new_zeros(x.shape[1], hidden)
            for step in x:
                h = torch.tanh(self.w_in(step) + self.w_rec(h))
            return h

    x = torch.randn(steps, 2, inputs, requires_grad=trainable_input)
    layer = getattr(nn, kind)(inputs, hidden)
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    unrolled = archscope.analyze(Unrolled(), inputs=(x,), mode="training").totals
    fused = archscope.analyze(layer, inputs=(x,), mode="training").totals
    assert fused["backward_macs"] == gates * unrolled["backward_macs"]


def test_the_backward_of_a_frozen_recurrent_layer_costs_less():
    def backward(frozen):
        layer = nn.LSTM(3, 4)
        layer.requires_grad_(not frozen)

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.lstm = nn.Linear(3, 3), layer

            def forward(self, x):
                return self.lstm(self.first(x))[0]

        report = archscope.analyze(Model(), inputs=(5, 2, 3), mode="training")
        return next(row["backward_macs"] for row in report.rows if row["kind"] == "LSTM")

    weights, to_input, through_time = 10 * 16 * (3 + 4), 10 * 16 * 3, 8 * 16 * 4
    assert backward(frozen=False) == weights + to_input + through_time
    assert backward(frozen=True) == to_input + through_time


def test_attention_differentiates_what_is_wanted():
    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.key, self.value = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)

        def forward(self, x):
            return F.scaled_dot_product_attention(x, self.key(x), self.value(x))

    report = archscope.analyze(Attend(), inputs=(1, 5, 4), mode="training")
    scores = 5 * 5
    backward = next(op for op in report.trace.ops if op.name.endswith("attention_backward"))
    assert backward.macs == scores * 4 * 3  # dV, dP and dK; no dQ
