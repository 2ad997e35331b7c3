"""The command for a GPU machine, on a device whose clock and times are made up."""

import json
import sys
from itertools import repeat
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "measure"))
from fake import Fake

from archscope.errors import ArchscopeError
from archscope.measure.attribution import Events, Kernel, Launch, Span
from benchmarks import device_truth
from benchmarks.device_points import Bench
from benchmarks.device_truth import (
    PHASES,
    Phase,
    Task,
    _part,
    cut,
    measure_all,
    possible,
    short,
    slug,
    table,
    write,
)
from benchmarks.resumable import Rows

NETWORKS = ("rnn", "lstm")
KEY = ("kind", "model", "batch")


class PaperMemory:
    def resident(self):
        return 1024

    def peak(self, run):
        return 1_000_000


def profiler(network, run, *, on_cpu):
    run()
    spans = [Span("", 1, 1, 0, 900)]
    return Events(0, 1000, 1, spans, (), [Launch(1, 1, 10)], [Kernel(1, 20, 800)]), 1e-6


def bench(seconds=0.01, each_wait=0.5):
    device = Fake(seconds if hasattr(seconds, "__iter__") else repeat(seconds))
    device.each_wait = each_wait
    return Bench(device, PaperMemory(), profiler=profiler)


def run(of, tmp_path, budget, phases=PHASES, networks=NETWORKS):
    rows = Rows(tmp_path / "rows.jsonl", KEY)
    measure_all(of, phases, networks, rows, of.device.now() + budget, lambda line: None)
    return rows


def test_with_time_enough_nothing_is_cut(tmp_path):
    of = bench()
    rows = run(of, tmp_path, 560)
    assert cut(rows, PHASES, NETWORKS) == []
    frame = table(rows.all, [])
    assert len(frame) == 2 * 7
    one = frame[(frame.model == "lstm") & (frame.batch == 16)].iloc[0]
    assert one.latency_ms_p50 == pytest.approx(5) and one.graph_latency_ms_p50 == pytest.approx(5)
    assert one.energy_status == "ok" and one.energy_mj > 0
    assert one.layers_unexplained == pytest.approx(0)
    assert one.peak_error == pytest.approx((one.predicted_peak_bytes + 1024) / 1e6 - 1)


@pytest.mark.parametrize("budget", [20, 40])
def test_it_ends_in_time_and_says_what_was_cut(tmp_path, budget):
    of = bench(0.05)
    rows = run(of, tmp_path, budget)
    assert of.device.now() <= budget + 2
    missing = cut(rows, PHASES, NETWORKS)
    assert missing
    frame = table(rows.all, missing)
    assert "cut: no time left" in set(frame.stack())


def test_a_batch_that_is_too_slow_for_what_is_left_is_not_begun(tmp_path):
    phases = [Phase("latency", (1, 64), 1.0, 0.5)]
    rows = run(bench(1.0), tmp_path, 60, phases, ["lstm"])
    assert [row["batch"] for row in rows.all] == [1]  # 64 would take half a minute a run


def test_the_same_command_goes_on_where_it_ended(tmp_path):
    first = run(bench(0.05), tmp_path, 60)
    before = [dict(row) for row in first.all]
    again = run(bench(0.05), tmp_path, 560)
    assert again.all[: len(before)] == before
    assert cut(again, PHASES, NETWORKS) == []


