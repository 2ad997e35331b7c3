"""What is asked about a model means the same in every command, and what contradicts is refused."""

import json
from typing import NamedTuple

import pytest

from archscope.cli import main
from archscope.cli.errors import WRONG_REQUEST

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.inner = nn.Linear(16, width)
        self.outer = nn.Linear(width, 4)

    def forward(self, x, scale):
        return self.outer(self.inner(x).relu()) * scale


def make(batch=1):
    return {"x": torch.zeros(batch, 16), "scale": torch.ones(batch, 4)}


def three():
    return torch.zeros(3, 16), torch.ones(3, 4)
"""
MACS = 16 * 8 + 8 * 4  # of one sample


class Names(NamedTuple):
    model: str
    make: str
    three: str


@pytest.fixture
def net(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(NET)
    return Names(*(f"{file}:{name}" for name in ("Net", "make", "three")))


def ended(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    out, err = capsys.readouterr()
    return end.value.code, out, err


def refused(capsys, *arguments):
    status, out, err = ended(capsys, *arguments)
    assert (status, out) == (WRONG_REQUEST, "")
    assert len(err.splitlines()) == 1
    return err


def answered(capsys, *arguments):
    status, out, err = ended(capsys, *arguments)
    assert status == 0, err
    return json.loads(out)


@pytest.mark.parametrize("option", ["--inputs-from", "--inputs"])
def test_a_function_makes_the_inputs_of_a_table(capsys, net, option):
    totals = answered(capsys, "table", net.model, option, net.three, "--format", "json")["totals"]
    assert totals["macs"] == 3 * MACS


def test_a_function_makes_the_inputs_of_both_sides(capsys, net):
    options = ("--inputs-from", net.make, "--batch", "2", "--set-after", "width=16")
    totals = answered(capsys, "diff", net.model, net.model, *options, "--format", "json")["totals"]
    assert totals["macs"] == {"before": 2 * MACS, "after": 4 * MACS, "delta": 2 * MACS}


def test_a_function_makes_the_inputs_for_every_counter(capsys, net):
    options = ("--inputs-from", net.make, "--batch", "2", "--with", "torch")
    found = answered(capsys, "audit", net.model, *options, "--format", "json")
    assert found["macs"] == found["verdicts"][0]["macs"] == 2 * MACS


@pytest.mark.parametrize("format", ["perfetto", "model-explorer"])
def test_a_function_makes_the_inputs_of_an_export(capsys, net, format):
    found = answered(capsys, "export", format, net.model, "--inputs-from", net.three)
    assert str(3 * 16 * 8) in json.dumps(found)


def test_a_function_makes_the_inputs_of_a_check(capsys, net):
    options = ("--inputs-from", net.make, "--batch", "2", "--max-macs", "1K")
    assert (
        answered(capsys, "check", net.model, *options, "--format", "json")[0]["value"] == 2 * MACS
    )


def test_a_batch_is_refused_where_the_function_takes_none(capsys, net):
    message = refused(capsys, "table", net.model, "--inputs-from", net.three, "--batch", "2")
    assert "net.py:three takes no batch=" in message


def test_two_kinds_of_inputs_are_refused(capsys, net):
    message = refused(capsys, "depth", net.model, "--input", "16", "--inputs-from", net.make)
    assert "either --input or --inputs-from" in message


@pytest.mark.parametrize("text", ["x:1x3x224x224", "x:3x224x224", "1x3x224x224"])
def test_the_zoo_says_how_its_input_is_written(capsys, text):
    assert "3x224x224" in refused(capsys, "table", "vgg16", "--input", text).split("not")[0]


@pytest.mark.parametrize("command", ["table", "memory", "depth", "diff", "audit", "check"])
def test_an_ending_and_a_format_that_contradict_are_refused(capsys, tmp_path, command):
    file = tmp_path / "x.json"
    models = ["nin", "nin"] if command == "diff" else ["nin"]
    options = ["-o", str(file), "--format", "csv"]
    assert "drop one" in refused(capsys, command, *models, *options)
    assert not file.exists()


def test_only_a_table_is_a_parquet_file(capsys):
    assert "ends in .csv" in refused(capsys, "depth", "nin", "-o", "nin.parquet")


def test_an_export_refuses_what_it_cannot_show(capsys):
    assert "--cost" in refused(capsys, "export", "perfetto", "nin", "--cost", "macs")
    assert "--mode" in refused(capsys, "export", "model-explorer", "nin", "--mode", "training")
