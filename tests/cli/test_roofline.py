"""The roofline command, on cards and on the device at hand."""

import json

import pytest

import archscope
from archscope.calibrated import remember
from archscope.cli import cli
from archscope.cli.errors import guarded


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(capsys, *arguments):
    status = guarded(cli, arguments)
    out, err = capsys.readouterr()
    return status, out, err


def calibrated():
    from archscope.measure.devices import cpu_title

    row = {
        "device": "cpu",
        "title": cpu_title(),
        "threads": 1,
        "date": "2026-11-23T00:00:00+00:00",
        "torch": "2.13",
        "tflops": {"fp32": 0.25, "bf16": None},
        "bandwidth_gb_s": 40.0,
        "cache_gb_s": 200.0,
        "cache_bytes": 1 << 25,
        "launch_us": 0.5,
    }
    remember([row])


def test_a_card_needs_no_device_at_hand(capsys):
    status, out, _ = run(capsys, "roofline", "alexnet", "--device", "k40", "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert found["device"]["name"] == "k40" and found["dtype"] == "fp32"
    assert sum(layer["least_ms"] for layer in found["layers"]) == pytest.approx(
        found["totals"]["least_ms"]
    )


def test_the_device_at_hand_has_the_ceilings_that_were_measured(capsys):
    calibrated()
    arguments = ["roofline", "alexnet", "--device", "cpu", "--threads", "1"]
    status, out, _ = run(capsys, *arguments, "--format", "json")
    device = json.loads(out)["device"]
    assert status == 0
    assert (device["basis"], device["fp32_tflops"], device["launch_us"]) == ("measured", 0.25, 0.5)
    status, out, _ = run(capsys, *arguments)
    assert "200 GB/s in cache" in out and "assumed" not in out


def test_a_device_that_was_not_calibrated_says_how_to(capsys):
    calibrated()
    status, out, err = run(capsys, "roofline", "alexnet", "--device", "cpu", "--threads", "3")
    assert (status, out) == (2, "")
    assert "archscope device calibrate --device cpu --threads 3" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "h101"], "did you mean h100"),
        (["--device", "h100", "--threads", "2"], "not for h100"),
        (["--device", "h100", "--plot", "x.gif"], ".svg"),
        (["--device", "h100", "--measured", "x.csv"], "--plot"),
        (["--device", "h100", "--plot", "x.svg", "--measured", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_a_wrong_request_is_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "roofline", "alexnet", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not list(tmp_path.glob("x.*"))


def test_a_table_of_something_else_is_no_measurement(capsys, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    picture = tmp_path / "x.svg"
    arguments = ["--device", "h100", "--plot", str(picture), "--measured", str(other)]
    status, _, err = run(capsys, "roofline", "alexnet", *arguments)
    assert status == 2 and "self_ms" in err and not picture.exists()


def test_a_dtype_that_a_card_lacks_is_said_to_run_at_another_s_rate(capsys):
    arguments = ["--device", "k40", "--width", "200"]
    _, out, _ = run(capsys, "roofline", "alexnet", *arguments, "--dtype", "bf16")
    assert "bf16 at the rate of fp32" in out
    assert "at the rate of" not in run(capsys, "roofline", "alexnet", *arguments)[1]


@pytest.mark.parametrize("time", ["inf", "-3"])
def test_what_is_no_time_is_refused(capsys, tmp_path, time):
    own, picture = tmp_path / "own.csv", tmp_path / "x.svg"
    own.write_text(f"path,self_ms\nconv1,{time}\nfc6,9.0\n")
    arguments = ["--device", "h100", "--plot", str(picture), "--measured", str(own)]
    status, out, err = run(capsys, "roofline", "alexnet", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "conv1 is no time" in err and not picture.exists()


def test_times_of_another_batch_size_are_refused(capsys, tmp_path):
    flops = archscope.analyze("alexnet", batch=2).totals["flops"]
    own, picture = tmp_path / "own.csv", tmp_path / "x.svg"
    own.write_text(f"path,self_ms,flops\nconv1,2.0,{flops - 5}\nfc6,9.0,5\n(gap),1.0,0\n")
    arguments = ["--device", "h100", "--plot", str(picture), "--measured", str(own)]
    assert run(capsys, "roofline", "alexnet", "--batch", "2", *arguments)[0] == 0
    picture.unlink()
    status, _, err = run(capsys, "roofline", "alexnet", *arguments)
    assert status == 2 and "another run" in err and not picture.exists()


def test_it_is_drawn_with_measured_times(capsys, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("path,self_ms\nconv1,2.0\nfc6,9.0\n(gap),1.0\n")
    picture = tmp_path / "roofline.svg"
    arguments = ["--device", "h100", "--plot", str(picture), "--measured", str(own)]
    status, _, _ = run(capsys, "roofline", "alexnet", *arguments)
    text = picture.read_text()
    assert status == 0 and "at the roof" in text and "fc6" in text


def test_plot_roofline_wants_one_model_and_a_device(capsys, tmp_path):
    picture = str(tmp_path / "roofline.png")
    status, _, _ = run(capsys, "plot", "roofline", "alexnet", "--device", "h100", "-o", picture)
    assert status == 0
    status, _, err = run(capsys, "plot", "roofline", "alexnet", "-o", picture)
    assert status == 2 and "--device" in err


def test_latency_is_predicted_where_efficiency_was_measured(capsys):
    arguments = ["latency", "alexnet", "--predict", "--batch", "1,2", "--device"]
    status, out, _ = run(capsys, *arguments, "cpu-amd-epyc-1t", "--format", "json")
    rows = json.loads(out)
    assert status == 0 and [row["batch"] for row in rows] == [1, 2]
    assert all(row["latency_ms_low"] < row["latency_ms_p50"] for row in rows)
    status, out, _ = run(capsys, *arguments, "cpu-amd-epyc-1t")
    assert "amilies left out" in out and "90 % interval" in out


@pytest.mark.parametrize(
    "option", ["--layers", "--compile", "--graph", "--cold", "--channels-last"]
)
def test_a_prediction_refuses_what_it_knows_nothing_of(capsys, option):
    status, out, err = run(capsys, "latency", "alexnet", "--predict", "--device", "h100", option)
    assert (status, out) == (2, "") and option in err


def test_a_prediction_is_of_inference(capsys):
    arguments = ["--predict", "--device", "h100", "--mode", "training"]
    status, _, err = run(capsys, "latency", "alexnet", *arguments)
    assert status == 2 and "inference" in err


def test_the_list_marks_what_no_page_confirms(capsys):
    status, out, _ = run(capsys, "device", "list", "--width", "140")
    assert status == 0 and "104.8?" in out and "989.4?" not in out
    assert "cpu-amd-epyc-1t" in out
