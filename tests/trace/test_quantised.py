"""Quantised weights: products as in float, logical parameters, the bytes that are really there."""

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import archscope

ao = torch.ao.quantization
PARAMS = 16 * 32 + 32 + 32 * 8 + 8
MACS = 2 * (16 * 32 + 32 * 8)  # of two samples
WEIGHTS = 16 * 32 + 32 * 8


class Halved(torch.Tensor):
    """A wrapper subclass such as torchao's: it shows float32, and holds integers and a scale."""

    @staticmethod
    def __new__(cls, values, scale):
        return torch.Tensor._make_wrapper_subclass(cls, values.shape, dtype=torch.float32)

    def __init__(self, values, scale):
        self.values, self.scale = values, scale

    def __tensor_flatten__(self):
        return ["values", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, held, context, size, stride):
        return cls(held["values"], held["scale"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.detach.default:
            return cls(args[0].values, args[0].scale)
        plain = pytree.tree_map_only(
            cls, lambda x: x.values.float() * x.scale, (args, kwargs or {})
        )
        return func(*plain[0], **plain[1])


def network():
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)).eval()


def totals(model, shape=(2, 16)):
    return archscope.analyze(model, (torch.zeros(shape),), mode="inference").totals


def test_a_wrapper_subclass_counts_as_the_tensor_that_it_shows():
    model = network()
    for layer in (model[0], model[2]):
        held = torch.ones(layer.weight.shape, dtype=torch.int8), torch.ones(())
        layer.weight = nn.Parameter(Halved(*held), requires_grad=False)
    found = totals(model)
    assert (found.params, found.macs, found.depth, found.coverage) == (PARAMS, MACS, 2, 1)
    assert found.weight_bytes == WEIGHTS + 2 * 4 + 4 * (32 + 8)


@pytest.mark.parametrize(("dtype", "itemsize"), [(torch.qint8, 1), (torch.float16, 2)])
def test_dynamically_quantised_layers_have_the_weights_that_they_pack(dtype, itemsize):
    found = totals(ao.quantize_dynamic(network(), {nn.Linear}, dtype=dtype))
    assert (found.params, found.macs, found.depth, found.coverage) == (PARAMS, MACS, 2, 1)
    assert found.weight_bytes == itemsize * WEIGHTS + 4 * (32 + 8)
    assert found.peak_bytes > found.weight_bytes


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_dynamically_quantised_recurrent_layer_costs_what_the_float_one_does(kind):
    model = nn.Sequential(kind(16, 8, num_layers=2, bidirectional=True))
    quantised = ao.quantize_dynamic(model, {kind}, dtype=torch.qint8)
    before, after = totals(model, (5, 2, 16)), totals(quantised, (5, 2, 16))
    assert (after.params, after.macs, after.coverage) == (before.params, before.macs, 1)
    assert (after.depth, after.paths) == (before.depth, before.paths)
    assert after.weight_bytes < before.weight_bytes / 2


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_quantised_recurrent_layer_steps_through_packed_sequences(kind):
    class Packing(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = kind(16, 8)

        def forward(self, x):
            lengths = torch.tensor([5, 3])
            return self.rnn(nn.utils.rnn.pack_padded_sequence(x, lengths))[0].data

    model = Packing()
    quantised = ao.quantize_dynamic(model, {kind}, dtype=torch.qint8)
    before, after = totals(model, (5, 2, 16)), totals(quantised, (5, 2, 16))
    assert (after.macs, after.depth, after.paths) == (before.macs, before.depth, before.paths)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_dynamically_quantised_cell_costs_what_the_float_one_does(kind):
    model = nn.Sequential(kind(16, 8))
    quantised = ao.quantize_dynamic(model, {kind}, dtype=torch.qint8)
    before, after = totals(model), totals(quantised)
    assert (after.macs, after.depth, after.coverage) == (before.macs, before.depth, 1)


class Static(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = ao.QuantStub(), ao.DeQuantStub()
        self.convolution, self.linear = nn.Conv2d(4, 8, 3, groups=2), nn.Linear(8 * 36, 10)

    def forward(self, x):
        return self.dequant(self.linear(self.convolution(self.quant(x)).flatten(1)))


def test_statically_quantised_layers_cost_what_the_float_ones_do():
    x = torch.randn(2, 4, 8, 8)
    model = Static().eval()
    before = totals(model, x.shape)
    model.qconfig = ao.get_default_qconfig(torch.backends.quantized.engine)
    ao.prepare(model, inplace=True)(x)
    after = totals(ao.convert(model), x.shape)
    assert (after.params, after.macs, after.depth) == (before.params, before.macs, 2)
    assert after.coverage == 1
    assert after.weight_bytes == 8 * 2 * 9 + 8 * 36 * 10 + 4 * (8 + 10)