def test_an_interrupt_keeps_the_rows_before_it(tmp_path):
    of = bench([*repeat(0.5, 40), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        run(of, tmp_path, 560)
    kept = Rows(tmp_path / "rows.jsonl", KEY)
    assert [row["model"] for row in kept.all] == ["rnn"]


def test_out_of_memory_is_a_row(tmp_path):
    phases = [Phase("latency", (1,), 1.0, 0.5)]
    rows = run(bench([torch.OutOfMemoryError("no")]), tmp_path, 60, phases, ["lstm"])
    assert rows.all[0]["status"] == "out of memory"


def test_whatever_fails_is_a_row_and_the_others_go_on(tmp_path):
    def broken(network, run, *, on_cpu):
        raise KeyError("no such event")

    of = bench()
    of.profiler = broken
    rows = run(of, tmp_path, 560)
    assert cut(rows, PHASES, NETWORKS) == []
    statuses = {(row["kind"], row["status"]) for row in rows.all}
    assert ("layers", "failed: KeyError: 'no such event'") in statuses
    assert {("latency", "ok"), ("energy", "ok")} <= statuses
    frame = write(tmp_path, of.device, of, rows, [], 12.0)
    assert set(frame.layers_status.dropna()) == {"failed: KeyError: 'no such event'"}
    assert len(short(frame, [1, 16])) == len(NETWORKS)


def test_a_fault_of_the_device_ends_it_with_the_rows_before(tmp_path):
    class Faulty(Fake):
        def wait(self):
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")

    of = Bench(Faulty(repeat(0.01)), PaperMemory(), profiler=profiler)
    with pytest.raises(ArchscopeError, match=r"not answer any more .CUDA error: an illegal"):
        run(of, tmp_path, 560)
    *before, last = Rows(tmp_path / "rows.jsonl", KEY).all
    assert {row["status"] for row in before} == {"ok"} and "illegal" in last["status"]


def test_the_whole_command_runs_on_a_gpu_on_paper(tmp_path, monkeypatch):
    device = Fake(repeat(0.001))
    device.each_wait = 0.25
    monkeypatch.setattr(device_truth, "device_at_hand", lambda name: device)
    monkeypatch.setattr(device_truth, "CudaMemory", lambda device: PaperMemory())
    monkeypatch.setattr(device_truth, "QUICK", NETWORKS)
    monkeypatch.setattr(
        device_truth, "calibrate", lambda *_, **how: [{"status": "ok", "tflops": {"fp32": 1.0}}]
    )
    monkeypatch.setattr(device_truth, "Bench", lambda *given: Bench(*given, profiler=profiler))
    result = CliRunner().invoke(device_truth.main, ["--quick", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    data = json.loads((tmp_path / "fake.json").read_text())
    assert {row["status"] for row in data["rows"]} == {"ok"}
    assert device.clock <= 90


def test_a_file_says_which_dtype_it_is_of():
    assert slug(Fake(())) == "fake" and slug(Fake(()), "bf16") == "fake-bf16"


def test_both_files_and_the_short_table_have_what_was_measured(tmp_path):
    of = bench()
    rows = run(of, tmp_path, 560)
    frame = write(tmp_path, of.device, of, rows, [], 12.0)
    data = json.loads((tmp_path / "fake.json").read_text())
    assert data["conditions"]["torch"] == torch.__version__ and data["conditions"]["cut"] == []
    assert len(data["rows"]) == len(rows.all)
    assert data["rows"][0]["samples_ms"]
    assert len((tmp_path / "fake.csv").read_text().splitlines()) == len(frame) + 1
    assert list(short(frame, [1, 16]).index) == list(NETWORKS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_nothing_is_measured_or_written(tmp_path):
    result = CliRunner().invoke(device_truth.main, ["--out", str(tmp_path / "none")])
    assert result.exit_code != 0
    assert not (tmp_path / "none").exists()


def test_without_a_counter_of_energy_the_others_have_its_time():
    class NoCounter(Fake):
        def meter(self):
            raise ArchscopeError("no counter here")

    energy, *others = possible(PHASES, NoCounter(repeat(0.01)))
    assert (energy.kind, energy.share, energy.least) == ("energy", 0.0, 0.0)
    assert [phase.kind for phase in others] == ["latency", "layers", "latency"]
    assert others[-1].share == pytest.approx(1)
    with_counter = [phase.share for phase in PHASES if phase.kind == "latency"]
    assert others[0].share > 1.5 * with_counter[0]
    # What they share is in the proportions of before: 0.19, then 0.16 of the rest.
    first, second = others[0].share, (1 - others[0].share) * others[1].share
    assert second / first == pytest.approx(0.81 * 0.16 / 0.19)


def test_with_a_counter_the_plan_is_as_it_stands():
    assert possible(PHASES, bench().device) == list(PHASES)


def test_a_slow_network_gets_more_of_the_time(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl", KEY)
    for model, ms in (("rnn", 1.0), ("lstm", 500.0)):
        rows.add({"kind": "latency", "model": model, "batch": 1, "latency_ms_p50": ms})
    quick, slow = (Task("layers", model, 16) for model in ("rnn", "lstm"))
    parts = _part(rows, [quick, slow]), _part(rows, [slow, quick])
    assert sum(parts) == pytest.approx(1)
    assert parts[1] == pytest.approx((1 + 6 * 8) / (1 + 6 * 8 + 1 + 6 * 0.016))
