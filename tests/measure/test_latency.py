"""Latency on a device whose times are known, and briefly on the CPU."""

from itertools import chain, cycle, repeat

import pytest
import torch
from fake import Fake, Script
from torch import nn

import archscope
from archscope.errors import ArchscopeError, InvalidInput
from archscope.measure.sampling import Rules, collect
from archscope.measure.sensors import Reading


def measured(seconds, **arguments):
    device = arguments.pop("on", None) or Fake(seconds)
    return archscope.latency(nn.Linear(4, 4), ((1, 4),), device=device, **arguments)


def collected(seconds, **rules):
    device = Fake(seconds)
    return collect(lambda: device.sample(None), device.now, Rules(**rules)), device


def test_known_times_are_reported():
    row = measured(repeat(0.004)).iloc[0]
    assert row.status == "ok" and row.steady
    assert row.latency_ms_p50 == row.latency_ms_low == row.latency_ms_high == pytest.approx(2)
    assert row.wall_ms_p50 == pytest.approx(4)
    assert row.latency_ms_iqr == row.wall_ms_iqr == 0
    assert row.throughput_per_s == pytest.approx(250)
    assert row.achieved_gflops == pytest.approx(row.flops / 2e-3 / 1e9)
    assert row.achieved_gb_s == pytest.approx(row.bytes / 2e-3 / 1e9)
    assert row.runs == len(row.samples_ms) == 20


def test_slow_first_runs_are_warm_up():
    slow = [1.0, 0.5, 0.3, 0.2, 0.1]
    samples, _ = collected(chain(slow, repeat(0.01)))
    assert samples.warmup == 13  # until the median of the five runs before is a warm one
    assert samples.steady
    assert samples.wall.high == pytest.approx(0.01)


def test_what_never_gets_steady_is_measured_and_says_so():
    samples, device = collected((1.1**i for i in range(200)), max_warmup_seconds=1e3, max_seconds=1)
    assert not samples.steady
    assert len(samples.taken) == 1
    assert device.runs == samples.warmup + 1


def test_it_stops_when_the_interval_is_narrow_enough():
    noisy = cycle([0.010, 0.0101, 0.0099, 0.0102, 0.0098])
    loose, _ = collected(noisy, precision=0.02)
    assert len(loose.taken) == 20
    assert loose.device.precision <= 0.02


def test_it_stops_when_time_is_up():
    samples, _ = collected(cycle([0.1, 0.2]), precision=1e-6, max_seconds=3, steady=1)
    assert 3 <= sum(sample.wall for sample in samples.taken) < 3.3


def test_an_interrupt_keeps_what_was_measured():
    warm = repeat(0.001, 10)
    row = measured(chain(warm, repeat(0.001, 7), [KeyboardInterrupt()])).iloc[0]
    assert (row.status, row.runs) == ("partial", 7)
    assert row.wall_ms_p50 == pytest.approx(1)


def test_an_interrupt_ends_the_batch_sizes():
    device = Fake(chain(repeat(0.001, 30), repeat(0.001, 12), [KeyboardInterrupt()]))
    found = archscope.latency("rnn", device=device, batch=[1, 2, 4], seq_len=3)
    assert list(found.status) == ["ok", "partial"]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("not enough memory"),
    ],
)
def test_out_of_memory_is_a_row_and_no_end(error):
    device = Fake(chain(repeat(0.001, 30), [error], repeat(0.002)))
    found = archscope.latency("rnn", device=device, batch=[1, 2, 4], seq_len=3)
    assert list(found.status) == ["ok", "out of memory", "ok"]
    assert found.latency_ms_p50.isna().tolist() == [False, True, False]
    assert device.released == 3


def test_any_other_error_is_no_lack_of_memory():
    with pytest.raises(ArchscopeError, match=r"Linear does not run in fp32, inference, .*: odd"):
        measured([RuntimeError("odd")])


def test_throughput_is_of_samples():
    found = archscope.latency("rnn", device=Fake(repeat(0.01)), batch=8, seq_len=3)
    assert found.throughput_per_s[0] == pytest.approx(800)


@pytest.mark.parametrize("unrolled", [False, True])
def test_recurrent_networks_have_a_time_per_step(unrolled):
    device = Fake(repeat(0.01))
    found = archscope.latency("lstm", device=device, seq_len=10, unrolled=unrolled)
    assert found.latency_ms_per_step[0] == pytest.approx(found.latency_ms_p50[0] / 10)
    assert measured(repeat(0.01)).latency_ms_per_step[0] is None


