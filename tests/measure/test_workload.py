"""A network made ready to run."""

from collections import namedtuple

import pytest
import torch
from fake import Fake
from torch import nn

from archscope.measure.devices import Cpu, place_all
from archscope.measure.workload import Setting, network_and_run

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
