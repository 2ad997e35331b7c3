"""Times by module: they add up, and known ones are reported right."""

import time

import pytest
import torch
from torch import nn

import archscope
from archscope.errors import InvalidInput
from archscope.measure.devices import Cpu
from archscope.measure.layers import Clocked, LayerTimes, Pass, layer_rows, layer_times
from archscope.measure.sampling import Rules
from archscope.measure.workload import Setting


class Sleeps(nn.Module):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def forward(self, x):
        if not x.is_meta:
            time.sleep(self.seconds)
        return x


class Block(nn.Module):
    """10 ms of its own, 5 ms and twice 2 ms in its children."""

    def __init__(self):
        super().__init__()
        self.a, self.b = Sleeps(0.005), Sleeps(0.002)

    def forward(self, x):
        if not x.is_meta:
            time.sleep(0.010)
        return self.b(self.b(self.a(x)))


def clocked(model, inputs, **how):
    rules = Rules(max_seconds=0.2, max_warmup_seconds=0.1, min_runs=5)
    setting = Setting(threads=1, **how)
    return layer_times(
        model, inputs, batch=1, device=Cpu(), setting=setting, rules=rules, options={}
    )


def test_known_times_are_each_module_s_own():
    found = clocked(Block(), ((1,),)).shown.modules
    assert found["a"].own == pytest.approx(0.005, abs=0.001)
    assert found["b"].own == pytest.approx(0.004, abs=0.002)
    assert (found["a"].calls, found["b"].calls) == (1, 2)
    assert found[""].own == pytest.approx(0.010, abs=0.002)
    assert found[""].total == pytest.approx(sum(one.own for one in found.values()))


@pytest.mark.parametrize("model", ["resnet20-cifar", "lstm"])
def test_modules_and_gap_are_the_whole(model):
    times = clocked(model, None)
    rows = layer_rows(times, archscope.analyze(model).trace)
    assert sum(row["own_ms"] for row in rows) == pytest.approx(1e3 * times.shown.whole)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert abs(times.shown.gap) < 0.1 * times.shown.whole
    assert sum(row["flops"] for row in rows) == archscope.analyze(model).trace.flops


def test_the_slowdown_is_of_the_clocked_pass():
    shown = Pass({"": Clocked(1, 1.0, 1.0)}, whole=1.1)
    assert LayerTimes(shown, undisturbed=1.0).slowdown == pytest.approx(0.1)
    assert shown.gap == pytest.approx(0.1)


def test_the_given_module_has_no_clock_left():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    clocked(model, ((1, 2),))
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in model.modules())


@pytest.mark.parametrize("how", [{"mode": "training"}, {"compile": True}])
def test_what_has_no_modules_one_after_the_other_is_refused(how):
    with pytest.raises(InvalidInput, match="inference and not compiled"):
        clocked(nn.ReLU(), (torch.ones(1),), **how)
