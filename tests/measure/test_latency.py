"""Latency on a device whose times are known, and briefly on the CPU."""

import random
from itertools import chain, cycle, repeat
from weakref import WeakSet

import numpy
import pytest
import torch
from fake import Fake, Script
from torch import nn

import archscope
from archscope.errors import ArchscopeError, InvalidInput
from archscope.measure.sampling import Rules, collect, collect_over_builds
from archscope.measure.sensors import Reading
from archscope.report.latency import latency_table

OF_ONE_BATCH = 10 + 6 * 20 + 5 * 3  # runs: warm-up, six turns, what comes before five of them


def measured(seconds, **arguments):
    device = arguments.pop("on", None) or Fake(seconds)
    return archscope.latency(nn.Linear(4, 4), ((1, 4),), device=device, **arguments)


def collected(seconds, **rules):
    device = Fake(seconds)
    return collect(lambda: device.sample(None), device.now, Rules(**rules)), device


def over_builds(times, building=0.1, **rules):
    """Measured builds that take the given times, the last one's for ever."""
    device = Fake(())
    left = list(times)

    def build():
        device.clock += building
        device.seconds = repeat(left.pop(0) if len(left) > 1 else left[0])
        return lambda: device.sample(None)

    return collect_over_builds(build, device.now, Rules(**rules)), device


def test_known_times_are_reported():
    row = measured(repeat(0.004)).iloc[0]
    assert row.status == "ok" and row.steady
    assert row.latency_ms_p50 == row.latency_ms_low == row.latency_ms_high == pytest.approx(2)
    assert row.wall_ms_p50 == pytest.approx(4)
    assert row.latency_ms_iqr == row.wall_ms_iqr == 0
    assert row.throughput_per_s == pytest.approx(250)
    assert row.achieved_gflops == pytest.approx(row.flops / 2e-3 / 1e9)
    assert row.achieved_gb_s == pytest.approx(row.bytes / 2e-3 / 1e9)
    assert row.builds == 47  # turns of 0.2 s and three runs more, over half of the 20 s
    assert row.runs == len(row.samples_ms) == pytest.approx(47 * 50, rel=0.02)


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


def test_the_interval_is_that_of_builds_which_differ():
    times = [0.010, 0.011, 0.0105, 0.0108, 0.0102, 0.0104]
    samples, _ = over_builds(times, precision=0.1, max_seconds=3.6)
    assert samples.builds == 6
    assert samples.wall.median == pytest.approx(0.01045)
    assert (samples.wall.low, samples.wall.high) == pytest.approx((0.010, 0.011))


def test_builds_go_on_until_the_median_over_them_is_known():
    times = [0.010, 0.011, *[0.0105, 0.01051] * 10]
    samples, _ = over_builds(times, precision=0.005, max_seconds=5)
    assert 9 <= samples.builds <= 12  # with 9 the interval can leave out the first two
    assert samples.precision <= 0.005
    assert (samples.wall.low, samples.wall.high) == pytest.approx((0.010, 0.011))


def test_the_interval_is_of_95_per_cent_of_the_builds():
    samples, _ = over_builds([0.020, *[0.010, 0.011] * 24, 0.005, 0.010], max_seconds=40)
    assert samples.builds >= 50
    assert (samples.wall.low, samples.wall.high) == pytest.approx((0.010, 0.011))


def test_turns_are_spread_over_half_of_the_time():
    samples, device = over_builds([0.010], max_seconds=8)
    assert samples.precision == 0 and 4 <= device.clock < 4 + 1


def test_builds_that_never_agree_end_with_the_time():
    samples, device = over_builds([0.010, 0.012] * 100, precision=0.01, max_seconds=10)
    assert samples.builds > 6 and samples.wall.precision > 0.01
    assert 10 <= device.clock < 10 + 1  # the warm-up is apart


def test_what_takes_long_to_build_is_measured_in_one_build():
    samples, _ = over_builds([0.010, 0.020], building=5.0, max_seconds=10)
    assert samples.builds == 1 and samples.wall.median == pytest.approx(0.010)


def test_what_runs_long_is_measured_in_one_build():
    samples, _ = over_builds([2.0, 1.0], max_seconds=10)
    assert samples.builds == 1 and len(samples.taken) == 5


def test_the_first_runs_of_another_build_do_not_count():
    device = Fake(())

    def build():
        device.seconds = chain([0.1, 0.1, 0.1], repeat(0.01))
        return lambda: device.sample(None)

    samples = collect_over_builds(build, device.now, Rules())
    assert samples.builds > 6 and max(one.wall for one in samples.taken) == pytest.approx(0.01)


def test_an_interrupt_in_a_later_build_keeps_all_turns():
    device = Fake(chain(repeat(0.01, 10 + 20 + 3 + 4), [KeyboardInterrupt()]))
    samples = collect_over_builds(lambda: lambda: device.sample(None), device.now, Rules())
    assert samples.partial and samples.builds == 2 and len(samples.taken) == 24


def test_only_one_build_lives_at_a_time():
    alive = WeakSet()

    class Network:
        def run(self):
            return device.sample(None)

    def build():
        assert not alive
        network = Network()
        alive.add(network)
        return network.run

    device = Fake(repeat(0.01))
    assert collect_over_builds(build, device.now, Rules()).builds > 6


def test_an_interrupt_keeps_what_was_measured():
    warm = repeat(0.001, 10)
    row = measured(chain(warm, repeat(0.001, 7), [KeyboardInterrupt()])).iloc[0]
    assert (row.status, row.runs) == ("partial", 7)
    assert row.wall_ms_p50 == pytest.approx(1)


