"""Small modules whose multiply-accumulates have a closed form.

Each function below builds one case from the numbers in it and writes the count as a formula of
those numbers: never a literal, never a measurement. A MAC is one multiply and one add of a
convolution, linear layer, matrix product, attention or recurrent cell; bias adds, normalisation
and activations are none. The fan-in of a biased layer is 25 or more where its kind allows it, so
that a counter which adds one MAC per bias is off by less than 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence
from torch.utils._pytree import tree_map
from torch.utils.checkpoint import checkpoint

MOVABLE: tuple[Any, ...] = (Tensor, PackedSequence)


@dataclass(frozen=True)
class Case:
    """A module, the arguments of one call of it, and the MACs of that call."""

    module: nn.Module
    args: tuple[Any, ...]
    macs: int
    kwargs: dict[str, Any]

    def to(self, device: str) -> Case:
        """The same case with its parameters and inputs on another device."""

        def move(leaf: Any) -> Any:
            return leaf.to(device) if isinstance(leaf, MOVABLE) else leaf

        args, kwargs = tree_map(
            move, (self.args, self.kwargs), is_leaf=lambda leaf: isinstance(leaf, PackedSequence)
        )
        return Case(self.module.to(device), args, self.macs, kwargs)


CASES: dict[str, Callable[[], Case]] = {}


def build(name: str) -> Case:
    """Build a case by its name, the same at every call."""
    torch.manual_seed(0)
    return CASES[name]()


def case(name: str, *args: Any, **kwargs: Any) -> Callable[[Callable[..., Case]], Any]:
    """Register a builder, with these arguments, under a name."""

    def register(builder: Callable[..., Case]) -> Callable[..., Case]:
        assert name not in CASES, name
        CASES[name] = partial(builder, *args, **kwargs)
        return builder

    return register


def counted(macs: int, module: nn.Module, *args: Any, **kwargs: Any) -> Case:
    return Case(module, args, macs, kwargs)


class Apply(nn.Module):
    """A function of raw parameters, submodules and inputs: ``function(self, *inputs)``.

    The functions look torch's up when they are called, since some counters replace those.
    """

    def __init__(self, function: Callable[..., Any], **parts: nn.Module | Tensor) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(part) if isinstance(part, Tensor) else part)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


# Linear layers


def linear(between: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Case:
    batch, fan_in, fan_out = 2, 32, 40
    return counted(
        batch * math.prod(between) * fan_in * fan_out,
        nn.Linear(fan_in, fan_out, dtype=dtype),
        torch.randn(batch, *between, fan_in, dtype=dtype),
    )


case("linear, 2-D input", ())(linear)
case("linear, 3-D input", (5,))(linear)
case("linear, 4-D input", (5, 3))(linear)
case("linear, bfloat16", (5,), dtype=torch.bfloat16)(linear)
case("linear, float16", (5,), dtype=torch.float16)(linear)
case("linear, float64", (5,), dtype=torch.float64)(linear)


@case("linear, 1-D input")
def linear_of_a_vector() -> Case:
    fan_in, fan_out = 32, 40
    return counted(fan_in * fan_out, nn.Linear(fan_in, fan_out), torch.randn(fan_in))


@case("F.linear, raw parameter")
def functional_linear() -> Case:
    batch, tokens, fan_in, fan_out = 2, 5, 32, 40
    return counted(
        batch * tokens * fan_in * fan_out,
        Apply(lambda self, x: F.linear(x, self.weight), weight=torch.randn(fan_out, fan_in)),
        torch.randn(batch, tokens, fan_in),
    )


@case("bilinear")
def bilinear() -> Case:
    # For each output o: y_o = (x1 A_o) x2, a vector-matrix product and then a dot product.
    batch, fan_1, fan_2, fan_out = 3, 32, 40, 7
    return counted(
        batch * fan_out * (fan_1 * fan_2 + fan_2),
        nn.Bilinear(fan_1, fan_2, fan_out),
        torch.randn(batch, fan_1),
        torch.randn(batch, fan_2),
    )


# Convolutions: every output element is a dot product over the kernel and its group's channels,
# padding included.

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSE = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def conv_length(length: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Positions of the kernel along one axis (Dumoulin and Visin 2016, relationship 15)."""
    return (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def convolution(
    dims: int,
    c_in: int = 16,
    c_out: int = 24,
    kernel: int = 3,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Case:
    batch, length = 2, 11
    positions = conv_length(length, kernel, stride, padding, dilation) ** dims
    return counted(
        batch * c_out * positions * kernel**dims * (c_in // groups),
        CONV[dims](c_in, c_out, kernel, stride, padding, dilation, groups, bias=bias, dtype=dtype),
        torch.randn(batch, c_in, *[length] * dims, dtype=dtype),
    )


def transposed_convolution(
    dims: int,
    c_in: int = 32,
    c_out: int = 24,
    kernel: int = 3,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
) -> Case:
    # The kernel is laid down once for every input element, and what falls outside is cut off.
    batch, length = 2, 7
    return counted(
        batch * c_in * length**dims * kernel**dims * (c_out // groups),
        CONV_TRANSPOSE[dims](
            c_in, c_out, kernel, stride, padding, output_padding, groups, True, dilation
        ),
        torch.randn(batch, c_in, *[length] * dims),
    )


for dims in CONV:
    case(f"conv{dims}d", dims)(convolution)
    case(f"conv{dims}d, strided and padded", dims, stride=2, padding=1)(convolution)
    case(f"conv{dims}d, dilated", dims, dilation=2)(convolution)
    case(f"conv{dims}d, grouped", dims, groups=2, c_in=32)(convolution)
    case(f"conv{dims}d, depthwise", dims, c_out=32, groups=16, bias=False)(convolution)
    case(f"conv{dims}d, transposed", dims)(transposed_convolution)
    case(f"conv{dims}d, transposed, output padding", dims, stride=2, padding=1, output_padding=1)(
        transposed_convolution
    )
    case(f"conv{dims}d, transposed, grouped", dims, stride=2, groups=2)(transposed_convolution)
    case(f"conv{dims}d, transposed, dilated", dims, dilation=2)(transposed_convolution)

case("conv2d, pointwise", 2, kernel=1, c_in=32)(convolution)
case("conv2d, bfloat16", 2, dtype=torch.bfloat16)(convolution)
case("conv2d, float16", 2, dtype=torch.float16)(convolution)


@case("conv2d, padding='same'")
def convolution_same() -> Case:
    batch, c_in, c_out, height, width, kernel = 2, 16, 24, 9, 13, 4  # even: pads unevenly
    return counted(
        batch * c_out * height * width * kernel**2 * c_in,
        nn.Conv2d(c_in, c_out, kernel, padding="same"),
        torch.randn(batch, c_in, height, width),
    )


@case("conv2d, circular padding")
def convolution_circular() -> Case:
    batch, c_in, c_out, height, width, kernel = 2, 16, 24, 9, 13, 3
    return counted(
        batch * c_out * height * width * kernel**2 * c_in,
        nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, padding_mode="circular"),
        torch.randn(batch, c_in, height, width),
    )


@case("conv2d, rectangular kernel")
def convolution_rectangular() -> Case:
    batch, c_in, c_out, side, kernel = 2, 16, 24, 11, (1, 7)
    positions = (side - kernel[0] + 1) * (side - kernel[1] + 1)
    return counted(
        batch * c_out * positions * math.prod(kernel) * c_in,
        nn.Conv2d(c_in, c_out, kernel),
        torch.randn(batch, c_in, side, side),
    )


@case("conv2d, weight norm")
def convolution_weight_norm() -> Case:
    batch, c_in, c_out, side, kernel = 2, 16, 24, 11, 3
    return counted(
        batch * c_out * (side - kernel + 1) ** 2 * kernel**2 * c_in,
        nn.utils.parametrizations.weight_norm(nn.Conv2d(c_in, c_out, kernel)),
        torch.randn(batch, c_in, side, side),
    )


def functional_convolution(batch: tuple[int, ...]) -> Case:
    c_in, c_out, side, kernel = 16, 24, 11, 3
    return counted(
        math.prod(batch) * c_out * (side - kernel + 1) ** 2 * kernel**2 * c_in,
        Apply(
            lambda self, x: F.conv2d(x, self.weight),
            weight=torch.randn(c_out, c_in, kernel, kernel),
        ),
        torch.randn(*batch, c_in, side, side),
    )


case("F.conv2d, raw parameter", (2,))(functional_convolution)
case("F.conv2d, unbatched input", ())(functional_convolution)


@case("conv2d as unfold and matmul")
def im2col() -> Case:
    batch, c_in, c_out, side, kernel = 2, 16, 24, 11, 3
    return counted(
        batch * c_out * (side - kernel + 1) ** 2 * kernel**2 * c_in,
        Apply(
            lambda self, x: self.weight @ F.unfold(x, kernel),
            weight=torch.randn(c_out, c_in * kernel**2),
        ),
        torch.randn(batch, c_in, side, side),
    )


# Matrix products: m x k times k x n is m * k * n, once for every matrix of the broadcast batch.


def product(macs: int, name: str, *shapes: tuple[int, ...], **options: Any) -> Case:
    """torch's function of that name, on inputs of these shapes; it has no parameters."""
    module = Apply(lambda self, *inputs: getattr(torch, name)(*inputs, **options))
    return counted(macs, module, *[torch.randn(shape) for shape in shapes])


def matmul(
    left: tuple[int, ...], right: tuple[int, ...], vector: tuple[bool, bool] = (False, False)
) -> Case:
    m, k, n = 5, 32, 7
    rows = () if vector[0] else (m,)
    columns = () if vector[1] else (n,)
    batch = torch.broadcast_shapes(left, right)
    return product(
        math.prod(batch) * math.prod(rows) * k * math.prod(columns),
        "matmul",
        (*left, *rows, k),
        (*right, k, *columns),
    )


case("matmul, 1-D by 1-D", (), (), vector=(True, True))(matmul)
case("matmul, 1-D by 2-D", (), (), vector=(True, False))(matmul)
case("matmul, 2-D by 1-D", (), (), vector=(False, True))(matmul)
case("matmul, 2-D by 2-D", (), ())(matmul)
case("matmul, 3-D by 3-D", (3,), (3,))(matmul)
case("matmul, 3-D by 2-D", (3,), ())(matmul)
case("matmul, 2-D by 3-D", (), (3,))(matmul)
case("matmul, 4-D by 1-D", (3, 2), (), vector=(False, True))(matmul)
case("matmul, 4-D by 4-D", (3, 2), (3, 2))(matmul)
case("matmul, broadcast 4-D by 4-D", (3, 1), (1, 2))(matmul)
case("matmul, broadcast 4-D by 3-D", (3, 2), (2,))(matmul)


@case("mm")
def mm() -> Case:
    m, k, n = 5, 32, 7
    return product(m * k * n, "mm", (m, k), (k, n))


@case("mv")
def mv() -> Case:
    m, k = 5, 32
    return product(m * k, "mv", (m, k), (k,))


@case("dot")
def dot() -> Case:
    k = 32
    return product(k, "dot", (k,), (k,))


@case("bmm")
def bmm() -> Case:
    batch, m, k, n = 3, 5, 32, 7
    return product(batch * m * k * n, "bmm", (batch, m, k), (batch, k, n))


@case("addmm")
def addmm() -> Case:
    m, k, n = 5, 32, 7
    return product(m * k * n, "addmm", (n,), (m, k), (k, n))


@case("addmv")
def addmv() -> Case:
    m, k = 5, 32
    return product(m * k, "addmv", (m,), (m, k), (k,))


@case("baddbmm")
def baddbmm() -> Case:
    batch, m, k, n = 3, 5, 32, 7
    return product(batch * m * k * n, "baddbmm", (batch, m, n), (batch, m, k), (batch, k, n))


@case("addbmm")
def addbmm() -> Case:
    batch, m, k, n = 3, 5, 32, 7
    return product(batch * m * k * n, "addbmm", (m, n), (batch, m, k), (batch, k, n))


@case("tensordot")
def tensordot() -> Case:
    a, b, j, k = 3, 5, 4, 8
    return product(a * b * j * k, "tensordot", (a, j, k), (j, k, b), dims=2)


@case("einsum, attention scores")
def einsum_scores() -> Case:
    batch, heads, queries, keys, width = 2, 3, 5, 7, 32
    return counted(
        batch * heads * queries * keys * width,
        Apply(lambda self, query, key: torch.einsum("bhqd,bhkd->bhqk", query, key)),
        torch.randn(batch, heads, queries, width),
        torch.randn(batch, heads, keys, width),
    )


@case("einsum, tensor by matrix")
def einsum_contraction() -> Case:
    batch, tokens, heads, width, fan_out = 2, 5, 3, 16, 40
    return counted(
        batch * tokens * heads * width * fan_out,
        Apply(lambda self, x, weight: torch.einsum("bthd,hdo->bto", x, weight)),
        torch.randn(batch, tokens, heads, width),
        torch.randn(heads, width, fan_out),
    )


@case("complex matmul")
def complex_matmul() -> Case:
    # A complex multiply-add is four real ones: BLAS's cgemm is 8 mkn FLOPs.
    m, k, n = 5, 32, 7
    left, right = (torch.randn(shape, dtype=torch.complex64) for shape in ((m, k), (k, n)))
    return counted(4 * m * k * n, Apply(lambda self, a, b: a @ b), left, right)


# Attention: scores are queries x keys x width and values are queries x keys x value width, for
# every query head. A mask discards products; the dense count has them all.


def attention_macs(batch: int, heads: int, queries: int, keys: int, width: int, value: int) -> int:
    return batch * heads * queries * keys * (width + value)


def attention(
    function: Callable[..., Tensor],
    kv_heads: int = 8,
    value: int = 16,
    keys: int = 7,
    dtype: torch.dtype = torch.float32,
    mask: bool = False,
) -> Case:
    batch, heads, queries, width = 2, 8, 7, 16
    inputs = [
        torch.randn(batch, heads, queries, width, dtype=dtype),
        torch.randn(batch, kv_heads, keys, width, dtype=dtype),
        torch.randn(batch, kv_heads, keys, value, dtype=dtype),
    ]
    if mask:
        inputs.append(torch.ones(queries, keys, dtype=torch.bool).tril())
    return counted(
        attention_macs(batch, heads, queries, keys, width, value),
        Apply(lambda self, *inputs: function(*inputs)),
        *inputs,
    )


def sdpa(*inputs: Any, **options: Any) -> Tensor:
    return F.scaled_dot_product_attention(*inputs, **options)


def sdpa_with(backend: SDPBackend, *inputs: Tensor) -> Tensor:
    with sdpa_kernel(backend):
        return sdpa(*inputs)


def attention_by_hand(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value


case("attention by hand", attention_by_hand)(attention)
case("sdpa", sdpa)(attention)
case("sdpa, math kernel", partial(sdpa_with, SDPBackend.MATH))(attention)
case("sdpa, flash kernel", partial(sdpa_with, SDPBackend.FLASH_ATTENTION))(attention)
case("sdpa, causal", partial(sdpa, is_causal=True))(attention)
case("sdpa, mask", sdpa, mask=True)(attention)
case("sdpa, cross", sdpa, keys=11)(attention)
case("sdpa, wider values", sdpa, value=24)(attention)
case("sdpa, grouped-query", partial(sdpa, enable_gqa=True), kv_heads=2)(attention)
case("sdpa, bfloat16", sdpa, dtype=torch.bfloat16)(attention)
case("sdpa, dropout", partial(sdpa, dropout_p=0.1))(attention)


def projected_attention_macs(
    batch: int, queries: int, keys: int, width: int, key_width: int, value_width: int
) -> int:
    """Query, key, value and output projections (Vaswani et al. 2017, 3.2.2) and the attention.

    The heads share the width, so that their number cancels out.
    """
    query_and_output = 2 * batch * queries * width * width
    key_and_value = batch * keys * (key_width + value_width) * width
    attention = attention_macs(batch, 1, queries, keys, width, width)
    return query_and_output + key_and_value + attention


def self_attention(need_weights: bool, batch_first: bool = True) -> Case:
    batch, tokens, width, heads = 2, 7, 32, 4
    shape = (batch, tokens, width) if batch_first else (tokens, batch, width)
    return counted(
        projected_attention_macs(batch, tokens, tokens, width, width, width),
        Apply(
            lambda self, x: self.attention(x, x, x, need_weights=need_weights)[0],
            attention=nn.MultiheadAttention(width, heads, batch_first=batch_first),
        ),
        torch.randn(shape),
    )


case("MultiheadAttention", need_weights=False)(self_attention)
case("MultiheadAttention, need_weights", need_weights=True)(self_attention)
case("MultiheadAttention, sequence first", need_weights=False, batch_first=False)(self_attention)


@case("MultiheadAttention, cross, own key and value widths")
def cross_attention() -> Case:
    batch, queries, keys, width, key_width, value_width, heads = 2, 7, 11, 32, 40, 48, 4
    return counted(
        projected_attention_macs(batch, queries, keys, width, key_width, value_width),
        nn.MultiheadAttention(width, heads, kdim=key_width, vdim=value_width, batch_first=True),
        torch.randn(batch, queries, width),
        torch.randn(batch, keys, key_width),
        torch.randn(batch, keys, value_width),
    )


@case("MultiheadAttention, keyword arguments")
def attention_by_keyword() -> Case:
    batch, queries, keys, width, heads = 2, 7, 11, 32, 4
    memory = torch.randn(batch, keys, width)
    return counted(
        projected_attention_macs(batch, queries, keys, width, width, width),
        nn.MultiheadAttention(width, heads, batch_first=True),
        torch.randn(batch, queries, width),
        key=memory,
        value=memory,
        need_weights=False,
    )


def encoder_layer_macs(batch: int, tokens: int, width: int, hidden: int) -> int:
    """Self-attention and the two linear layers behind it (Vaswani et al. 2017, 3.1)."""
    attention = projected_attention_macs(batch, tokens, tokens, width, width, width)
    return attention + 2 * batch * tokens * width * hidden


def encoder_layer(
    activation: Callable[[Tensor], Tensor] = F.relu, norm_first: bool = False
) -> Case:
    batch, tokens, width, heads, hidden = 2, 7, 32, 4, 64
    return counted(
        encoder_layer_macs(batch, tokens, width, hidden),
        nn.TransformerEncoderLayer(
            width, heads, hidden, activation=activation, batch_first=True, norm_first=norm_first
        ),
        torch.randn(batch, tokens, width),
    )


# In eval mode without gradients torch takes a fused path, but only for ReLU and GELU.
case("TransformerEncoderLayer, fast path")(encoder_layer)
case("TransformerEncoderLayer, slow path", activation=F.silu)(encoder_layer)
case("TransformerEncoderLayer, norm first", norm_first=True)(encoder_layer)


@case("TransformerEncoder, 3 layers")
def encoder() -> Case:
    batch, tokens, width, heads, hidden, depth = 2, 7, 32, 4, 64, 3
    layer = nn.TransformerEncoderLayer(width, heads, hidden, batch_first=True)
    return counted(
        depth * encoder_layer_macs(batch, tokens, width, hidden),
        nn.TransformerEncoder(layer, depth),
        torch.randn(batch, tokens, width),
    )


@case("TransformerDecoderLayer")
def decoder_layer() -> Case:
    batch, tokens, memory, width, heads, hidden = 2, 7, 11, 32, 4, 64
    cross = projected_attention_macs(batch, tokens, memory, width, width, width)
    return counted(
        encoder_layer_macs(batch, tokens, width, hidden) + cross,
        nn.TransformerDecoderLayer(width, heads, hidden, batch_first=True),
        torch.randn(batch, tokens, width),
        torch.randn(batch, memory, width),
    )


# Recurrent layers: each gate of a step is a product with the input and one with the last output,
# which at the first step is zero and multiplied all the same.

GATES: dict[Any, int] = {
    nn.LSTM: 4,
    nn.GRU: 3,
    nn.RNN: 1,
    nn.LSTMCell: 4,
    nn.GRUCell: 3,
    nn.RNNCell: 1,
}


def recurrent_step_macs(
    gates: int, inputs: int, hidden: int, layers: int = 1, directions: int = 1, projected: int = 0
) -> int:
    """MACs of one step of one sequence; a projection (Sak et al. 2014) maps hidden to projected."""
    output = projected or hidden
    step = 0
    for layer in range(layers):
        fan_in = inputs if layer == 0 else directions * output
        step += directions * (gates * hidden * (fan_in + output) + hidden * projected)
    return step


def recurrent(
    layer: Callable[..., nn.RNNBase],
    layers: int = 1,
    bidirectional: bool = False,
    projected: int = 0,
    batch_first: bool = False,
    batched: bool = True,
    dtype: torch.dtype = torch.float32,
    **options: Any,
) -> Case:
    batch, steps, inputs, hidden = 3 if batched else 1, 5, 40, 32
    shape = (batch, steps, inputs) if batch_first else (steps, batch, inputs)
    step = recurrent_step_macs(GATES[layer], inputs, hidden, layers, 1 + bidirectional, projected)
    if projected:
        options["proj_size"] = projected
    module = layer(
        inputs,
        hidden,
        layers,
        batch_first=batch_first,
        bidirectional=bidirectional,
        dtype=dtype,
        **options,
    )
    sequence = torch.randn(shape, dtype=dtype)
    return counted(batch * steps * step, module, sequence if batched else sequence[:, 0])


for layer in (nn.LSTM, nn.GRU, nn.RNN):
    name = layer.__name__
    case(name, layer)(recurrent)
    case(f"{name}, 3 layers", layer, layers=3)(recurrent)
    case(f"{name}, bidirectional", layer, bidirectional=True)(recurrent)
    case(f"{name}, 2 layers, bidirectional", layer, layers=2, bidirectional=True)(recurrent)
    case(f"{name}, batch first", layer, batch_first=True)(recurrent)
    case(f"{name}, no bias", layer, bias=False)(recurrent)
    case(f"{name}, unbatched", layer, batched=False)(recurrent)
    case(f"{name}, dropout", layer, layers=2, dropout=0.5)(recurrent)
    case(f"{name}, bfloat16", layer, dtype=torch.bfloat16)(recurrent)

case("RNN, relu", nn.RNN, nonlinearity="relu")(recurrent)
case("LSTM, projection", nn.LSTM, projected=24)(recurrent)
case("LSTM, projection, 2 layers, bidirectional", nn.LSTM, 2, True, projected=24)(recurrent)


@case("LSTM, initial state")
def recurrent_with_state() -> Case:
    batch, steps, inputs, hidden = 3, 5, 40, 32
    state = torch.randn(1, batch, hidden), torch.randn(1, batch, hidden)
    return counted(
        batch * steps * recurrent_step_macs(GATES[nn.LSTM], inputs, hidden),
        nn.LSTM(inputs, hidden),
        torch.randn(steps, batch, inputs),
        state,
    )


def packed_recurrent(
    layer: Callable[..., nn.RNNBase],
    layers: int = 1,
    bidirectional: bool = False,
    projected: int = 0,
) -> Case:
    # Padding is never computed: what counts is the sum of the sequences' own lengths.
    lengths, inputs, hidden = (7, 4, 2), 40, 32
    options = {"proj_size": projected} if projected else {}
    step = recurrent_step_macs(GATES[layer], inputs, hidden, layers, 1 + bidirectional, projected)
    return counted(
        sum(lengths) * step,
        layer(inputs, hidden, layers, bidirectional=bidirectional, **options),
        pack_sequence([torch.randn(length, inputs) for length in lengths]),
    )


case("LSTM, packed sequence", nn.LSTM)(packed_recurrent)
case("LSTM, packed sequence, 2 layers, bidirectional", nn.LSTM, 2, True)(packed_recurrent)
case("LSTM, packed sequence, projection", nn.LSTM, projected=24)(packed_recurrent)
case("GRU, packed sequence", nn.GRU)(packed_recurrent)
case("RNN, packed sequence", nn.RNN)(packed_recurrent)


@case("LSTM, packed inside the model")
def packing_recurrent() -> Case:
    lengths, inputs, hidden = (7, 4, 2), 40, 32

    def pack_and_run(self: Any, padded: Tensor) -> Tensor:
        packed = pack_padded_sequence(padded, torch.tensor(lengths, device="cpu"))
        return self.lstm(packed)[0].data

    return counted(
        sum(lengths) * recurrent_step_macs(GATES[nn.LSTM], inputs, hidden),
        Apply(pack_and_run, lstm=nn.LSTM(inputs, hidden)),
        torch.randn(max(lengths), len(lengths), inputs),
    )


def cell_loop(cell: Callable[..., nn.RNNCellBase]) -> Case:
    batch, steps, inputs, hidden = 3, 5, 40, 32

    def unroll(self: Any, sequence: Tensor) -> Any:
        state: Any = None
        for x in sequence:
            state = self.cell(x, state)
        return state[0] if isinstance(state, tuple) else state

    return counted(
        batch * steps * recurrent_step_macs(GATES[cell], inputs, hidden),
        Apply(unroll, cell=cell(inputs, hidden)),
        torch.randn(steps, batch, inputs),
    )


case("LSTMCell, loop", nn.LSTMCell)(cell_loop)
case("GRUCell, loop", nn.GRUCell)(cell_loop)
case("RNNCell, loop", nn.RNNCell)(cell_loop)


# Modules that are shared, repeated, unused, looked up, compiled or recomputed


@case("tied embedding and output")
def tied() -> Case:
    batch, tokens, width, vocabulary = 2, 5, 32, 50
    embedding = nn.Embedding(vocabulary, width)
    middle = nn.Linear(width, width)
    output = nn.Linear(width, vocabulary, bias=False)
    output.weight = embedding.weight
    return counted(
        batch * tokens * (width * width + width * vocabulary),
        nn.Sequential(embedding, middle, output),
        torch.randint(vocabulary, (batch, tokens)),
    )


@case("one module called ten times")
def repeated() -> Case:
    batch, width, times = 2, 32, 10

    def repeat(self: Any, x: Tensor) -> Tensor:
        for _ in range(times):
            x = self.linear(x)
        return x

    return counted(
        times * batch * width * width,
        Apply(repeat, linear=nn.Linear(width, width)),
        torch.randn(batch, width),
    )


@case("one module in two parents")
def shared() -> Case:
    batch, width, hidden, parents = 2, 32, 48, 2
    middle = nn.Linear(hidden, hidden)
    blocks = [
        nn.Sequential(nn.Linear(width, hidden), middle, nn.ReLU(), nn.Linear(hidden, width))
        for _ in range(parents)
    ]
    return counted(
        parents * batch * (width * hidden + hidden * hidden + hidden * width),
        nn.Sequential(*blocks),
        torch.randn(batch, width),
    )


@case("an unused module")
def unused() -> Case:
    batch, fan_in, fan_out = 2, 32, 40
    return counted(
        batch * fan_in * fan_out,
        Apply(
            lambda self, x: self.used(x),
            used=nn.Linear(fan_in, fan_out),
            unused=nn.Linear(fan_in, fan_out),
        ),
        torch.randn(batch, fan_in),
    )


@case("forward called without its hooks")
def unhooked() -> Case:
    batch, fan_in, fan_out = 2, 32, 40
    return counted(
        batch * fan_in * fan_out,
        Apply(lambda self, x: self.linear.forward(x), linear=nn.Linear(fan_in, fan_out)),
        torch.randn(batch, fan_in),
    )


class OwnLinear(nn.Linear):
    """A user's layer, of a class that no counter knows by name."""


@case("a subclass of Linear")
def subclass() -> Case:
    batch, fan_in, fan_out = 2, 32, 40
    return counted(batch * fan_in * fan_out, OwnLinear(fan_in, fan_out), torch.randn(batch, fan_in))


@case("embedding, then linear")
def embedding() -> Case:
    # A look-up moves data and multiplies nothing.
    batch, tokens, vocabulary, width, fan_out = 2, 5, 50, 32, 40
    return counted(
        batch * tokens * width * fan_out,
        nn.Sequential(nn.Embedding(vocabulary, width), nn.Linear(width, fan_out)),
        torch.randint(vocabulary, (batch, tokens)),
    )


@case("embedding bag, then linear")
def embedding_bag() -> Case:
    bags, tokens, vocabulary, width, fan_out = 3, 5, 50, 32, 40
    return counted(
        bags * width * fan_out,
        nn.Sequential(nn.EmbeddingBag(vocabulary, width, mode="sum"), nn.Linear(width, fan_out)),
        torch.randint(vocabulary, (bags, tokens)),
    )


def perceptron(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))


def eagerly_compiled(module: nn.Module) -> nn.Module:
    compiled: Any = torch.compile(module, backend="eager")
    return compiled


@case("torch.compile, whole module")
def compiled() -> Case:
    batch, width, hidden = 2, 32, 48
    return counted(
        batch * 2 * width * hidden,
        eagerly_compiled(perceptron(width, hidden)),
        torch.randn(batch, width),
    )


@case("torch.compile, inner module")
def compiled_inside() -> Case:
    batch, width, hidden, fan_out = 2, 32, 48, 40
    return counted(
        batch * (2 * width * hidden + width * fan_out),
        nn.Sequential(eagerly_compiled(perceptron(width, hidden)), nn.Linear(width, fan_out)),
        torch.randn(batch, width),
    )


def checkpointed(use_reentrant: bool) -> Case:
    # The block is computed again in the backward pass only, which is no part of the call.
    batch, width, hidden = 2, 32, 48
    return counted(
        batch * 2 * width * hidden,
        Apply(
            lambda self, x: checkpoint(self.block, x, use_reentrant=use_reentrant),
            block=perceptron(width, hidden),
        ),
        torch.randn(batch, width, requires_grad=True),
    )


case("checkpointed block", use_reentrant=False)(checkpointed)
case("checkpointed block, reentrant", use_reentrant=True)(checkpointed)


@case("autocast to bfloat16")
def autocast() -> Case:
    batch, width, hidden = 2, 32, 48

    def run(self: Any, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.block(x)

    return counted(
        batch * 2 * width * hidden,
        Apply(run, block=perceptron(width, hidden)),
        torch.randn(batch, width),
    )
