"""The count is a property of the network, not of the device, the mode or the kernel."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archscope


def macs(module, *inputs, **options):
    return archscope.analyze(module, inputs=inputs, **options).totals["macs"]


def flops(module, *inputs, **options):
    return archscope.analyze(module, inputs=inputs, **options).totals["flops"]


class Functional(nn.Module):
    """A function as a module."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *args):
        return self.function(self, *args)


def test_a_linear_layer_is_a_1x1_convolution():
    x = (2, 16, 5, 7)
    convolution = nn.Conv2d(16, 24, 1)
    linear = Functional(lambda m, x: m.fc(x.permute(0, 2, 3, 1)), fc=nn.Linear(16, 24))
    assert macs(convolution, x) == macs(linear, x) == 2 * 5 * 7 * 16 * 24
    assert flops(convolution, x) == flops(linear, x) == (2 * 16 + 1) * 2 * 5 * 7 * 24


def test_a_grouped_convolution_is_a_concatenation_of_convolutions():
    x = (1, 12, 9, 9)
    whole = nn.Conv2d(12, 24, 3, groups=3)
    parts = Functional(
        lambda m, x: torch.cat([m.a(x[:, :4]), m.b(x[:, 4:8]), m.c(x[:, 8:])], 1),
        **{name: nn.Conv2d(4, 8, 3) for name in "abc"},
    )
    assert macs(whole, x) == macs(parts, x) == 7 * 7 * 24 * 4 * 9


def attention_written_out(_, q, k, v):
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    return scores.softmax(-1) @ v


def attention_fused(_, q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


def test_fused_attention_is_unfused_attention():
    q, k, v = (2, 4, 10, 16), (2, 4, 12, 16), (2, 4, 12, 8)
    fused, written = Functional(attention_fused), Functional(attention_written_out)
    assert macs(fused, q, k, v) == macs(written, q, k, v) == 2 * 4 * 10 * 12 * (16 + 8)
    assert flops(fused, q, k, v) == flops(written, q, k, v)


@pytest.mark.parametrize("backend", ["MATH", "FLASH_ATTENTION"])
def test_attention_costs_the_same_whichever_kernel_is_asked_for(backend):
    from torch.nn.attention import SDPBackend, sdpa_kernel

    x = torch.randn(1, 2, 6, 8)
    with sdpa_kernel(getattr(SDPBackend, backend)):
        assert macs(Functional(attention_fused), x, x, x) == 2 * 6 * 6 * 8 * 2


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_recurrent_layer_costs_what_its_unrolled_cells_cost(cell, bias):
    steps, batch, inputs, hidden = 7, 3, 5, 6
    layer = getattr(nn, cell)(inputs, hidden, bias=bias)
    one = getattr(nn, f"{cell}Cell")(inputs, hidden, bias=bias)

    def loop(module, x):
        state = None
        for step in x:
            state = module.cell(step, state)
        return state

    unrolled = Functional(loop, cell=one)
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[cell]
    x = (steps, batch, inputs)
    assert macs(layer, x) == macs(unrolled, x) == steps * batch * gates * hidden * (inputs + hidden)
    assert flops(layer, x) == flops(unrolled, x)


def test_an_lstm_written_by_hand_costs_what_the_layer_costs():
    hidden, inputs = 6, 5

    def loop(module, x):
        h = c = x.new_zeros(x.shape[1], hidden)
        for step in x:
            i, f, g, o = (module.w_in(step) + module.w_rec(h)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return h

    by_hand = Functional(
        loop, w_in=nn.Linear(inputs, 4 * hidden), w_rec=nn.Linear(hidden, 4 * hidden)
    )
    x = (7, 3, inputs)
    assert macs(by_hand, x) == macs(nn.LSTM(inputs, hidden), x)
    assert flops(by_hand, x) == flops(nn.LSTM(inputs, hidden), x)


def test_recurrent_cost_is_linear_in_the_sequence_and_its_record_is_not():
    layer = nn.LSTM(8, 16, num_layers=2, bidirectional=True, proj_size=4)
    short = archscope.analyze(layer, inputs=(10, 2, 8))
    long = archscope.analyze(layer, inputs=(10_000, 2, 8))
    assert long.totals["macs"] == 1000 * short.totals["macs"]
    assert len(long.trace.ops) == len(short.trace.ops)


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10)
    )


def test_the_count_does_not_depend_on_device_grad_mode_or_training():
    on_cpu, on_meta = network(), network().to("meta")
    x = torch.randn(2, 3, 8, 8)
    counts = set()
    for module in (on_cpu, on_meta):
        for train in (True, False):
            for grad in (True, False):
                for mode in (None, "inference", "training") if grad else (None, "inference"):
                    module.train(train)
                    with torch.set_grad_enabled(grad):
                        report = archscope.analyze(module, inputs=(x,), mode=mode)
                        counts.add((report.totals["macs"], report.totals["flops"]))
    assert len(counts) == 1


def test_inference_mode_around_the_analysis_changes_nothing():
    layers = nn.Sequential(nn.Linear(8, 8), nn.LSTM(8, 4))
    attention = nn.MultiheadAttention(8, 2)
    x = torch.randn(5, 2, 8)
    outside = macs(layers, x), macs(attention, x, x, x)
    with torch.inference_mode():
        assert (macs(layers, x), macs(attention, x, x, x)) == outside


