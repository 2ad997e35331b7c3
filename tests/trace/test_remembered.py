"""Calls that are answered from memory or by rule leave the record that torch itself would."""

import pytest
import torch
from torch import nn

import archscope
from archscope.sources import resolve
from archscope.trace import recorder
from archscope.trace.operators import operator
from archscope.trace.remembered import call_key, forget

NAMES = ["googlenet", "alexnet", "lstm", "fractalnet20-cifar"]
OTHERS = ["mobilenet_v3_small", "shufflenet_v2_x0_5", "swin_t", "vit_b_16"]


class Mixture(nn.Module):
    """In-place operators, broadcasting, views of what is written, norms of any layout."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.group, self.layer = nn.GroupNorm(2, 8), nn.LayerNorm(8)
        self.scale = nn.Parameter(torch.ones(8, 1, 1))

    def forward(self, x):
        x = self.group(self.first(x)).relu_()
        x = x * self.scale + x.mean((2, 3), keepdim=True).sigmoid()
        y = self.layer(x.permute(0, 2, 3, 1)).mul_(2.0).clamp_(0, 6)
        kept = torch.zeros_like(y)
        kept[:, 0].copy_(y[:, 1])
        kept[:, 1:].add_(y[:, :-1]).add_(1)
        return torch.cat([kept[..., :4], y[..., 4:]], dim=-1)


def recorded(model, inputs, mode):
    found = archscope.trace(model, inputs, mode)
    return found.ops, found.storages, found.calls, found.outputs


def as_torch_says(monkeypatch):
    monkeypatch.setattr(recorder, "recall", lambda key: None)
    monkeypatch.setattr(recorder, "shape_rule", lambda *_: None)
    monkeypatch.setattr(recorder, "keeps_shape", lambda *_, **__: False)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", ["mixture", *NAMES, *OTHERS])
def test_memory_and_rules_change_no_record(name, mode, monkeypatch):
    if name == "mixture":
        model, inputs = Mixture(), (2, 3, 9, 9)
    else:
        if name in OTHERS:
            pytest.importorskip("torchvision")
            name = f"torchvision:{name}"
        subject = resolve(name)
        model, inputs = subject.model, subject.inputs
    forget()
    first, again = (recorded(model, inputs, mode) for _ in range(2))
    assert first == again
    as_torch_says(monkeypatch)
    assert recorded(model, inputs, mode) == first


def test_a_key_tells_apart_what_compares_equal():
    x = torch.empty(2, 3, device="meta")
    facts = operator(torch.ops.aten.add.Tensor)
    keys = {call_key(facts, (x, value), {}) for value in (1, 1.0, True)}
    keys |= {call_key(facts, (x, x), {"alpha": value}) for value in (1, 1.0)}
    keys.add(call_key(facts, (x, x.mT.contiguous().mT), {}))
    keys.add(call_key(facts, (x, x.double()), {}))
    assert len(keys) == 7


def test_an_in_place_operator_that_torch_refuses_is_refused_every_time():
    x, wide = (torch.empty(*shape, device="meta") for shape in ((2, 3), (4, 2, 3)))

    class Grown(nn.Module):
        def forward(self, x, wide):
            return x.clone().add_(wide)

    for _ in range(2):
        with pytest.raises(archscope.errors.ArchscopeError, match="broadcast"):
            archscope.trace(Grown(), (x, wide))
