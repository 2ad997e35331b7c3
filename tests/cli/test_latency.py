"""The measuring commands, with few and short runs."""

import importlib
import json

import pytest

from archscope.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_latency_shows_a_row_per_batch_size_and_its_conditions(capsys):
    arguments = ["rnn", "--seq-len", "5", "--batch", "1,2", "--max-seconds", "0.1"]
    status, out, _ = run(capsys, "latency", *arguments, "--threads", "1")
    assert status == 0
    assert "us/step" in out and "1 CPU thread." in out and "order statistics" in out


def test_latency_as_json_keeps_the_samples(capsys):
    arguments = ["resnet20-cifar", "--max-seconds", "0.1", "--format", "json"]
    status, out, _ = run(capsys, "latency", *arguments)
    (row,) = json.loads(out)
    assert status == 0
    assert len(row["samples_ms"]) == row["runs"] and row["status"] == "ok"


def test_a_recurrent_network_is_measured_fused_and_unrolled(capsys):
    arguments = ["lstm", "--seq-len", "6", "--max-seconds", "0.1", "--threads", "1"]
    status, out, _ = run(capsys, "latency", *arguments, "--format", "json")
    rows = json.loads(out)
    assert status == 0
    assert [row["form"] for row in rows] == ["fused", "unrolled"]
    for row in rows:
        assert row["steps"] == 6
        assert row["latency_ms_per_step"] * row["steps"] == pytest.approx(row["latency_ms_p50"])
    assert "unrolled" in run(capsys, "latency", *arguments)[1]


def test_a_form_that_was_asked_for_is_the_only_one(capsys):
    arguments = ["gru", "--seq-len", "3", "--set", "unrolled=true", "--max-seconds", "0.1"]
    _, out, _ = run(capsys, "latency", *arguments, "--format", "json")
    assert [row["form"] for row in json.loads(out)] == ["unrolled"]


def test_an_interrupt_shows_what_was_measured_and_is_status_130(capsys, monkeypatch):
    from archscope.measure.devices import Cpu

    take, calls = Cpu.sample, []

    def interrupted(self, run, *, cold=False):
        calls.append(run)
        if len(calls) > 215:  # after the longest warm-up
            raise KeyboardInterrupt
        return take(self, run, cold=cold)

    monkeypatch.setattr(Cpu, "sample", interrupted)
    arguments = ["rnn", "--seq-len", "5", "--batch", "1,2", "--precision", "1e-9"]
    arguments += ["--max-seconds", "0.9"]
    status, out, _ = run(capsys, "latency", *arguments)
    assert status == 130
    assert "partial" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rnn", "--batch", "1,x"], "1,2,4,8"),
        (["rnn", "--device", "cuda:99"], "there is no cuda:99"),
        (["rnn", "--device", "h100"], "cpu, cuda or cuda:N"),
        (["rnn", "--precision", "0"], "--precision"),
    ],
)
def test_a_wrong_request_is_told_in_one_line(capsys, arguments, says):
    status, out, err = run(capsys, "latency", *arguments)
    assert (status, out) == (2, "")
    assert says in err and err.count("\n") == 1


def test_a_file_that_must_not_be_written_is_told_before_anything_is_measured(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr("archscope.cli.output.os.access", lambda *_: False)
    status, out, err = run(capsys, "latency", "rnn", "-o", str(tmp_path / "rnn.csv"))
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert "cannot write" in err and "permission denied" in err


def test_env_shows_versions(capsys):
    import torch

    status, out, _ = run(capsys, "env", "--format", "json")
    assert status == 0 and json.loads(out)["torch"] == torch.__version__


def test_device_list_has_every_card_with_its_source(capsys):
    status, out, _ = run(capsys, "device", "list", "--format", "json")
    assert status == 0
    assert all(card["source"] for card in json.loads(out)["published"])


def test_roofline_adds_up(capsys):
    status, out, _ = run(capsys, "roofline", "alexnet", "--device", "v100", "--format", "json")
    whole = json.loads(out)
    assert status == 0
    least = sum(row["least_ms"] for row in whole["layers"])
    assert least == pytest.approx(whole["totals"]["least_ms"])


def test_an_unknown_card_offers_the_nearest(capsys):
    status, _, err = run(capsys, "roofline", "alexnet", "--device", "h101")
    assert status == 2 and "h100" in err


def test_energy_without_a_counter_is_one_line(capsys, monkeypatch):
    from archscope.measure import devices
    from archscope.measure.meters import NoMeter

    monkeypatch.setattr(devices, "meter_of_cpu", lambda: NoMeter("no counter"))
    status, out, err = run(capsys, "energy", "rnn", "--device", "cpu")
    assert (status, out) == (2, "")
    assert "no counter" in err and err.count("\n") == 1


def test_energy_shows_its_windows(capsys, monkeypatch):
    measured = importlib.import_module("archscope.measure.energy")  # not the function
    idle = measured.Window(50, 5, 0)
    windows = [measured.Window(70, 5, 10)] * 3
    row = {"model": "rnn", "device_title": "x", "meter": "m", "batch": 2, "dtype": "fp32"}
    row |= {"mode": "inference", "status": "ok", "disturbed": "", "torch": "2"}
    row |= {"date": "2026-01-31T12:00:00+00:00"}
    row |= measured.columns(windows, idle, batch=2)
    monkeypatch.setattr(measured, "energy_rows", lambda *args, **how: [row])
    status, out, _ = run(capsys, "energy", "rnn")
    assert status == 0 and "3500" in out and "1000" in out and "2026-01-31" in out


def test_layers_add_up_to_the_whole(capsys):
    arguments = ["resnet20-cifar", "--layers", "--threads", "1", "--max-seconds", "0.2"]
    status, out, _ = run(capsys, "latency", *arguments, "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert sum(row["self_ms"] for row in found["layers"]) == pytest.approx(found["whole_ms"])
    assert found["whole_ms"] == pytest.approx(found["clock_ms"], rel=0.02)
    assert [row["path"] for row in found["layers"][-3:]] == ["(launch)", "(host)", "(idle)"]
    assert "slowdown" in found and found["status"] == "ok"


def test_layers_of_several_batch_sizes_are_refused(capsys):
    status, _, err = run(capsys, "latency", "rnn", "--layers", "--batch", "1,2")
    assert status == 2 and "one batch size" in err


def test_a_calibration_is_shown_beside_the_cards(capsys, monkeypatch, tmp_path):
    calibration = importlib.import_module("archscope.measure.calibration")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(calibration, "CPU_SIZES", calibration.Sizes(32, 4096))
    arguments = ["calibrate", "--threads", "1", "--max-seconds", "0.02"]
    status, out, _ = run(capsys, "device", *arguments)
    assert status == 0 and "calibrated here" in out
    assert "calibrated here" in run(capsys, "device", "list")[1]
