"""Recurrent networks, each as cells unrolled through time and as torch's fused layer.

The equations stand in the cells, and ``unrolled`` runs them step by step; by default torch's
``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` runs the whole sequence at once. Both give the same outputs
from the same weights (see ``unroll``), batch first: (N, T, input) in, (N, T, output) out. The state
starts at zero.

- ``rnn`` is the lecture's: h_t = f(W_rec h_{t-1} + b_rec + W_in x_t), z_t = W_out h_t + b_out. It
  has one bias a layer where torch's has two: in the fused layer the other is a constant zero.
- ``lstm``: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, no peepholes.
- ``gru``: Cho et al. 2014 (arXiv:1406.1078) in torch's and cuDNN's variant.
- ``char-rnn``: Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015, and
  his code char-rnn. Its README speaks of 150 K parameters by default; its defaults make 240,321.

Of ``rnn``, ``lstm`` and ``gru`` no sizes are canonical. Ours are 128 hidden units over 64 inputs,
and 10 outputs for ``rnn``; the others have no readout unless asked, and their output is h_t. They
are initialised as torch does, from U(-1/sqrt(hidden), 1/sqrt(hidden)); Karpathy's from U(-0.08,
0.08), with a forget-gate bias of 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archscope.errors import InvalidInput

ARCHITECTURES = {
    "rnn": {
        "family": "recurrent",
        "year": 1990,
        "paper": "Elman, Finding Structure in Time, Cognitive Science 14(2)",
        "input": ["seq_len", "input_size"],
        "input_options": {"seq_len": 100},
        "build": "rnn",
        "options": {},
        "summary": "the plain recurrence, one bias a layer, and a readout",
    },
    "lstm": {
        "family": "recurrent",
        "year": 1997,
        "paper": "Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9(8)",
        "input": ["seq_len", "input_size"],
        "input_options": {"seq_len": 100},
        "build": "lstm",
        "options": {},
        "summary": "long short-term memory with a forget gate",
    },
    "gru": {
        "family": "recurrent",
        "year": 2014,
        "paper": "Cho et al., arXiv:1406.1078",
        "input": ["seq_len", "input_size"],
        "input_options": {"seq_len": 100},
        "build": "gru",
        "options": {},
        "summary": "the gated recurrent unit, torch's variant",
    },
    "char-rnn": {
        "family": "char-rnn",
        "year": 2015,
        "paper": "Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks",
        "input": ["seq_len", "vocabulary"],
        "input_options": {"seq_len": 50},
        "build": "char_rnn",
        "options": {"cell": "lstm", "hidden": 128, "layers": 2},
        "summary": "2 LSTM layers of 128 over 65 characters, the code's defaults",
    },
    "char-rnn-512": {
        "family": "char-rnn",
        "year": 2015,
        "paper": "Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks",
        "input": ["seq_len", "vocabulary"],
        "input_options": {"seq_len": 50},
        "build": "char_rnn",
        "options": {"cell": "lstm", "hidden": 512, "layers": 3},
        "summary": "3 LSTM layers of 512 over 65 characters",
    },
    "char-rnn-vanilla": {
        "family": "char-rnn",
        "year": 2015,
        "paper": "Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks",
        "input": ["seq_len", "vocabulary"],
        "input_options": {"seq_len": 50},
        "build": "char_rnn",
        "options": {"cell": "rnn", "hidden": 128, "layers": 2},
        "summary": "2 plain recurrent layers of 128 over 65 characters",
    },
    "char-rnn-gru": {
        "family": "char-rnn",
        "year": 2015,
        "paper": "Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks",
        "input": ["seq_len", "vocabulary"],
        "input_options": {"seq_len": 50},
        "build": "char_rnn",
        "options": {"cell": "gru", "hidden": 128, "layers": 2},
        "summary": "2 GRU layers of 128 over 65 characters",
    },
}


def rnn(
    input_size: int = 64,
    hidden: int = 128,
    layers: int = 1,
    output_size: int = 10,
    nonlinearity: str = "tanh",
    unrolled: bool = False,
) -> Recurrent:
    """The lecture's network: (N, T, input_size) -> z (N, T, output_size).

    Args:
        input_size: elements of x_t.
        hidden: elements of h_t.
        layers: recurrences stacked on each other.
        output_size: elements of z_t; 0 for no readout, so that the output is h_t.
        nonlinearity: f, "tanh" or "relu".
        unrolled: run the cells step by step and not torch's fused layer.

    Raises:
        InvalidInput: there is no such nonlinearity.
    """
    if nonlinearity not in ("tanh", "relu"):
        raise InvalidInput(f"the nonlinearity is tanh or relu, not '{nonlinearity}'.")
    fused = nn.RNN(input_size, hidden, layers, nonlinearity=nonlinearity, batch_first=True)
    drop_input_biases(fused)
    model = Recurrent(fused, readout(hidden, output_size))
    return unroll(model) if unrolled else model


def lstm(
    input_size: int = 64,
    hidden: int = 128,
    layers: int = 1,
    output_size: int = 0,
    forget_bias: float = 0.0,
    unrolled: bool = False,
) -> Recurrent:
    """LSTM layers: (N, T, input_size) -> h (N, T, hidden), or z (N, T, output_size).

    Args:
        input_size: elements of x_t.
        hidden: elements of h_t and of c_t.
        layers: recurrences stacked on each other.
        output_size: elements of z_t; 0 for no readout, so that the output is h_t.
        forget_bias: the forget gate's first bias at the start; 0 leaves it random, as torch does.
        unrolled: run the cells step by step and not torch's fused layer.
    """
    fused = nn.LSTM(input_size, hidden, layers, batch_first=True)
    set_forget_bias(fused, forget_bias)
    model = Recurrent(fused, readout(hidden, output_size))
    return unroll(model) if unrolled else model


def gru(
    input_size: int = 64,
    hidden: int = 128,
    layers: int = 1,
    output_size: int = 0,
    unrolled: bool = False,
) -> Recurrent:
    """GRU layers: (N, T, input_size) -> h (N, T, hidden), or z (N, T, output_size).

    Args:
        input_size: elements of x_t.
        hidden: elements of h_t.
        layers: recurrences stacked on each other.
        output_size: elements of z_t; 0 for no readout, so that the output is h_t.
        unrolled: run the cells step by step and not torch's fused layer.
    """
    fused = nn.GRU(input_size, hidden, layers, batch_first=True)
    model = Recurrent(fused, readout(hidden, output_size))
    return unroll(model) if unrolled else model


def char_rnn(
    cell: str = "lstm",
    vocabulary: int = 65,
    hidden: int = 128,
    layers: int = 2,
    dropout: float = 0.0,
    forget_bias: float = 1.0,
    unrolled: bool = False,
) -> Recurrent:
    """Karpathy's char-rnn: one-hot (N, T, vocabulary) -> log-probabilities (N, T, vocabulary).

    Its plain cell has torch's two biases. Its GRU resets h before the product and torch's after it
    (see ``GRUCell``): the same parameters and products.

    Args:
        cell: "lstm", "gru" or "rnn".
        vocabulary: different characters; 65 in the tiny Shakespeare.
        hidden: elements of h_t.
        layers: recurrences stacked on each other.
        dropout: after each layer, in training.
        forget_bias: the LSTM's forget gate's first bias at the start.
        unrolled: run the cells step by step and not torch's fused layer.

    Raises:
        InvalidInput: there is no such cell.
    """
    if cell not in FUSED:
        raise InvalidInput(f"the cell of a char-rnn is {', '.join(FUSED)}, not '{cell}'.")
    between = dropout if layers > 1 else 0.0
    fused = FUSED[cell](vocabulary, hidden, layers, batch_first=True, dropout=between)
    decoder = nn.Sequential(nn.Linear(hidden, vocabulary), nn.LogSoftmax(dim=-1))
    if dropout > 0:
        decoder.insert(0, nn.Dropout(dropout))
    model = Recurrent(fused, decoder)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.08, 0.08)
    if isinstance(fused, nn.LSTM):
        set_forget_bias(fused, forget_bias)
    return unroll(model) if unrolled else model


class Recurrent(nn.Module):
    """Recurrent layers and a readout: (N, T, input) -> (N, T, output).

    Args:
        recurrence: torch's fused layer, or ``Unrolled``.
        readout: applied to h_t at every step; None for none.
    """

    def __init__(self, recurrence: nn.RNNBase | Unrolled, readout: nn.Module | None):
        super().__init__()
        self.recurrence = recurrence
        self.readout = readout

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.recurrence(x)  # (N, T, H)
        return h if self.readout is None else self.readout(h)  # (N, T, output)


def unroll(model: Recurrent) -> Recurrent:
    """The same model run step by step: its cells hold the very Parameters of ``model``."""
    if isinstance(model.recurrence, Unrolled):
        return model
    fused = model.recurrence
    cells = [cell_of(fused, layer) for layer in range(fused.num_layers)]
    return Recurrent(Unrolled(cells, fused.dropout), model.readout)


class Unrolled(nn.Module):
    """Cells stacked on each other, run through time one step after the other."""

    def __init__(self, cells: list[Cell], dropout: float = 0.0):
        super().__init__()
        self.cells = nn.ModuleList(cells)
        self.dropout = dropout

    def forward(self, x: Tensor) -> tuple[Tensor, list[State | None]]:
        states: list[State | None] = [None] * len(self.cells)  # None: all zeros
        outputs = []
        for x_t in x.unbind(dim=1):  # (N, input)
            for i, cell in enumerate(self.cells):
                if i > 0 and self.dropout > 0:
                    x_t = F.dropout(x_t, self.dropout, self.training)
                states[i] = state = cell(x_t, states[i])
                x_t = state[0]  # (N, H)
            outputs.append(x_t)
        return torch.stack(outputs, dim=1), states  # (N, T, H)


State = tuple[Tensor, ...]  # h (N, H), and an LSTM's c (N, H)


class Cell(nn.Module):
    """One step of one layer. Gates are stacked along the rows of W_in and W_rec.

    Args:
        W_in: from x_t, (input -> gates * H).
        W_rec: from h_{t-1}, (H -> gates * H).
    """

    parts = 1  # of the state

    def __init__(self, W_in: nn.Linear, W_rec: nn.Linear):
        super().__init__()
        self.W_in = W_in
        self.W_rec = W_rec

    def start(self, x: Tensor) -> State:
        return (x.new_zeros(x.shape[0], self.W_rec.in_features),) * self.parts


class RNNCell(Cell):
    """h_t = f(W_rec h_{t-1} + b_rec + W_in x_t)."""

    def __init__(self, W_in: nn.Linear, W_rec: nn.Linear, f: nn.Module):
        super().__init__(W_in, W_rec)
        self.f = f

    def forward(self, x: Tensor, state: State | None = None) -> State:
        (h,) = state or self.start(x)
        return (self.f(self.W_rec(h) + self.W_in(x)),)


class LSTMCell(Cell):
    """i, f, o = sigmoid(W x_t + b + U h_{t-1} + d), g = tanh(...); c_t = f c_{t-1} + i g;
    h_t = o tanh(c_t)."""

    parts = 2

    def forward(self, x: Tensor, state: State | None = None) -> State:
        h, c = state or self.start(x)
        i, f, g, o = (self.W_in(x) + self.W_rec(h)).chunk(4, dim=1)  # (N, H) each
        i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()
        c = f * c + i * g.tanh()
        return o * c.tanh(), c


class GRUCell(Cell):
    """r, z = sigmoid(W x_t + b + U h_{t-1} + d); n = tanh(W_n x_t + b_n + r (U_n h_{t-1} + d_n));
    h_t = (1 - z) n + z h_{t-1}.

    Cho et al. have U_n (r h_{t-1}), the reset before the product. torch and cuDNN reset after it,
    so that one product serves all gates. char-rnn resets before, and has 1 - z where this has z.
    """

    def forward(self, x: Tensor, state: State | None = None) -> State:
        (h,) = state or self.start(x)
        x_r, x_z, x_n = self.W_in(x).chunk(3, dim=1)  # (N, H) each
        h_r, h_z, h_n = self.W_rec(h).chunk(3, dim=1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        return (n + z * (h - n),)  # (1 - z) n + z h, with one product less


FUSED: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def cell_of(fused: nn.RNNBase, layer: int) -> Cell:
    """The cell of one layer, with that layer's own Parameters."""
    bias_in = getattr(fused, f"bias_ih_l{layer}")
    W_in = linear(
        getattr(fused, f"weight_ih_l{layer}"),
        bias_in if isinstance(bias_in, nn.Parameter) else None,
    )
    W_rec = linear(getattr(fused, f"weight_hh_l{layer}"), getattr(fused, f"bias_hh_l{layer}"))
    if isinstance(fused, nn.LSTM):
        return LSTMCell(W_in, W_rec)
    if isinstance(fused, nn.GRU):
        return GRUCell(W_in, W_rec)
    return RNNCell(W_in, W_rec, nn.ReLU(inplace=True) if fused.mode == "RNN_RELU" else nn.Tanh())


def linear(weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Linear:
    # On meta, so that no numbers are drawn for parameters that are replaced at once.
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = weight
    if bias is not None:
        layer.bias = bias
    return layer


def drop_input_biases(fused: nn.RNN) -> None:
    """Make each layer's first bias a constant zero, which leaves one bias in the equations.

    torch's fused kernels take two biases or none.
    """
    for layer in range(fused.num_layers):
        name = f"bias_ih_l{layer}"
        zero = torch.zeros_like(getattr(fused, name), requires_grad=False)
        delattr(fused, name)
        fused.register_buffer(name, None, persistent=False)
        # nn.RNN keeps a list of its weights besides, which it updates when one is assigned.
        setattr(fused, name, zero)


def set_forget_bias(fused: nn.LSTM, value: float) -> None:
    if value == 0:
        return
    H = fused.hidden_size
    with torch.no_grad():
        for layer in range(fused.num_layers):
            getattr(fused, f"bias_ih_l{layer}")[H : 2 * H].fill_(value)


def readout(hidden: int, output_size: int) -> nn.Linear | None:
    """W_out and b_out, which torch draws from the same distribution as the recurrent layers'."""
    return nn.Linear(hidden, output_size) if output_size > 0 else None
