"""``archscope compare`` as a person runs it."""

import csv
import importlib
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from torch import nn

import archscope
from archscope.cli import main
from archscope.comparison.columns import COLUMNS
from archscope.report.compare import render

FEW = ("--analyses", "compute")
ZOOS = str(Path(__file__).parents[2] / "reports" / "data" / "zoo-study.csv.gz")


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr("archscope.cli.compare._BETWEEN_REMARKS", float("inf"))

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["compare", *arguments])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return call


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_fits_and_says_what_it_leaves_out(run, width):
    models = ("alexnet", "vgg16", "googlenet", "resnet50", "inception-v3", "resnet18-a")
    code, out, err = run(*models, "--width", str(width))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= width
    assert ("% per Mparam" in lines[2]) == (width == 140)
    assert ("Too narrow for family, shortest" in out) == (width == 80)
    for text in ("1 MAC = one multiply", "batch 1", "single-crop", "a 10-crop", "on the front"):
        assert text in " ".join(lines)
    (row,) = [line for line in lines if line.startswith("resnet18-a")]
    assert "72.12 a" in row


def test_csv_and_json_have_every_column_in_raw_numbers(run):
    code, out, _ = run("resnet110-cifar", "vgg16", "--format", "csv")
    rows = list(csv.DictReader(StringIO(out)))
    assert code == 0 and list(rows[0]) == list(COLUMNS)
    assert rows[0]["paths"] == str(2**54)
    assert rows[1]["input_shape"] == "1x3x224x224" and rows[1]["effective_depth"] == ""
    _, out, _ = run("resnet110-cifar", "vgg16", "--format", "json")
    found = json.loads(out)
    assert found[0]["paths"] == 2**54
    assert found[1]["macs"] == 15470264320 and found[1]["effective_depth"] is None
    assert found[1]["input_shape"] == [1, 3, 224, 224]


def test_columns_are_exactly_those_asked_for(run):
    _, out, _ = run(
        "vgg16", "--columns", "model,paths,macs", "--format", "csv", *FEW, "--where", "1 < 2"
    )
    assert out == "model,paths,macs\nvgg16,,15470264320\n"
    code, out, err = run("vgg16", "--columns", "model,mac")
    assert (code, out) == (2, "") and "did you mean macs" in err


def test_conditions_order_and_multiples(run):
    _, out, _ = run(
        *("alexnet", "resnet18", "vgg16", *FEW, "--where", "top1 > 60", "--sort", "macs,desc"),
        *("--relative-to", "resnet50", "--columns", "model,macs_relative", "--format", "csv"),
    )
    rows = list(csv.reader(StringIO(out)))
    assert [row[0] for row in rows] == ["model", "vgg16", "resnet50", "resnet18"]
    assert float(rows[2][1]) == 1


def test_a_network_that_fails_is_a_row_and_status_1(run, tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\nclass Net(nn.Module):\n"
        "    def forward(self, x):\n        raise ValueError('100% of_it & more')\n"
    )
    arguments = ("alexnet", f"{file}:Net", "--input", "3x227x227")
    code, out, err = run(*arguments)
    assert code == 1
    assert "724M" in out and "100% of_it" in out and "warning" in err and "Traceback" not in err
    code, out, _ = run(*arguments, "--where", "macs > 0")
    assert code == 1 and "100% of_it" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vgg61"], "did you mean"),
        (["vgg16", "--where", "__import__('os').system('true')"], "runs no code"),
        (["vgg16", "--where", "parms < 3"], "did you mean params"),
        (["vgg16", "--sort", "macs,up"], "macs,desc"),
        (["vgg16", "--protocol", "crop"], "single-crop"),
        (["vgg16", "--analyses", "macs"], "compute"),
        (["vgg16", "--accuracy", "no.csv"], "cannot be read"),
        (["vgg16", "--measured", "no.csv"], "cannot be read"),
        (["vgg16", "--relative-to", "resnet05"], "did you mean"),
        (["vgg16", "--input", "3y4"], "3x224x224"),
        (["vgg16", "--dtype", "fp7"], "fp32"),
        (["vgg16", "-o", "table.parquet"], "parquet"),
        (["vgg16", "-o", "table"], "format"),
        (["vgg*61"], "unknown pattern"),
        (["--from", ZOOS, "--protocol", "crop"], "single-crop"),
        (["--from", ZOOS, "--where", "params < 1e999"], "finite"),
        ([], "archscope"),
    ],
)
def test_a_wrong_request_is_one_line_and_status_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1


def test_an_interrupt_shows_what_is_done_and_is_status_130(run, monkeypatch):
    module = importlib.import_module("archscope.comparison.compare")
    whole = module.network_row

    def row(model, *args, **kwargs):
        if model == "vgg16":
            raise KeyboardInterrupt
        return whole(model, *args, **kwargs)

    monkeypatch.setattr(module, "network_row", row)
    code, out, _ = run("alexnet", "vgg16", "googlenet", *FEW)
    assert code == 130
    assert "724M" in out and "interrupted" in out


def test_a_long_comparison_says_where_it_is(run, monkeypatch):
    monkeypatch.setattr("archscope.cli.compare._BETWEEN_REMARKS", 0)
    _, _, err = run("alexnet", "vgg16", *FEW)
    assert err.splitlines() == ["archscope: 1 of 2: alexnet", "archscope: 2 of 2: vgg16"]


@pytest.mark.parametrize("ending", ["csv", "json", "md", "tex", "html", "txt"])
def test_a_file_has_the_format_of_its_ending(run, tmp_path, ending):
    file = tmp_path / f"table.{ending}"
    code, out, _ = run("alexnet", *FEW, "-o", str(file))
    assert (code, out) == (0, "")
    marks = {
        "csv": "724406816",
        "json": "724406816",
        "tex": r"\toprule",
        "html": "<td",
        "md": "---:",
    }
    assert marks.get(ending, "724M") in file.read_text()


def test_help_needs_no_torch():
    code = "import sys; from archscope.cli import main\ntry: main(['compare', '--help'])\n"
    code += "finally: assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--relative-to" in done.stdout


def test_latex_compiles_as_it_is(run, program, tmp_path):
    names = ["a_b & 50 %", "naïve ≥ β", "[*] #1 {x} $y^2~", "中文 <|>"]
    (tmp_path / "accuracy.csv").write_text(
        "model,top1,protocol\n"
        + "".join(f'"{name}",{50 + i},p_{i}\n' for i, name in enumerate(names))
    )
    frame = archscope.compare(
        {name: nn.Linear(4, i + 1) for i, name in enumerate(names)},
        inputs=((1, 4),),
        accuracy=tmp_path / "accuracy.csv",
    )
    _, own, _ = run("alexnet", "torchvision:resnet18", "char-rnn", "--format", "latex")
    tables = render(frame, "latex") + own
    source = tmp_path / "table.tex"
    source.write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{tables}\\end{{document}}\n",
        encoding="utf-8",
    )
    command = [program("pdflatex"), "-interaction=nonstopmode", "-halt-on-error", source.name]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    overfull = [line for line in done.stdout.splitlines() if line.startswith("Overfull")]
    assert not overfull
