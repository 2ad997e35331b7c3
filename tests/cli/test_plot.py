"""``archscope plot`` writes a picture, or says in one line why not."""

import csv
import importlib
import re

import pytest

from archscope.cli import main
from archscope.cli.kinds import OPTIONS
from archscope.cli.plot import KINDS, plot


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["plot", *map(str, arguments)])
    return end.value.code


@pytest.fixture
def measurements(tmp_path):
    """A file as ``archscope latency`` and ``energy`` write it, its numbers made up."""
    file = tmp_path / "measured.csv"
    rows = [
        {
            "model": model,
            "batch": batch,
            "dtype": "fp32",
            "mode": "inference",
            "status": "out of memory" if (model, batch) == ("alexnet", 8) else "ok",
            "device_title": "Some GPU",
            "torch": "2.13.0",
            "date": "2026-11-20",
            "latency_ms_p50": "" if (model, batch) == ("alexnet", 8) else 3.0 + batch,
            "throughput_per_s": "" if (model, batch) == ("alexnet", 8) else 1000 * batch / 7,
            "power_w": "" if (model, batch) == ("alexnet", 8) else 150.0,
            "idle_power_w": 60.0,
        }
        for model in ("alexnet", "resnet18", "nin-bn")
        for batch in (1, 4, 8)
    ]
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("depth", ["plain20-cifar", "resnet20-cifar", "--samples", 1]),
        ("gradient-flow", ["plain20-cifar", "resnet20-cifar", "--samples", 1]),
        ("through-time", ["rnn", "lstm", "--samples", 1, "--seq-len", 5]),
        ("roofline", ["alexnet", "--device", "h100"]),
        ("accuracy", ["alexnet", "vgg16", "resnet18"]),
        ("accuracy-vs-ops", ["alexnet", "vgg16", "resnet18", "--density-lines", "--ops", "macs"]),
        ("accuracy-vs-depth", ["alexnet", "resnet18", "--depth", "longest"]),
        ("density", ["alexnet", "resnet18"]),
        ("timeline", ["alexnet", "resnet18", "lstm", "--cost", "macs"]),
        ("memory-vs-params", ["alexnet", "resnet18", "nin-bn"]),
        ("memory-vs-batch", ["alexnet", "resnet18", "--over", "batch=1..4"]),
        ("memory-timeline", ["resnet20-cifar", "--mode", "training", "--optimizer", "adam"]),
        ("layers", ["alexnet", "--batch", 2]),
        ("layers", ["googlenet", "--level", "block", "--cost", "macs,params"]),
        ("scaling", ["resnet18", "--over", "input=128..256:64"]),
        ("scaling", ["lstm", "gru", "--over", "seq_len=10..30:10", "--cost", "flops"]),
        ("scaling", ["resnet20-cifar", "--over", "batch=1..4", "--cost", "peak_bytes"]),
    ],
)
def test_a_picture_is_written(kind, arguments, tmp_path, capsys):
    file = tmp_path / "picture.png"
    assert run(kind, *arguments, "-o", file) == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "kind",
    ["time-vs-batch", "power-vs-batch", "ops-vs-time", "ops-vs-power", "accuracy-vs-throughput"],
)
def test_measurements_are_drawn_or_named(kind, measurements, tmp_path, capsys):
    file = tmp_path / "picture.svg"
    models = ("alexnet", "resnet18", "nin-bn")
    assert run(kind, *models, "--measured", measurements, "-o", file) == 0
    drawn = " ".join(re.findall(r">([^<>]+)</t", file.read_text(encoding="utf-8")))
    assert "Some GPU" in drawn and "2026-11-20" in drawn
    if kind.endswith("vs-batch"):
        assert "alexnet at 8" in drawn
    else:  # the panels of the least and the largest batch size that all have
        assert "batch 1" in drawn and "batch 4" in drawn and "batch 8" not in drawn
    assert run(kind, *models, "-o", tmp_path / "none.svg") == 2
    assert "`archscope" in capsys.readouterr().err.splitlines()[-1]
    assert run(kind, "vgg16", "--measured", measurements, "-o", tmp_path / "none.svg") == 2
    assert "vgg16; measure them too" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "none.svg").exists()


def test_a_network_without_figures_is_told_and_the_rest_drawn(tmp_path, capsys):
    file = tmp_path / "picture.svg"
    assert run("scaling", "vgg16", "resnet18", "--over", "input=192..256:32", "-o", file) == 1
    told = capsys.readouterr().err
    assert "vgg16 does not run at 192, 256: " in told and file.exists()