def test_conditions_stand_in_every_row():
    cool = Reading(1980, 2619, 40, 700.0, (), 0)
    hot = Reading(1200, 2619, 90, 700.0, ("thermal (hardware)",), 1)
    row = measured((), on=Fake(repeat(0.01), Script(cool, hot))).iloc[0]
    assert (row.clock_mhz_before, row.clock_mhz_after) == (1980, 1200)
    assert (row.temperature_c_before, row.temperature_c_after) == (40, 90)
    assert row.disturbed == "other processes, thermal (hardware)"
    assert row.torch == torch.__version__ and row.driver_before == "1.0"


def test_an_undisturbed_run_says_nothing():
    assert measured(repeat(0.01)).disturbed[0] == ""


def test_graphs_and_cold_caches_reach_the_device():
    device = Fake(repeat(0.01))
    measured((), on=device, graph=True, cold=True)
    assert device.graphs == 1 and all(device.cold)


def test_progress_tells_how_long_it_may_take():
    lines = []
    measured(cycle([0.4, 0.5]), progress=lines.append, max_seconds=5, precision=1e-9)
    assert lines and all("at most" in line for line in lines)


def test_the_module_stays_as_it_was():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout()).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    archscope.latency(model, ((1, 4),), dtype="bf16", mode="training", device=Fake(repeat(0.01)))
    assert model.training and all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_module_runs_on_the_cpu(mode):
    before = torch.get_num_threads()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    found = archscope.latency(
        model, ((2, 3, 8, 8),), mode=mode, channels_last=True, threads=1, max_seconds=0.2
    )
    row = found.iloc[0]
    assert row.status == "ok" and row.latency_ms_p50 > 0
    assert row.latency_ms_p50 == row.wall_ms_p50  # the caller is the one who works
    assert row.threads == 1 and torch.get_num_threads() == before


def test_a_sleep_takes_as_long_as_it_says():
    class Sleeps(nn.Module):
        def forward(self, x):
            if not x.is_meta:
                import time

                time.sleep(0.005)
            return x + 1

    row = archscope.latency(Sleeps(), ((1,),), max_seconds=0.3).iloc[0]
    assert 5 <= min(row.samples_ms) < 7  # a loaded machine sleeps longer, but not every time
    assert row.latency_ms_p50 >= 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"device": "tpu"}, "cpu, cuda or cuda:N"),
        ({"dtype": "fp8"}, "fp32, tf32, bf16"),
        ({"dtype": "tf32"}, "CUDA devices only"),
        ({"graph": True}, "CUDA devices only"),
        ({"cold": True}, "CUDA devices only"),
        ({"batch": 0}, "1 or more"),
        ({"mode": "test"}, "'inference' or 'training'"),
        ({"precision": 0}, "more than 0"),
    ],
)
def test_a_wrong_request_says_what_is_right(arguments, says):
    with pytest.raises(InvalidInput, match=says):
        archscope.latency("rnn", **arguments)


def test_a_sample_makes_batches_and_whole_inputs_bring_their_own(tmp_path):
    def batches(model, inputs=None, **given):
        found = archscope.latency(model, inputs, device=Fake(repeat(0.01)), **given)
        return list(zip(found["batch"], found["input_shape"], strict=True))

    assert batches("resnet18", input=(3, 32, 32), batch=[1, 2]) == [
        (1, (1, 3, 32, 32)),
        (2, (2, 3, 32, 32)),
    ]
    assert batches(nn.Linear(4, 4), input="4", batch=3) == [(3, (3, 4))]
    assert batches("resnet18", ((2, 3, 32, 32),)) == [(2, (2, 3, 32, 32))]
    maker = tmp_path / "maker.py"
    maker.write_text("import torch\ndef made(batch=1):\n    return torch.ones(batch, 4)\n")
    assert batches(nn.Linear(4, 4), f"{maker}:made", batch=5) == [(5, (5, 4))]


def test_inputs_with_a_batch_of_their_own_take_no_other():
    with pytest.raises(InvalidInput, match="inputs= have their batch"):
        archscope.latency(nn.Linear(4, 4), ((1, 4),), batch=2, device=Fake(()))
    with pytest.raises(InvalidInput, match="not both"):
        archscope.latency("resnet18", ((1, 3, 32, 32),), input=(3, 32, 32), device=Fake(()))
