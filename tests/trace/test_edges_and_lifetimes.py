"""The graph is the one that ran, and storages live as long as the program keeps them."""

import torch
from torch import nn

import archscope
from archscope.analyzers.memory import bytes_alive, peak_bytes


class Function(nn.Module):
    def __init__(self, function, layers=0):
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(layers))

    def forward(self, *inputs):
        return self.function(self.layers, *inputs)


def lengths(function, layers, *inputs):
    trace = archscope.trace(Function(function, layers), inputs or ((2, 4),))
    return archscope.analyzers.paths(trace).to_dict()


def test_an_in_place_operator_stays_on_the_route():
    def function(layers, x):
        x = layers[0](x)
        x.relu_()
        x += 1
        return layers[1](x)

    assert lengths(function, 2) == {2: 1}


def test_views_carry_their_dependencies():
    def function(layers, x):
        left, right = layers[0](x).view(2, 2, 2).transpose(0, 1).chunk(2, dim=2)
        return layers[1](torch.cat([left, right], 2).reshape(2, 4))

    assert lengths(function, 2) == {2: 1}


def test_a_slice_written_elsewhere_is_no_dependency():
    def function(layers, x):
        buffer = x.new_zeros(3, 2, 4)
        buffer[0] = layers[0](x)
        buffer[1] = layers[1](buffer[0])
        buffer[2] = x
        return layers[2](buffer[2])  # the first two layers do not reach it

    assert lengths(function, 3) == {1: 1}


def test_a_column_written_in_place_is_read_by_the_next():
    def function(layers, x):
        buffer = x.new_zeros(2, 3, 4)
        buffer[:, 0] = layers[0](x)
        buffer[:, 1] = layers[1](buffer[:, 0])
        buffer[:, 2] = layers[2](buffer[:, 1])
        return buffer[:, 2]

    assert lengths(function, 3) == {3: 1}


def test_what_is_overwritten_is_forgotten():
    def function(layers, x):
        y = layers[0](x)
        y.copy_(x)
        return layers[1](y)

    assert lengths(function, 2) == {1: 1}


def test_a_buffer_made_on_the_cpu_takes_in_the_models_data():
    def function(layers, x):
        states = torch.zeros(2, 2, 4)  # no device given, as many write it
        states[0] = layers[0](x)
        states[1] = layers[1](states[0])
        return states.sum(0)

    assert lengths(function, 2) == {1: 1, 2: 1}


def test_branches_that_meet_add_their_routes():
    def function(layers, x):
        x = layers[0](x) + x
        return layers[1](x) + x

    assert lengths(function, 2) == {0: 1, 1: 2, 2: 1}


def test_a_gate_makes_no_second_route():
    def function(layers, x):
        x = layers[0](x)
        return layers[1](x * torch.sigmoid(x))

    assert lengths(function, 2) == {2: 1}


def test_a_product_of_two_activations_is_no_weight_layer():
    assert lengths(lambda _, a, b: a @ b, 0, (4, 4), (4, 4)) == {0: 2}


def test_a_weight_made_of_parameters_is_still_a_weight():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    trace = archscope.trace(layer, (2, 4))
    assert archscope.analyzers.paths(trace).to_dict() == {1: 1}
    assert trace.macs == 2 * 16


def test_storages_die_when_the_program_drops_them():
    def function(_, x):
        a = x + 1
        b = a + 1
        del a
        return b + 1

    trace = archscope.trace(Function(function), (1000,))
    assert bytes_alive(trace) == [4000, 8000, 12000, 12000]


def test_the_peak_of_a_chain_is_two_tensors_and_the_weights():
    model = nn.Sequential(nn.Linear(100, 100, bias=False), nn.Linear(100, 100, bias=False))
    trace = archscope.trace(model, (1000, 100))
    tensor, weights = 1000 * 100 * 4, 2 * 100 * 100 * 4
    assert peak_bytes(trace) == weights + 3 * tensor  # the caller keeps the input


def test_training_keeps_what_autograd_saves():
    model = nn.Sequential(nn.Linear(10, 10), nn.Sigmoid(), nn.Linear(10, 10), nn.ReLU())
    trace = archscope.trace(model, (8, 10), "training")
    saved = {storage for op in trace.ops for storage in op.saved}
    saved_bytes = sum(
        s.bytes for s in trace.storages if s.index in saved and s.kind == "activation"
    )
    assert saved_bytes == 2 * 8 * 10 * 4  # the sigmoid's output, which is the input of the second
    # linear layer too, and the ReLU's output; the input of the first is the caller's
    gradients = [s for s in trace.storages if s.kind == "gradient"]
    assert sorted(s.names[0] for s in gradients) == ["0.bias", "0.weight", "2.bias", "2.weight"]


def test_records_hold_numbers_and_no_tensors():
    def function(layers, x):
        pooled = nn.functional.adaptive_avg_pool2d(x * layers[0].weight, 2)
        return nn.functional.max_pool2d(pooled, 2).sum()

    trace = archscope.trace(Function(function, 1), ((1, 1, 4, 4),), "training")
    windows = [op.window for op in trace.ops if op.window is not None]
    assert [window.kernel for window in windows] == [(2, 2), (2, 2)]
    assert "tensor(" not in repr(vars(trace))
    pooling = next(op for op in trace.ops if op.name == "_adaptive_avg_pool2d_backward")
    assert trace.storages[pooling.reads[1]].freed_at == pooling.index + 1