def test_the_size_is_as_asked(tmp_path):
    for size, width, height in (("3.4x4", 244.8, 288), ("7", 504, 332.64)):
        file = tmp_path / f"{size}.svg"
        assert run("accuracy", "alexnet", "resnet18", "--size", size, "-o", file) == 0
        assert f'width="{width:g}pt" height="{height:g}pt"' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pie", "vgg16", "-o", "x.png"), "depth, gradient-flow, through-time"),
        (("depth", "vgg16", "-o", "x.txt"), "a picture is a .svg, .png, .pdf or .html file"),
        (("depth", "resnet21", "-o", "x.png"), "did you mean"),
        (("through-time", "lstm", "-o", "/nowhere/x.png", "--seq-len", "3"), "cannot write"),
        (("depth", "vgg16"), "missing option"),
        (("accuracy", "lstm", "-o", "x.png"), "no network here has top1; give a table"),
        (("accuracy", "alexnet", "-o", "x.png", "--size", "big"), "write 3.4x3.6"),
        (("accuracy", "alexnet", "-o", "x.png", "--size", "1x1"), "between 2 and 50 inches"),
        (("layers", "alexnet", "vgg16", "-o", "x.png"), "layers is of one model, not of 2"),
        (("layers", "alexnet", "--cost", "taste", "-o", "x.png"), "layers have one of macs"),
        (("roofline", "alexnet", "-o", "x.png"), "--device NAME"),
        (("scaling", "alexnet", "-o", "x.png"), "--over input=128..512"),
        (("scaling", "alexnet", "--over", "width=1..2", "-o", "x.png"), "input=128..512, batch"),
        (("scaling", "lstm", "--over", "input=1..2", "-o", "x.png"), "no image"),
        (("accuracy", "alexnet", "--mode", "training", "-o", "x.png"), "is of inference"),
    ],
)
def test_a_wrong_request_gets_one_line(arguments, message, capsys):
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_help_names_every_kind(capsys):
    with pytest.raises(SystemExit):
        main(["plot", "--help"])
    told = capsys.readouterr().out
    assert all(kind in told for kind in KINDS)


@pytest.mark.parametrize(
    "words, says",
    [
        ("accuracy alexnet --level block", "--level changes nothing in accuracy; it is for layers"),
        ("graph alexnet --dtype bf16", "--dtype changes nothing in graph"),
        ("graph alexnet --size 4x4", "--size changes nothing in graph"),
        ("gradient-flow alexnet --seeds 2", "--seeds changes nothing in gradient-flow"),
        ("depth alexnet --batch 2", "--batch changes nothing in depth"),
        ("depth alexnet --measured m.json --samples 2", "gradients that are measured now"),
        ("layers alexnet --measured-where x==1", "--measured-where changes nothing in layers"),
        ("density alexnet --measured m.csv", "--measured changes nothing in density"),
        ("memory-timeline alexnet --optimizer adam --cost macs", "--cost changes nothing in mem"),
        ("memory-vs-batch alexnet --batch 4", "--batch changes nothing in memory-vs-batch"),
        ("scaling alexnet --over batch=1..4 --batch 2", "is what --over batch=... varies"),
        ("accuracy-vs-depth alexnet --measured m.json", "is for --depth effective"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(words, says, tmp_path, capsys):
    place = tmp_path / "picture.svg"
    assert run(*words.split(), "-o", place) == 2
    assert says in capsys.readouterr().err
    assert not place.exists()


def test_every_kind_says_which_options_it_has():
    known = {parameter.name for parameter in plot.params}
    assert set(OPTIONS) == set(KINDS)
    assert {name for names in OPTIONS.values() for name in names} <= known


def test_a_graph_is_of_the_inputs_that_are_given(tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Sum(nn.Module):\n"
        "    def __init__(self): super().__init__(); self.a = nn.Linear(4, 4)\n"
        "    def forward(self, x, y): return self.a(x) + y\n"
        "def make(batch=1): return torch.zeros(batch, 4), torch.zeros(batch, 4)\n"
    )
    place = tmp_path / "graph.svg"
    made = f"{tmp_path}/net.py"
    given = ("--inputs-from", f"{made}:make", "--batch", 5)
    assert run("graph", f"{made}:Sum", *given, "-o", place) == 0
    assert "batch 5" in place.read_text()


@pytest.mark.parametrize("kind", ["depth", "gradient-flow"])
def test_gradients_are_measured_at_the_input_that_is_given(kind, tmp_path):
    place = tmp_path / "picture.svg"
    given = ("--input", "3x16x16", "--samples", 1, "--set", "num_classes=7")
    assert run(kind, "resnet20-cifar", *given, "-o", place) == 0
    assert "3x16x16" in place.read_text()


def test_an_interrupt_ends_a_picture_before_it_is_written(tmp_path, monkeypatch, capsys):
    comparing = importlib.import_module("archscope.comparison.compare")
    analysed = comparing.network_row

    def interrupted(model, *given, **more):
        if model == "vgg16":
            raise KeyboardInterrupt
        return analysed(model, *given, **more)

    monkeypatch.setattr(comparing, "network_row", interrupted)
    place = tmp_path / "picture.svg"
    assert run("accuracy", "alexnet", "vgg16", "-o", place) == 130
    assert not place.exists()
    assert "error" not in capsys.readouterr().err
