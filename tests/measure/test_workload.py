"""A network made ready to run."""

from collections import UserDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from fake import Fake
from torch import nn

from archscope.errors import InvalidInput
from archscope.measure.devices import Cpu, place_all
from archscope.measure.workload import Setting, inputs_or_sample, network_and_run

Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    ("layer", "shape", "layout"),
    [
        (nn.Conv1d(3, 4, 3), (2, 3, 8), torch.contiguous_format),
        (nn.Conv2d(3, 4, 3), (2, 3, 8, 8), torch.channels_last),
        (nn.Conv3d(3, 4, 3), (2, 3, 8, 8, 8), torch.channels_last_3d),
    ],
)
def test_images_and_volumes_have_their_channels_last(layer, shape, layout):
    setting = Setting(channels_last=True)
    network, run = network_and_run(layer, (shape,), 1, Cpu(), setting, {})
    assert network.weight.is_contiguous(memory_format=layout)
    assert run().is_contiguous(memory_format=layout)
    assert layer.weight.is_contiguous()  # the given module stays as it was


def test_inputs_keep_the_types_in_which_they_are_nested():
    given = {"pair": Pair(torch.ones(1), [torch.ones(2)]), "flag": True}
    placed = place_all(given, Fake(()))
    assert isinstance(placed["pair"], Pair) and isinstance(placed["pair"].right, list)
    assert placed["flag"] is True


def step(model, inputs, mode="training", **how):
    """The network after one run, and what the run returned."""
    network, run = network_and_run(model, inputs, 1, Cpu(), Setting(mode=mode, **how), {})
    return network, run()


class Returns(nn.Module):
    """Two layers, and what becomes of their results."""

    def __init__(self, of):
        super().__init__()
        self.a, self.b, self.of = nn.Linear(2, 2), nn.Linear(2, 2), of

    def forward(self, x):
        return self.of(self.a(x), self.b(x))


@dataclass
class Output:
    one: torch.Tensor
    other: torch.Tensor


def some(one, other):
    yield one
    yield other


@pytest.mark.parametrize(
    "of",
    [Output, lambda one, other: SimpleNamespace(a=[one], b={"c": other}), torch.complex, some],
)
def test_training_goes_back_from_every_output_however_it_is_returned(of):
    network, _ = step(Returns(of), ((1, 2),))
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_training_goes_back_from_the_loss_of_a_model_that_has_one():
    network, _ = step(Returns(lambda one, _: SimpleNamespace(loss=one.sum(), logits=_)), ((1, 2),))
    assert network.a.weight.grad is not None and network.b.weight.grad is None


def test_training_is_measured_where_gradients_are_off():
    with torch.no_grad():
        network, _ = step(nn.Linear(2, 2), ((1, 2),))
    assert network.weight.grad is not None


def test_inputs_that_want_a_gradient_get_it():
    wanted, given = [], torch.ones(2, 2, requires_grad=True)

    class Keeps(nn.Module):
        def forward(self, x):
            wanted.append(x)
            return x * 2

    step(Keeps(), (given,), dtype="bf16")
    assert wanted[0].is_leaf and wanted[0].grad is not None and given.grad is None


def test_what_a_generator_yields_is_computed():
    class Yields(nn.Module):
        def forward(self, x):
            for _ in range(3):
                x = x + 1
                yield x

    assert len(step(Yields(), (torch.zeros(1),), mode="inference")[1]) == 3


def test_a_network_may_differentiate_within_its_forward():
    class Forces(nn.Module):
        def __init__(self):
            super().__init__()
            self.energy = nn.Linear(3, 1)

        def forward(self, places):
            with torch.enable_grad():
                places = places.clone().requires_grad_()
                return torch.autograd.grad(self.energy(places).pow(2).sum(), places)[0]

    assert step(Forces(), ((2, 3),), mode="inference")[1].shape == (2, 3)


def test_complex_weights_stay_complex():
    class Spectral(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, dtype=torch.complex64))

        def forward(self, x):
            return x * self.weight

    network, found = step(Spectral(), ((2, 4),), mode="inference")
    assert network.weight.dtype == torch.complex64 and found.dtype == torch.complex64


@pytest.mark.parametrize("training", [False, True])
def test_an_exported_program_runs_in_its_own_mode(training):
    exported = torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)).module()
    _, found = step(nn.Sequential(exported), ((1, 2),), "training" if training else "inference")
    assert training or found.shape == (1, 2)


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_lazy_layers_have_their_channels_last_too(mode):
    layer = nn.Sequential(nn.LazyConv2d(4, 3))
    network, _ = step(layer, ((1, 3, 8, 8),), mode=mode, channels_last=True)
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert isinstance(layer[0], nn.LazyConv2d)


def test_inputs_of_any_kind_are_placed():
    class Doubles(Fake):
        def place(self, value):
            return value.double()

    record = Output(torch.ones(1), torch.ones(2))
    mapping = UserDict(x=torch.ones(1))
    placed = place_all((record, mapping), Doubles(()))
    assert placed[0].other.dtype == placed[1]["x"].dtype == torch.float64
    assert record.other.dtype == torch.float32


def test_keyword_inputs_stand_beside_others():
    class Adds(nn.Module):
        def forward(self, x, *, scale, offset=0):
            return x * scale + offset

    asked = inputs_or_sample(None, "2", {"scale": torch.full((1,), 3.0), "offset": 1})
    _, run = network_and_run(Adds(), asked, 1, Cpu(), Setting(), {})
    assert run().shape == (1, 2)
    asked = inputs_or_sample((torch.ones(2),), None, {"scale": torch.full((1,), 3.0)})
    _, run = network_and_run(Adds(), asked, 1, Cpu(), Setting(), {})
    assert run().tolist() == [3.0, 3.0]


def test_every_build_is_compiled_as_if_it_were_the_first(monkeypatch):
    done = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: done.append("reset"))
    monkeypatch.setattr(torch, "compile", lambda network: done.append("compile") or network)
    for _ in range(2):
        step(nn.Linear(2, 2), ((1, 2),), mode="inference", compile=True)
    assert done == ["reset", "compile"] * 2


def test_a_module_without_data_is_refused_with_what_is_right():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(InvalidInput, match=r"Sequential has shapes and no data.* on the CPU"):
        step(model, ((1, 2),))
