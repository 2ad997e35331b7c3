"""A wrong request: one line on stderr, status 2, nothing on stdout."""

import shlex
import subprocess
import sys

import pytest

from archscope.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tabel", "vgg16"], "did you mean table?"),
        (["table"], "missing argument 'MODEL'"),
        (["table", "vgg61"], "vgg16"),
        (["table", "vgg16", "more"], "unexpected extra argument"),
        (["table", "vgg16", "--bach", "2"], "--batch"),
        (["table", "vgg16", "--batch", "-1"], "a whole number of 1 or more, not '-1'"),
        (["table", "vgg16", "--batch", "two"], "a whole number of 1 or more, not 'two'"),
        (["table", "vgg16", "--batch"], "requires an argument"),
        (["table", "vgg16", "--input", "3x224"], "vgg16 takes an input of 3x224x224"),
        (["table", "vgg16", "--input", "3xax224"], "3x224x224"),
        (["table", "vgg16", "--input", "4x224x224"], "block1.conv1"),
        (["table", "vgg16", "--level", "stage"], "layer, block, op"),
        (["table", "vgg16", "--mode", "test"], "inference, training"),
        (["table", "vgg16", "--format", "pdf"], "latex"),
        (["table", "vgg16", "--columns", "flop"], "flops"),
        (["table", "vgg16", "--set", "num_classes"], "num_classes=10"),
        (["table", "vgg16", "--set", "num_classes=ten"], "a whole number, not 'ten'"),
        (["table", "vgg16", "--set", "classes=10"], "num_classes"),
        (["table", "vgg16", "--set", "batch=10"], "--batch"),
        (["table", "lstm", "--set", "unrolled=maybe"], "true or false"),
        (["table", "lstm", "--seq-len", "0"], "--seq-len"),
        (["table", "vgg16", "-o", "table.pdf"], ".csv"),
        (["table", "vgg16", "-o", "no/such/place/table.csv"], "there is no directory"),
        (["list", "vgg61"], "vgg16"),
        (["--x"], "archscope --help"),
    ],
)
def test_a_wrong_request_is_told_in_one_line(capsys, arguments, says):
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("archscope: error: ") and err.count("\n") == 1
    assert says in err


def test_an_interrupt_is_status_130(capsys, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("archscope.analysis.analyze", interrupt)
    status, out, _ = run(capsys, "table", "vgg16")
    assert (status, out) == (130, "")


@pytest.mark.parametrize("arguments", [["list"], ["table", "resnet152", "--format", "json"]])
def test_a_closed_pipe_ends_quietly(arguments):
    command = [sys.executable, "-m", "archscope", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")


def test_a_full_disk_is_told():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "archscope", "list"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("archscope: error: ") and "Traceback" not in done.stderr


@pytest.mark.parametrize("group", ["device", "study", "cache"])
def test_a_group_without_a_command_names_its_commands_in_one_line(capsys, group):
    status, out, err = run(capsys, group)
    assert (status, out) == (2, "")
    assert err.startswith(f"archscope: error: archscope {group} needs a command: ")
    assert err.count("\n") == 1


def test_a_misspelt_command_of_a_group_is_told_the_near_one(capsys):
    error = "archscope: error: no such command 'lst'; did you mean 'list'?\n"
    assert run(capsys, "device", "lst") == (2, "", error)


def test_a_closed_stdout_is_no_crash():
    command = f"{shlex.quote(sys.executable)} -m archscope list alexnet >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
