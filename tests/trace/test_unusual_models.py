"""What few models do, and what a general tool has to get right all the same."""

import copy
from collections import UserDict
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import archscope

LAYER_MACS = 2 * 8 * 8  # of a Linear(8, 8) on two rows


class Written(nn.Module):
    """A forward pass given as a function of the module and its inputs."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        self.layer = nn.Linear(8, 8)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *args, **kwargs):
        return self.function(self, *args, **kwargs)


def analyse(function, *inputs, parts=None, **options):
    model = Written(function, **(parts or {}))
    return archscope.analyze(model, inputs=inputs or ((2, 8),), **options)


# -- inputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [True, False])
def test_a_tensor_given_three_times_is_one_input(weights):
    x = torch.randn(2, 6, 16)
    attention = nn.MultiheadAttention(16, 4, batch_first=True)
    options = {"kwargs": {"need_weights": weights}}
    once = archscope.analyze(attention, (x, x, x), **options)
    thrice = archscope.analyze(attention, (x, x.clone(), x.clone()), **options)
    assert once.totals.macs == thrice.totals.macs
    assert once.totals.paths == (2 if weights else 1)  # one projection of all, not three
    held = [s.bytes for s in once.trace.storages if s.kind == "input"]
    assert held == [x.nbytes]
    assert len(once.trace.inputs) == 3


@dataclass(frozen=True)
class Sample:
    x: torch.Tensor
    scale: float = 2.0


class Batch(UserDict):
    """As transformers' BatchEncoding: a mapping that is read by attribute too."""

    @property
    def x(self):
        return self["x"]


@pytest.mark.parametrize("given", [Sample(torch.ones(2, 8)), Batch(x=torch.ones(2, 8))], ids=type)
def test_inputs_keep_the_class_that_they_have(given):
    before = copy.deepcopy(given)
    report = analyse(lambda m, sample: m.layer(sample.x).mul_(sample.x.add_(1)), given)
    assert report.totals.macs == LAYER_MACS and report.trace.ran_on == "shapes"
    assert torch.equal(given.x, before.x)


def test_padded_sequences_stay_on_shapes_in_training():
    def function(m, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(m.rnn(packed)[0], batch_first=True)[0]

    parts = {"rnn": nn.LSTM(8, 8)}
    lengths = torch.tensor([3, 6])
    report = analyse(function, (2, 6, 8), lengths, parts=parts, mode="training")
    assert report.trace.ran_on == "shapes"
    assert report.totals.macs == 9 * 4 * 8 * 16


def test_complex_outputs_have_a_backward_pass():
    layer = nn.Linear(8, 8, dtype=torch.complex64)
    totals = archscope.analyze(layer, (2, 8), mode="training").totals
    assert totals.macs == totals.backward_macs == 4 * LAYER_MACS
