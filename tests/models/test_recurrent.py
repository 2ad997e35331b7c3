import copy
import pickle

import pytest
import torch
from counting import conv_and_linear_macs, parameter_count
from torch import nn

from archscope.errors import InvalidInput
from archscope.models import build, find
from archscope.models.recurrent import Recurrent, unroll

NAMES = ["rnn", "lstm", "gru", "char-rnn", "char-rnn-512", "char-rnn-vanilla", "char-rnn-gru"]
CHAR_RNN = {
    "char-rnn": 240_321,
    "char-rnn-512": 5_421_633,
    "char-rnn-vanilla": 66_369,
    "char-rnn-gru": 182_337,
}
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
SMALL = {
    "rnn": {"input_size": 5, "hidden": 7, "layers": 2, "output_size": 3},
    "lstm": {"input_size": 5, "hidden": 7, "layers": 2},
    "gru": {"input_size": 5, "hidden": 7, "layers": 2},
    "char-rnn": {"vocabulary": 5, "hidden": 7, "layers": 3},
    "char-rnn-vanilla": {"vocabulary": 5, "hidden": 7},
    "char-rnn-gru": {"vocabulary": 5, "hidden": 7},
}


@pytest.fixture
def sequence():
    return torch.randn(4, 9, 5, dtype=torch.float64)  # (N, T, input)


def on_meta(name, **options):
    with torch.device("meta"):
        return build(name, **options).eval()


@pytest.mark.parametrize("unrolled", [False, True])
@pytest.mark.parametrize("name", CHAR_RNN)
def test_char_rnn_has_karpathys_parameters(name, unrolled):
    assert parameter_count(on_meta(name, unrolled=unrolled)) == CHAR_RNN[name]


@pytest.mark.parametrize(
    ("cell", "hidden", "layers", "params"),
    [
        ("lstm", 100, 2, 154_165),
        ("gru", 100, 2, 117_265),
        ("rnn", 100, 2, 43_465),
        ("lstm", 128, 3, 372_417),
        ("lstm", 512, 2, 3_320_385),
        ("gru", 512, 3, 4_074_561),
        ("lstm", 700, 3, 10_044_365),
        ("rnn", 700, 3, 2_545_265),
    ],
)
def test_char_rnn_of_other_sizes(cell, hidden, layers, params):
    model = on_meta("char-rnn", cell=cell, hidden=hidden, layers=layers)
    assert parameter_count(model) == params


@pytest.mark.parametrize("unrolled", [False, True])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_parameters_follow_the_formula(name, unrolled):
    I, H, O = 10, 20, 6  # noqa: E741
    biases = 1 if name == "rnn" else 2
    first = GATES[name] * (H * I + H * H + biases * H)
    second = GATES[name] * (2 * H * H + biases * H)
    sizes = {"input_size": I, "hidden": H, "output_size": O, "unrolled": unrolled}
    assert parameter_count(on_meta(name, **sizes)) == first + O * H + O
    assert parameter_count(on_meta(name, **sizes, layers=2)) == first + second + O * H + O


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "char-rnn"])
def test_macs_of_the_unrolled_cells_follow_the_formula(name):
    model = on_meta(name, **SMALL[name], unrolled=True)
    layers, gates = SMALL[name]["layers"], 4 if name == "char-rnn" else GATES[name]
    I, H, T = 5, 7, 9  # noqa: E741
    readout = {"rnn": 3 * H, "char-rnn": 5 * H}.get(name, 0)
    per_step = gates * H * (I + H) + (layers - 1) * gates * H * 2 * H + readout
    assert conv_and_linear_macs(model, (T, I)) == T * per_step


@pytest.mark.parametrize("name", SMALL)
def test_unrolled_cells_compute_what_the_fused_layer_computes(name, sequence):
    torch.manual_seed(0)
    fused = build(name, **SMALL[name]).double()
    unrolled = unroll(fused)
    torch.testing.assert_close(unrolled(sequence), fused(sequence))


