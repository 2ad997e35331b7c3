"""After a run the model and the process are as they were, whether it succeeded or not."""

import copy
import gc
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archscope


class Stateful(nn.Module):
    def __init__(self, fail=False):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.rnn = nn.LSTM(4, 5, batch_first=True)
        self.register_buffer("seen", torch.zeros(1))
        self.calls = 0
        self.history = []
        self.cache = None
        self.fail = fail

    def forward(self, x):
        self.calls += 1
        self.history.append(x.shape)
        self.cache = x
        self.seen += 1
        x = self.drop(self.norm(self.conv(x)))
        if self.fail:
            raise RuntimeError("midway")
        y, _ = self.rnn(x.flatten(2).transpose(1, 2))
        return y


def fingerprint(module):
    return (
        {
            name: (id(t), t._version, t.clone())
            for name, t in module.state_dict(keep_vars=True).items()
        },
        [(id(p), p.requires_grad, p.grad) for p in module.parameters()],
        [m.training for m in module.modules()],
        [[id(w) for w in m._flat_weights] for m in module.modules() if isinstance(m, nn.RNNBase)],
        (module.calls, list(module.history), module.cache),
        [list(m._forward_hooks.items()) for m in module.modules()],
    )


def same(a, b):
    for name, (identity, version, value) in a[0].items():
        other = b[0][name]
        assert identity == other[0] and version == other[1] and torch.equal(value, other[2]), name
    assert a[1:] == b[1:]


def process_state():
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),
        nn.Module.__call__,
        F.scaled_dot_product_attention,
        F._verify_batch_size,
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.backends.mha.get_fastpath_enabled(),
        gc.isenabled(),
    )


@pytest.mark.parametrize("mode", [None, "inference", "training"])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("fail", [True, False])
def test_nothing_of_a_run_stays(mode, train, fail):
    module = Stateful(fail).train(train)
    module.conv.weight.requires_grad_(False)
    module.drop.train(not train)
    module.conv.register_forward_hook(lambda *_: None)
    x = torch.randn(2, 3, 8, 8)
    kept = x.clone()
    before, process = fingerprint(module), process_state()
    if fail:
        with pytest.raises(archscope.ArchscopeError, match="midway"):
            archscope.trace(module, (x,), mode)
    else:
        archscope.trace(module, (x,), mode)
    same(before, fingerprint(module))
    assert process == process_state()
    assert torch.equal(x, kept) and x.grad is None


def test_the_module_computes_what_it_computed_before():
    module = Stateful().eval()
    x = torch.randn(1, 3, 8, 8)
    expected = module(x)
    archscope.analyze(module, inputs=(x,), mode="training")
    assert torch.equal(module(x), expected)


def test_lazy_modules_stay_lazy():
    module = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyBatchNorm1d())
    report = archscope.analyze(module, inputs=(2, 8))
    assert report.totals["params"] == 8 * 4 + 4 + 4 + 4
    assert report.totals["macs"] == 2 * 32
    assert all(nn.parameter.is_lazy(p) for p in module.parameters())
    assert type(module[0]) is nn.LazyLinear
    assert module(torch.randn(3, 5)).shape == (3, 4)


def test_a_run_on_data_leaves_no_mark_either():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(4)
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            x = self.layer(self.norm(x))
            return self.layer(x) if x.sum() > -1e9 else x

    module = Branching()
    state = copy.deepcopy(module.state_dict())
    trace = archscope.trace(module, (3, 4), "training")
    assert trace.ran_on == "data" and trace.macs == 2 * 3 * 16
    assert any("run on data" in warning for warning in trace.warnings)
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name])
    assert all(p.grad is None for p in module.parameters())


def test_attention_and_recurrence_on_meta_are_torchs_own_again_after_a_run():
    layer = nn.LSTM(3, 4, device="meta")
    x = torch.empty(2, 1, 3, device="meta")
    archscope.trace(layer, x)
    assert layer(x)[0].shape == (2, 1, 4)
    q = torch.empty(1, 2, 3, 4, device="meta")
    assert F.scaled_dot_product_attention(q, q, q).shape == q.shape
