"""The gradient by time lag: fused layers and cells agree, and with autograd by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from archscope.errors import ArchscopeError
from archscope.gradients import gradient_through_time

OPTIONS = {"hidden": 8, "input_size": 5, "seq_len": 9}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rnn", {"nonlinearity": "tanh"}),
        ("rnn", {"nonlinearity": "relu"}),
        ("lstm", {}),
        ("lstm", {"forget_bias": 1.0}),
        ("gru", {}),
    ],
)
def test_fused_layers_and_unrolled_cells_agree(name, options, layers):
    asked = OPTIONS | options | {"layers": layers}
    fused = gradient_through_time(name, **asked)
    unrolled = gradient_through_time(name, unrolled=True, **asked)
    assert list(fused["lag"]) == list(range(1, 9))
    np.testing.assert_allclose(fused["hidden_norm"], unrolled["hidden_norm"], rtol=1e-4)
    np.testing.assert_allclose(fused["cell_norm"], unrolled["cell_norm"], rtol=1e-4)
    assert fused["cell_norm"].notna().all() == (name == "lstm")


def test_the_gradient_is_that_of_the_rest_of_the_sequence():
    torch.manual_seed(0)
    layer = nn.GRU(3, 4, 2, batch_first=True).double()
    x = torch.randn(1, 7, 3, dtype=torch.float64)
    direction = torch.randn(4, dtype=torch.float64)
    found = gradient_through_time(
        layer, x, samples=1, loss=lambda y, _: (y[:, -1] * direction).sum()
    )
    for lag in range(1, 7):
        _, state = layer(x[:, : 7 - lag])
        state = state.detach().requires_grad_()
        y, _ = layer(x[:, 7 - lag :], state)
        (y[:, -1] * direction).sum().backward()
        assert found["hidden_norm"][lag - 1] == pytest.approx(float(state.grad.norm()))


def test_a_forget_bias_keeps_the_gradient():
    plain = gradient_through_time("rnn", seq_len=40)
    without = gradient_through_time("lstm", seq_len=40)
    biased = gradient_through_time("lstm", seq_len=40, forget_bias=1.0)
    last = {"rnn": plain["hidden_norm"].iloc[-1], "lstm": biased["cell_norm"].iloc[-1]}
    assert last["rnn"] < 1e-6 < last["lstm"]
    assert biased["cell_norm"].iloc[-1] > 100 * without["cell_norm"].iloc[-1]


def test_networks_without_a_time_lag_are_refused():
    with pytest.raises(ArchscopeError, match="no recurrent layer"):
        gradient_through_time(nn.Linear(2, 2), torch.randn(1, 2))
    with pytest.raises(ArchscopeError, match="bidirectional"):
        gradient_through_time(nn.LSTM(2, 2, bidirectional=True), torch.randn(1, 3, 2))