@pytest.mark.parametrize("name", SMALL)
def test_unrolled_cells_hold_the_fused_layers_own_parameters(name, sequence):
    fused = build(name, **SMALL[name]).double()
    unrolled = unroll(fused)
    assert {id(p) for p in unrolled.parameters()} == {id(p) for p in fused.parameters()}
    gradients = []
    for model in (fused, unrolled):
        model.zero_grad()
        model(sequence).square().sum().backward()
        gradients.append([p.grad.clone() for p in fused.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("name", SMALL)
def test_one_seed_builds_the_same_network_fused_and_unrolled(name, sequence):
    outputs = []
    for unrolled in (False, True):
        torch.manual_seed(3)
        outputs.append(build(name, **SMALL[name], unrolled=unrolled).double()(sequence))
    torch.testing.assert_close(outputs[0], outputs[1])


@pytest.mark.parametrize(
    ("name", "reference"), [("lstm", nn.LSTM), ("gru", nn.GRU), ("char-rnn-vanilla", nn.RNN)]
)
def test_cells_compute_what_torchs_layer_computes_from_copied_weights(name, reference, sequence):
    theirs = reference(5, 7, num_layers=2, batch_first=True).double()
    ours = build(name, **SMALL[name], unrolled=True).double()
    for layer, cell in enumerate(ours.recurrence.cells):
        cell.W_in.weight.data = getattr(theirs, f"weight_ih_l{layer}").data.clone()
        cell.W_rec.weight.data = getattr(theirs, f"weight_hh_l{layer}").data.clone()
        cell.W_in.bias.data = getattr(theirs, f"bias_ih_l{layer}").data.clone()
        cell.W_rec.bias.data = getattr(theirs, f"bias_hh_l{layer}").data.clone()
    h, _ = theirs(sequence)
    torch.testing.assert_close(ours.recurrence(sequence)[0], h)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("unrolled", [False, True])
def test_rnn_is_the_lectures_equations(nonlinearity, unrolled, sequence):
    torch.manual_seed(0)
    sizes = {"input_size": 5, "hidden": 7, "output_size": 3, "nonlinearity": nonlinearity}
    model = build("rnn", **sizes).double()
    W_in, W_rec, b_rec, W_out, b_out = model.parameters()
    f = getattr(torch, nonlinearity)
    h = torch.zeros(4, 7, dtype=torch.float64)
    z = []
    for t in range(9):
        h = f(h @ W_rec.T + b_rec + sequence[:, t] @ W_in.T)
        z.append(h @ W_out.T + b_out)
    model = unroll(model) if unrolled else model
    torch.testing.assert_close(model(sequence), torch.stack(z, dim=1))


def test_the_constant_bias_survives_copies_conversions_and_training(sequence):
    model = build("rnn", **SMALL["rnn"]).double()
    assert not [name for name in model.state_dict() if "bias_ih" in name]
    loaded = build("rnn", **SMALL["rnn"]).double()
    loaded.load_state_dict(model.state_dict())
    expected = model(sequence)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        assert torch.equal(copied(sequence), expected)
    assert model.to(torch.bfloat16)(sequence.bfloat16()).dtype == torch.bfloat16
    model.double()(sequence).sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert not model.recurrence.bias_ih_l0.any()
    torch.testing.assert_close(model(sequence), unroll(model)(sequence))


def test_unrolling_an_unrolled_model_changes_nothing():
    model = build("gru", **SMALL["gru"], unrolled=True)
    assert unroll(model) is model


@pytest.mark.parametrize("unrolled", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_builds_and_runs_on_meta_at_the_declared_shape(name, unrolled):
    architecture = find(name)
    model = on_meta(name, unrolled=unrolled)
    width = 64 if name in GATES else 65
    x = torch.empty(2, architecture.input_options["seq_len"], width, device="meta")
    outputs = {"rnn": 10, "lstm": 128, "gru": 128}.get(name, 65)
    assert model(x).shape == (2, x.shape[1], outputs)
    assert isinstance(model, Recurrent)


def test_char_rnn_returns_log_probabilities(sequence):
    model = build("char-rnn", vocabulary=5).double()
    probabilities = model(sequence).exp()
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(4, 9, dtype=torch.float64))


def test_char_rnn_starts_as_karpathys():
    model = build("char-rnn")
    bias = model.recurrence.bias_ih_l1
    assert (bias[128:256] == 1).all()
    others = torch.cat((bias[:128], bias[256:], model.recurrence.bias_hh_l1))
    assert 0.07 < others.abs().max().item() <= 0.08
    assert 0.07 < model.readout[0].weight.abs().max().item() <= 0.08


def test_forget_bias_is_an_option_of_the_lstm():
    assert (build("lstm", forget_bias=2.0).recurrence.bias_ih_l0[128:256] == 2).all()
    bound = 128**-0.5
    assert build("lstm").recurrence.bias_ih_l0.abs().max().item() <= bound


@pytest.mark.parametrize("unrolled", [False, True])
def test_dropout_acts_between_layers_and_before_the_decoder_in_training_only(unrolled, sequence):
    model = build("char-rnn", vocabulary=5, dropout=0.5, unrolled=unrolled).double()
    assert not torch.equal(model(sequence), model(sequence))
    model.readout[0].p = 0.0
    assert not torch.equal(model(sequence), model(sequence))
    model.eval()
    assert torch.equal(model(sequence), model(sequence))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rnn", {"nonlinearity": "sigmoid"}, "tanh or relu, not 'sigmoid'"),
        ("char-rnn", {"cell": "qrnn"}, "lstm, gru, rnn, not 'qrnn'"),
    ],
)
def test_an_impossible_option_says_what_would_be_right(name, options, message):
    with pytest.raises(InvalidInput, match=message):
        on_meta(name, **options)
