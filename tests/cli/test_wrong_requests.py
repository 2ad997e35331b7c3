"""Requests that nobody should make, and models that misbehave: told in one line, never a crash."""

import json
import re

import pytest

from archscope.cli import main

NET = """
import sys
import warnings
from torch import nn

class Net(nn.Linear):
    def __init__(self):
        super().__init__(4, 4)

class Prints(Net):
    def forward(self, x):
        print("from the model")
        return super().forward(x)

class Warns(Net):
    def forward(self, x):
        warnings.warn("out of\\ndate")
        return super().forward(x)

class Exits(Net):
    def forward(self, x):
        sys.exit(0)

class ExitsAtOnce(Net):
    def __init__(self):
        sys.exit(3)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current directory with a person's models, and files that are not what they seem."""
    monkeypatch.chdir(tmp_path)
    garbage = bytes(range(255, 0, -1)) * 8
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "script.py").write_text("import sys\nprint('at import')\nsys.exit(0)\n")
    (tmp_path / "garbage.toml").write_bytes(garbage)
    (tmp_path / "number.toml").write_text("[tool]\narchscope = 3\n")
    (tmp_path / "options.toml").write_text(
        '[tool.archscope.budgets.alexnet]\nmax-macs = "1G"\noptions = 3\n'
    )
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("table alexnet --input :3x224x224", "cannot be read"),
        ("table alexnet --input ３x２２４x２２４", "cannot be read"),
        ("table alexnet -o net.py/table.csv", "there is no directory net.py"),
        ("table script.py:Net --input 4", "SystemExit"),
        ("table net.py:ExitsAtOnce --input 4", "SystemExit"),
        ("table net.py:Exits --input 4", "SystemExit: 0"),
        ("memory net.py:Exits --input 4", "SystemExit: 0"),
        ("depth net.py:Exits --input 4", "SystemExit: 0"),
        ("check net.py:Exits --input 4 --max-macs 5G", "SystemExit: 0"),
        ("check alexnet --max-params 1e400", "no quantity"),
        ("check alexnet --max-params 1e999999999", "no quantity"),
        ("check alexnet --max-params " + 400 * "9", "more than any network has"),
        ("check --config garbage.toml", "garbage.toml cannot be read"),
        ("check --config number.toml", "archscope is no table"),
        ("check --config options.toml", "the options of alexnet are no table"),
        ("compare alexnet --columns ,", "--columns"),
        ("compare alexnet --analyses ,", "--analyses"),
        ("compare alexnet --measured-where batch==1", "--measured"),
        ("table alexnet --columns ,", "--columns"),
        ("depth alexnet --samples 3", "for --gradient"),
        ("depth net.py:Net --inputs-from net.py:x --gradient", "--data FILE"),
        ("table alexnet -o .", "it is a directory"),
        ("table alexnet --set dropout=0.1 --set dropout=0.2", "set twice"),
        ("table alexnet --columns macs,params,macs", "--columns has macs twice"),
        ("memory alexnet --fit 4GiB --batch 9", "--fit varies the batch"),
        ("compare alexnet --measured nowhere.csv", "cannot be read: there is no such file"),
        ("compare alexnet --accuracy .", ". cannot be read: Is a directory"),
        ("explore alexnet -o x.html --measured-where batch==1", "--measured file"),
        ("latency alexnet --layers --precision 0.1", "--precision changes nothing"),
        ("latency alexnet --predict --max-seconds 3", "leave --max-seconds out"),
        ("energy alexnet --device cpu --window nan", "--window"),
        ("depth alexnet --gradient --max-memory infGiB", "no size"),
        ("depth alexnet --through-time", "alexnet has no recurrent layer"),
        ("depth lstm --gradient --through-time --max-memory 1GiB", "--max-memory"),
        ("check alexnet --max-depth 1.5", "no whole number"),
        ("latency alexnet --batch 1,1", "twice"),
        ("latency alexnet --precision nan", "--precision"),
        ("latency alexnet --max-seconds nan", "--max-seconds"),
        ("latency alexnet --max-seconds inf", "--max-seconds"),
        ("latency alexnet -o nowhere/latency.csv", "there is no directory nowhere"),
        ("device calibrate --max-seconds nan", "--max-seconds"),
        ("study run --models alexnet --timeout nan", "--timeout"),
        ("audit alexnet --with ,", "--with"),
    ],
)
def test_a_wrong_request_is_told_in_one_line(capsys, folder, wrong, says):
    before = set(folder.rglob("*"))
    status, out, err = run(capsys, *wrong.split())
    assert status == 2
    assert out == ""
    assert says in err
    written = {path for path in set(folder.rglob("*")) - before if "__pycache__" not in path.parts}
    assert not written
    *printed, last = err.splitlines()
    assert last.startswith("archscope: error: ")
    assert printed in ([], ["at import"])


@pytest.mark.parametrize("command", ["table", "memory", "depth", "compare"])
@pytest.mark.parametrize("caching", [[], ["--no-cache"]])
def test_what_a_model_prints_is_not_data(capsys, folder, command, caching):
    status, out, err = run(
        capsys, command, "net.py:Prints", "--input", "4", "--format", "json", *caching
    )
    assert status == 0
    json.loads(out)
    assert "from the model" in err


def test_a_bound_of_nothing_is_missed_without_a_share(capsys):
    status, out, _ = run(capsys, "check", "alexnet", "--max-macs", "0", "--format", "json")
    assert status == 1
    assert "%" not in json.loads(out)[0]["message"]


def test_nothing_fits_into_no_memory(capsys):
    _, out, _ = run(capsys, "memory", "alexnet", "--fit", "0GiB", "--format", "json")
    assert json.loads(out)["fit"] == {"budget_bytes": 0, "largest": None}


def test_more_threads_than_a_process_can_have_are_refused(capsys, folder):
    status, out, err = run(capsys, "latency", "net.py:Net", "--input", "4", "--threads", "100000")
    assert (status, out) == (2, "")
    assert "threads must be" in err.splitlines()[-1]


def test_the_gradient_of_a_persons_model_is_measured_at_the_input_that_they_give(capsys, folder):
    arguments = ["depth", "net.py:Net", "--input", "4", "--gradient", "--samples", "2"]
    status, out, _ = run(capsys, *arguments, "--format", "json")
    assert status == 0
    assert "effective_depth" in out


def test_a_models_warning_is_a_line_without_its_source(capsys, folder):
    status, out, err = run(capsys, "table", "net.py:Warns", "--input", "4", "--no-cache")
    assert status == 0
    assert re.fullmatch(r"archscope: warning: net.py:\d+: out of date\n", err)
    assert "date" not in out


def test_a_table_of_accuracies_that_names_none_of_the_networks_is_told(capsys, folder):
    (folder / "accuracy.csv").write_text("model,top1\nvgg61,70\n")
    given = ("alexnet", "--accuracy", "accuracy.csv", "--format", "csv", "--no-cache")
    status, _, err = run(capsys, "compare", *given, "--where", "top1 > 60")
    assert status == 0
    assert "accuracy.csv has no accuracy of any of these networks; it has vgg61" in err
    (folder / "accuracy.csv").write_text("model,top1\nalexnet,70\n")
    assert run(capsys, "compare", *given)[2] == ""
