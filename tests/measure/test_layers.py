"""Times by module: they add up, and known ones are reported right."""

import time
from itertools import repeat

import pytest
import torch
from fake import Fake
from torch import nn

import archscope
from archscope.devices import Device as Card
from archscope.errors import ArchscopeError, InvalidInput
from archscope.measure.attribution import Events, Kernel, Launch, Span, Times
from archscope.measure.ceilings import card_at_hand, listed
from archscope.measure.devices import Cpu
from archscope.measure.layers import LayerTimes, Pass, layer_rows, layer_times, layers_data
from archscope.measure.profiling import profiled_pass
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


def timed(model, inputs, device=None, **how):
    profiler = how.pop("profiler", profiled_pass)
    setting = Setting(threads=1, **how)
    return layer_times(
        model,
        inputs,
        batch=1,
        device=device or Cpu(),
        setting=setting,
        rules=Rules(max_seconds=0.2, max_warmup_seconds=0.1),
        options={},
        profiler=profiler,
    )


def test_a_caller_that_sleeps_is_host_time_of_its_module():
    model = Block()
    times = timed(model, ((1,),))
    rows = {row["path"]: row for row in layer_rows(times, archscope.trace(model, ((1,),)))}
    # A loaded machine sleeps longer, never shorter.
    assert rows["a"]["host_ms"] >= 5
    assert rows["b"]["host_ms"] >= 4
    assert rows["(model)"]["host_ms"] >= 10
    assert (rows["a"]["calls"], rows["b"]["calls"]) == (1, 2)
    parts = sum(rows[path]["host_ms"] for path in ("a", "b", "(model)"))
    assert rows["(model)"]["total_ms"] == pytest.approx(parts, rel=0.02)
    assert rows["(host)"]["self_ms"] == pytest.approx(1e-6 * times.shown.times.whole, rel=0.01)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("model", ["resnet20-cifar", "lstm"])
def test_layers_and_gap_are_the_whole(model, mode):
    times = timed(model, None, mode=mode)
    trace = archscope.analyze(model, mode=mode).trace
    rows = layer_rows(times, trace)
    assert sum(row["self_ms"] for row in rows) == pytest.approx(times.shown.times.whole / 1e6)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert abs(times.unexplained) < 0.02
    assert sum(row["flops"] for row in rows) == sum(op.flops for op in trace.ops)
    assert (sum(row["backward_ms"] for row in rows) > 0) == (mode == "training")


def test_nearly_all_of_the_backward_is_some_module_s():
    shown = timed("resnet20-cifar", None, mode="training").shown.times
    assert shown.outside.backward < 0.1 * sum(one.backward for one in shown.calls.values())


def kernels_of(network, run, *, on_cpu):
    """A GPU on which the first layer's kernel takes 3 us of the 10 that its call takes."""
    assert not on_cpu
    run()
    events = Events(
        0,
        10_000,
        1,
        [Span("", 1, 1, 0, 9000), Span("0", 1, 1, 1000, 8000)],
        (),
        [Launch(5, 1, 2000)],
        [Kernel(5, 4000, 7000)],
    )
    return events, 10e-6


def test_on_a_gpu_kernels_are_the_time_and_the_roofline_stands_beside():
    model = nn.Sequential(nn.Linear(4, 4))
    card = Card("x", "x", "gpu", 2026, {"fp32": 1e9}, 1e12, 0.0, 1.0, "tests")
    times = timed(model, ((1, 4),), Fake(repeat(0.001)), profiler=kernels_of)
    rows = {row["path"]: row for row in layer_rows(times, archscope.trace(model, ((1, 4),)), card)}
    layer = rows["0"]
    assert (layer["self_ms"], layer["kernels"], layer["bound"]) == (0.003, 1, "compute")
    assert layer["achieved_gflops"] == pytest.approx(layer["flops"] / 3e-6 / 1e9)
    assert layer["least_ms"] == pytest.approx(layer["flops"] / 1e9 * 1e3)
    assert layer["roofline_share"] == pytest.approx(layer["least_ms"] / 0.003)
    assert rows["(launch)"]["self_ms"] == pytest.approx(0.002)
    assert rows["(host)"]["self_ms"] == pytest.approx(0.005)


def test_what_a_fused_path_computes_is_the_caller_s():
    """In inference torch runs such a layer as one operator, and never calls what is inside."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    trace = archscope.trace(layer, ((1, 4, 16),))
    rows = layer_rows(timed(layer, ((1, 4, 16),)), trace)
    (whole,) = [row for row in rows if row["flops"]]
    assert (whole["path"], whole["flops"]) == ("(model)", trace.flops)


def test_an_interrupt_keeps_the_passes_that_were_seen():
    calls = iter([None, None, None, KeyboardInterrupt()])

    def interrupted(network, run, *, on_cpu):
        found = next(calls)
        if found is not None:
            raise found
        return kernels_of(network, run, on_cpu=on_cpu)

    model = nn.Sequential(nn.Linear(4, 4))
    found = layers_data(
        model, ((1, 4),), device=Fake(repeat(0.001)), profiler=interrupted, max_seconds=9
    )
    assert (found["status"], found["passes"]) == ("partial", 2)


def test_an_interrupt_before_the_first_pass_has_nothing_to_keep():
    with pytest.raises(KeyboardInterrupt):
        timed(nn.Linear(4, 4), ((1, 4),), Fake([KeyboardInterrupt()]), profiler=kernels_of)


def test_the_slowdown_is_of_the_profiled_pass():
    one = Pass(Times(whole=1.09e9), clock=1.1)
    one.times.outside.own = 1.09e9
    found = LayerTimes([one], plain=[1.0])
    assert found.slowdown == pytest.approx(0.1)
    assert found.unexplained == pytest.approx(1.09 / 1.1 - 1)


def test_the_given_module_stays_as_it_was():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    timed(model, ((1, 2),))
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in model.modules())


@pytest.mark.parametrize(
    ("error", "says"),
    [(torch.OutOfMemoryError("x"), "too little memory"), (RuntimeError("odd"), "not run .*: odd")],
)
def test_what_does_not_run_is_told_in_one_line(error, says):
    with pytest.raises(ArchscopeError, match=says):
        timed(nn.Linear(4, 4), ((1, 4),), Fake([error]), profiler=kernels_of)


@pytest.mark.parametrize("how", [{"compile": True}, {"graph": True}])
def test_what_has_no_modules_one_after_the_other_is_refused(how):
    with pytest.raises(InvalidInput, match="eagerly"):
        timed(nn.ReLU(), (torch.ones(1),), Fake(()), **how)


@pytest.mark.parametrize(
    ("title", "card"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("NVIDIA L4", None),
    ],
)
def test_a_driver_s_name_finds_its_card_and_no_other(title, card):
    found = listed(title)
    assert (found.name if found else None) == card


def test_a_calibration_is_a_card(tmp_path, monkeypatch):
    from archscope.calibrated import remember

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    device = Fake(())
    assert card_at_hand(device, 1) is None
    row = {"device": "cuda:0", "title": "fake", "threads": None, "torch": "2"}
    row |= {"tflops": {"fp32": 2.0, "fp16": None}, "bandwidth_gb_s": 100.0, "date": "2026-01-02"}
    remember([row])
    card = card_at_hand(device, 1)
    assert (card.peaks, card.bandwidth) == ({"fp32": 2e12}, 1e11)
