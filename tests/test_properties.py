"""Random small networks: the count is the sum of closed forms, and scales as it must."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import archscope

quick = settings(deadline=None, max_examples=40)


@st.composite
def convolutional(draw):
    """A chain of convolutions, activations, norms and pools, with its true MACs and parameters."""
    batch, channels, size = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 6)),
        draw(st.integers(9, 16)),
    )
    shape = (batch, channels, size, size)
    layers, macs, params = [], 0, 0
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["conv", "depthwise", "transposed", "norm", "relu", "pool"]))
        if kind in ("conv", "depthwise"):
            groups = channels if kind == "depthwise" else 1
            out = channels * draw(st.integers(1, 2)) if groups > 1 else draw(st.integers(1, 8))
            kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
            bias = draw(st.booleans())
            layers.append(
                nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=bias)
            )
            size = (size + 2 * (kernel // 2) - kernel) // stride + 1
            weights = out * (channels // groups) * kernel**2
            macs += batch * size * size * weights
            params += weights + out * bias
            channels = out
        elif kind == "transposed":
            out = draw(st.integers(1, 4))
            layers.append(nn.ConvTranspose2d(channels, out, 2, 2, bias=False))
            macs += batch * size * size * channels * out * 4
            params += channels * out * 4
            channels, size = out, 2 * size
        elif kind == "norm":
            layers.append(nn.BatchNorm2d(channels))
            params += 2 * channels
        elif kind == "relu":
            layers.append(nn.ReLU(inplace=draw(st.booleans()) and bool(layers)))
        elif size >= 4:
            layers.append(nn.MaxPool2d(2))
            size //= 2
    layers += [nn.Flatten(), nn.Linear(channels * size * size, 5)]
    macs += batch * channels * size * size * 5
    params += channels * size * size * 5 + 5
    return nn.Sequential(*layers), shape, macs, params


@given(convolutional())
@quick
def test_a_random_network_costs_the_sum_of_its_closed_forms(network):
    model, shape, macs, params = network
    report = archscope.analyze(model.eval(), inputs=shape)
    assert (report.totals["macs"], report.totals["params"]) == (macs, params)
    assert report.totals["coverage"] == 1
    for column in ("macs", "flops", "params", "activations"):
        assert sum(row[column] for row in report.rows) == report.totals[column]


@given(convolutional())
@quick
def test_twice_the_batch_is_twice_the_work(network):
    model, shape, macs, _ = network
    twice = (2 * shape[0], *shape[1:])
    assert archscope.analyze(model.eval(), inputs=twice).totals["macs"] == 2 * macs


@given(convolutional())
@quick
def test_the_trace_and_the_run_agree_on_shapes(network):
    model, shape, _, _ = network
    traced = archscope.trace(model.eval(), shape)
    assert traced.calls[0].output_shapes[0] == tuple(model(torch.zeros(shape)).shape)


@given(
    st.sampled_from(["LSTM", "GRU", "RNN"]),
    *(st.integers(1, 5) for _ in range(5)),
    st.booleans(),
    st.booleans(),
)
@quick
def test_a_recurrent_layer_is_a_loop_of_cells(
    kind, steps, batch, inputs, hidden, layers, bias, bidirectional
):
    layer = getattr(nn, kind)(inputs, hidden, layers, bias=bias, bidirectional=bidirectional)
    report = archscope.analyze(layer, inputs=(steps, batch, inputs))
    macs = flops = 0
    for level in range(layers):
        width = inputs if level == 0 else hidden * (1 + bidirectional)
        cell = getattr(nn, f"{kind}Cell")(width, hidden, bias=bias)
        once = archscope.analyze(cell, inputs=(batch, width))
        macs += (1 + bidirectional) * steps * once.totals["macs"]
        flops += (1 + bidirectional) * steps * once.totals["flops"]
    assert (report.totals["macs"], report.totals["flops"]) == (macs, flops)