def test_an_encoder_layer_has_one_count_on_its_fast_and_its_slow_path():
    layer = nn.TransformerEncoderLayer(16, 4, dim_feedforward=32, batch_first=True)
    x = torch.randn(2, 6, 16)
    slow = macs(layer.train(), x)
    with torch.no_grad():
        fast = macs(layer.eval(), x)
    tokens = 2 * 6
    assert slow == fast == tokens * (4 * 16 * 16 + 2 * 16 * 32 + 2 * 6 * 16)


def test_a_compiled_module_costs_what_the_module_costs():
    module = network()
    x = torch.randn(2, 3, 8, 8)
    assert macs(torch.compile(module, backend="eager"), x) == macs(module, x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_changes_bytes_and_not_operations(dtype):
    single, other = nn.Linear(8, 4), nn.Linear(8, 4).to(dtype)
    x = torch.zeros(3, 8)
    assert macs(single, x) == macs(other, x.to(dtype))
    assert (
        archscope.analyze(other, inputs=(x.to(dtype),)).totals["weight_bytes"]
        == 36 * dtype.itemsize
    )


def test_a_complex_product_is_four_real_ones():
    product = Functional(lambda _, a, b: a @ b)
    a, b = torch.zeros(3, 4, dtype=torch.complex64), torch.zeros(4, 5, dtype=torch.complex64)
    assert macs(product, a, b) == 4 * 3 * 4 * 5
    assert flops(product, a, b) == 8 * 3 * 4 * 5


@pytest.mark.parametrize("device", ["cuda", "cpu"])
@pytest.mark.parametrize("on_data", [False, True])
def test_dropout_is_no_arithmetic_on_any_device(device, on_data):
    class Dropped(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.drop = nn.Linear(4, 4), nn.Dropout(0.5)

        def forward(self, x):
            y = self.drop(self.layer(x))
            return y * 1 if not on_data or y.sum().item() > -1e9 else x

    trace = archscope.trace(Dropped(), (torch.randn(3, 4),), "training", device=device)
    assert trace.ran_on == ("data" if on_data else "shapes")
    reading = 3 * 4 if on_data else 0  # the sum that decides
    assert trace.flops == 3 * 4 * (2 * 4 + 1) + 3 * 4 + reading


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    "kind", ["Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"]
)
def test_every_kind_of_dropout_counts_nothing(kind, inplace):
    drop = getattr(nn, kind)(0.5, inplace=inplace)
    x = torch.randn(3, 4, 5) if kind != "Dropout2d" else torch.randn(3, 4, 5, 6)
    layers = nn.Sequential(nn.ReLU(), drop)
    for mode in ("inference", None):
        assert archscope.trace(layers.train(), (x,), mode).flops == x.numel()
    step = archscope.trace(layers, (x.requires_grad_(),), "training")
    assert step.flops == x.numel()


class DropPath(nn.Module):
    """Stochastic depth, as torchvision and timm write it."""

    def __init__(self, kept):
        super().__init__()
        self.layer, self.kept = nn.Linear(4, 4), kept

    def forward(self, x):
        y = self.layer(x)
        if self.training:
            noise = torch.empty((x.shape[0], 1)).to(x).bernoulli_(self.kept).div_(self.kept)
            y = y * noise if self.kept < 0.9 else y.mul_(noise.expand_as(y))
        return x + y * 2


@pytest.mark.parametrize("kept", [0.5, 0.95])
@pytest.mark.parametrize("on_data", [False, True])
def test_stochastic_depth_counts_nothing(kept, on_data):
    block = DropPath(kept)
    if on_data:
        block.register_forward_pre_hook(lambda _, args: args[0].sum().item() and None)
    x = torch.randn(3, 4)
    counts = {archscope.trace(block.train(), (x,), mode).flops for mode in ("inference", None)}
    reading = x.numel() if on_data else 0
    assert counts == {3 * 4 * (2 * 4 + 1) + 2 * 3 * 4 + reading}
    assert archscope.trace(block, (x,), "training").flops in counts


def test_a_sample_of_the_networks_own_probabilities_is_arithmetic():
    sampled = Functional(lambda _, x: x.sigmoid().bernoulli() * x)
    assert flops(sampled, (3, 4)) == 2 * 12


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("lead", [(2,), (2, 1), (2, 1, 1)], ids=["3-D", "4-D", "5-D"])
def test_attention_is_one_layer_whether_or_not_a_kernel_takes_it(lead, mode):
    model = Functional(
        lambda m, x: attention_fused(m, *m.qkv(x).chunk(3, -1)), qkv=nn.Linear(8, 24)
    )
    report = archscope.analyze(model, inputs=((*lead, 16, 8),), mode=mode)
    rows = report.layers.set_index("path")["activations"].to_dict()
    assert rows == {"input": 256, "qkv": 768, "scaled_dot_product_attention": 256}
    assert report.totals["macs"] == 32 * 8 * 24 + 2 * 2 * 16 * 16 * 8
    attended = report.trace.forward[-1]
    assert attended.name == "scaled_dot_product_attention"
    assert attended.bytes_read == 3 * 4 * 256 and attended.bytes_written >= 4 * 256
    steps = [op for op in report.trace.forward if op.within >= 0]
    assert bool(steps) == (len(lead) != 2)
    assert {op.within for op in steps} <= {attended.index}
    assert not any(op.macs or op.flops or op.bytes_read or op.bytes_written for op in steps)


def test_what_only_autograd_keeps_is_no_activation():
    model = Functional(lambda m, x: F.max_pool2d(m.conv(x), 2), conv=nn.Conv2d(3, 3, 1))
    found = [
        archscope.analyze(model, inputs=((1, 3, 8, 8),), mode=mode).totals["activations"]
        for mode in ("inference", "training")
    ]
    assert found == [192 + 192 + 48] * 2
