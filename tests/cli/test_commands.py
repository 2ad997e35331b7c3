"""What the commands print, and what they do not import."""

import json
import subprocess
import sys

import pytest

from archscope import __version__
from archscope.cli import COMMANDS, cli, main
from archscope.models.catalog import architectures

HEAVY = ("torch", "pandas", "matplotlib", "rich", "numpy", "fvcore", "sympy")


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    return capsys.readouterr().out


def imported_by(*arguments):
    """The packages that a command imports."""
    script = (
        "import sys\nfrom archscope.cli import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list"], ["table", "--help"]])
def test_what_needs_no_model_imports_nothing_heavy(arguments):
    assert not imported_by(*arguments) & set(HEAVY)


def test_a_table_imports_only_torch():
    heavy = {"pandas", "matplotlib", "rich", "fvcore", "sympy", "torch._dynamo"}
    assert not imported_by("table", "vgg16", "--format", "plain") & heavy


def test_help_lists_every_command(capsys):
    text = printed(capsys, "--help")
    assert all(name in text and entry.summary in text for name, entry in COMMANDS.items())
    assert printed(capsys) == text


def test_every_command_is_where_it_is_said_to_be():
    for name in COMMANDS:
        assert cli.get_command(None, name).name == name


def test_version(capsys):
    assert __version__ in printed(capsys, "--version")


def test_list_shows_every_architecture(capsys):
    lines = printed(capsys, "list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(architectures())


def test_list_takes_a_part_of_a_name_or_a_pattern(capsys):
    part = printed(capsys, "list", "VGG")
    assert "vgg16" in part and "resnet50" not in part
    pattern = printed(capsys, "list", "resnet*-cifar")
    assert "resnet20-cifar" in pattern and "preact" not in pattern


def test_a_pipe_gets_plain_text(capsys):
    text = printed(capsys, "table", "vgg16")
    assert text.isascii() and "15,237,608" in text


@pytest.mark.parametrize("value", ["hidden=512", "hidden=512 "])
def test_options_reach_the_builder_and_the_input(capsys, value):
    arguments = ["--set", value, "--seq-len", "10", "--batch", "8", "--format", "json"]
    whole = json.loads(printed(capsys, "table", "lstm", *arguments))
    assert whole["input"]["shape"] == [8, 10, 64]
    assert whole["layers"][1]["output_shape"] == [8, 10, 512]
    assert whole["totals"]["macs"] == 8 * 10 * (64 + 512) * 4 * 512


def test_input_and_settings_change_the_network(capsys):
    arguments = ["--input", "3x320x320", "--set", "num_classes=10", "--format", "json"]
    whole = json.loads(printed(capsys, "table", "resnet50", *arguments))
    assert whole["input"]["shape"] == [1, 3, 320, 320]
    assert whole["layers"][-1]["output_shape"] == [1, 10]


def test_a_truth_value_is_read_as_one(capsys):
    text = printed(capsys, "table", "rnn", "--set", "unrolled=yes", "--seq-len", "2")
    assert "again" in text


def test_output_goes_to_a_file_in_the_format_of_its_ending(capsys, tmp_path):
    path = tmp_path / "vgg16.json"
    assert printed(capsys, "table", "vgg16", "-o", str(path)) == ""
    assert json.loads(path.read_text())["model"] == "vgg16"


def test_a_format_overrules_the_ending(capsys, tmp_path):
    path = tmp_path / "vgg16.txt"
    printed(capsys, "table", "vgg16", "-o", str(path), "--format", "markdown")
    assert path.read_text().startswith("**vgg16**")


def test_asked_for_columns_come_in_their_order(capsys):
    text = printed(capsys, "table", "vgg16", "--columns", "macs, path", "--format", "csv")
    assert text.splitlines()[0] == "macs,path"
    assert text.splitlines()[2] == "86704128,block1.conv1"


def test_all_shows_layers_that_add_nothing(capsys):
    assert "relu1" not in printed(capsys, "table", "vgg16")
    assert "relu1" in printed(capsys, "table", "vgg16", "--all")


def test_levels_are_those_of_the_table():
    from archscope.cli.table import _LEVELS
    from archscope.report.levels import LEVELS

    assert _LEVELS == LEVELS