def test_an_interrupt_ends_the_batch_sizes():
    device = Fake(chain(repeat(0.1, OF_ONE_BATCH + 12), [KeyboardInterrupt()]))
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
    device = Fake(chain(repeat(0.1, OF_ONE_BATCH), [error], repeat(0.2)))
    found = archscope.latency("rnn", device=device, batch=[1, 2, 4], seq_len=3)
    assert list(found.status) == ["ok", "out of memory", "ok"]
    assert found.latency_ms_p50.isna().tolist() == [False, True, False]
    assert device.released == 6 + 1 + 1 + 1 + 6 + 1  # before every build, after every batch


def test_out_of_memory_in_a_later_build_keeps_the_times_of_those_before():
    device = Fake(chain(repeat(0.1, 10 + 20 + 3 + 4), [MemoryError()]))
    row = measured((), on=device).iloc[0]
    assert (row.status, row.builds, row.runs) == ("out of memory", 2, 24)
    assert row.wall_ms_p50 == pytest.approx(100)


def test_what_the_machine_has_no_memory_for_is_a_row_and_is_not_run():
    device = Fake(repeat(0.1))
    device.memory = 6_000_000
    found = archscope.latency("resnet20-cifar", device=device, batch=[1024, 1, 2048])
    assert list(found.status) == ["out of memory", "ok", "out of memory"]
    assert device.runs <= OF_ONE_BATCH


def test_a_batch_size_that_is_refused_is_told_before_the_others_are_measured(tmp_path):
    (tmp_path / "maker.py").write_text(
        "import torch\ndef made(batch=1):\n    return torch.ones(batch, 5 - batch)\n"
    )
    device = Fake(())
    with pytest.raises(InvalidInput, match="does not accept"):
        archscope.latency(nn.Linear(4, 4), f"{tmp_path}/maker.py:made", device=device, batch=[1, 2])
    assert device.runs == 0


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("odd"), AssertionError()])
def test_whatever_a_model_raises_is_told_in_one_line(error):
    class Raises(nn.Module):
        def forward(self, x):
            if x.is_meta:
                return x
            raise error

    name = type(error).__name__
    with pytest.raises(ArchscopeError, match=rf"^Raises does not run .* on cpu: {name}.{{0,7}}$"):
        archscope.latency(Raises(), ((1,),), max_seconds=0.1)


def test_random_numbers_go_on_as_if_nothing_had_been_measured():
    def drawn():
        return torch.rand(1).item(), random.random(), numpy.random.rand()

    def seed():
        torch.manual_seed(1), random.seed(1), numpy.random.seed(1)

    class Draws(nn.Dropout):
        def forward(self, x):
            random.random(), numpy.random.rand()
            return super().forward(x)

    model = nn.Sequential(nn.Linear(4, 4), Draws())
    seed()
    expected = drawn()
    seed()
    archscope.latency(model, ((1, 4),), mode="training", max_seconds=0.05)
    assert drawn() == expected


def test_keyword_inputs_stand_beside_others():
    class Scales(nn.Module):
        def forward(self, x, *, scale):
            return x * scale

    given = {"kwargs": {"scale": torch.ones(1)}, "device": Fake(repeat(0.01)), "max_seconds": 1}
    assert archscope.latency(Scales(), ((3, 4),), **given)["batch"][0] == 3
    assert list(archscope.latency(Scales(), input=(4,), batch=[1, 2], **given)["batch"]) == [1, 2]


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


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("cell", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_a_loop_of_torch_s_cells_has_as_many_steps(cell, mode):
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell(4, 5)

        def forward(self, x):
            state = None
            for _ in range(7):
                state = self.cell(x, state)
            return state

    device = Fake(repeat(0.01))
    row = archscope.latency(Loop(), ((2, 4),), device=device, mode=mode, max_seconds=1).iloc[0]
    assert (row.form, row.steps) == ("unrolled", 7)


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
    row = measured((), on=device, graph=True, cold=True).iloc[0]
    assert device.graphs == row.builds > 6 and all(device.cold)


def test_a_few_runs_have_no_interval_and_the_table_says_so():
    def told(seconds):
        rows = measured(repeat(seconds), max_seconds=10).to_dict("records")
        return " ".join(latency_table(rows).rows[0].below)

    assert told(12.0).endswith("the interval is the range of 1 run")
    assert told(4.0).endswith("the interval is the range of 3 runs")
    assert "range" not in told(1.7)


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


def test_the_warm_up_of_a_short_measurement_is_short():
    device = Fake(1e-3 * 1.1**i for i in range(100))  # never steady
    archscope.latency(nn.Linear(4, 4), ((1, 4),), device=device, max_seconds=0.02)
    assert device.clock < 10 * 0.02 + 1


def test_a_sleep_takes_as_long_as_it_says():
    class Sleeps(nn.Module):
        def forward(self, x):
            if not x.is_meta:
                import time

                time.sleep(0.005)
            return x + 1

    row = archscope.latency(Sleeps(), ((1,),), max_seconds=0.3).iloc[0]
    assert 5 <= min(row.samples_ms) < 10  # a loaded machine sleeps longer, but not every time
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
        ({"precision": 0}, "above 0"),
        ({"batch": [1, 1]}, "twice"),
        ({"device": 5}, "must be a name"),
        ({"dtype": []}, "must be a text"),
    ],
)
def test_a_wrong_request_says_what_is_right(arguments, says):
    with pytest.raises(InvalidInput, match=says):
        archscope.latency("rnn", **arguments)


def test_a_sample_makes_batches_and_whole_inputs_bring_their_own(tmp_path):
    def batches(model, inputs=None, **given):
        device = Fake(repeat(0.01))
        found = archscope.latency(model, inputs, device=device, max_seconds=2, **given)
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
