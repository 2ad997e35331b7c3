"""The second answer is the first, byte for byte, and costs no import of torch."""

import json
import os
import pty
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from conftest import HERE

NET = ("net.py:Net", "--input", "8")
HEAVY = ("torch", "pandas", "matplotlib", "numpy", "rich", "sympy")
COMMANDS = {
    "table": ("table", "vgg16"),
    "memory": ("memory", *NET, "--mode", "training"),
    "depth": ("depth", *NET, "--layers"),
    "roofline": ("roofline", *NET, "--device", "h100"),
    "compare": ("compare", "alexnet", "resnet18", "--relative-to", "alexnet"),
    "diff": ("diff", "resnet18", "resnet34"),
    "check": ("check", *NET, "--max-macs", "1"),
    "inputs": ("table", "net.py:Net", "--inputs-from", "net.py:inputs"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_second_answer_of_every_command_is_the_first_without_torch(place, command):
    first, needed = place.archscope(*command)
    assert needed and first.out and first.status == (command[0] == "check")
    second, needed = place.archscope(*command)
    assert without_progress(second) == without_progress(first) and not needed
    if "--inputs-from" in command:
        place.write("parts.py", "WIDTH = 5\n")  # what net.py imports
        assert place.archscope(*command)[1]


def without_progress(done):
    """A slow comparison says how far it is, which is no part of its answer."""
    lines = done.err.splitlines()
    return replace(done, err=[line for line in lines if not re.search(rb": \d+ of \d+: ", line)])


@pytest.mark.parametrize("format", ["rich", "plain", "markdown", "latex", "html", "csv", "json"])
def test_every_format_is_that_of_a_run_without_the_cache(place, format):
    command = ("table", *NET, "--mode", "training", "--format", format, "--width", "70")
    first, _ = place.archscope(*command)
    second, needed = place.archscope(*command)
    assert first == second and not needed
    if format == "rich":
        assert place.archscope(*command, "--no-cache") == (first, True)


def test_nothing_heavy_is_imported_for_an_answer_that_is_kept(place):
    place.archscope("table", *NET)
    script = "import sys\nfrom archscope.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    script += f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    done = place._run("-c", script, "table", *NET)
    assert done.err.splitlines()[-1] == b"[]"


def test_warnings_are_repeated_and_models_still_print_to_stderr(place):
    code = (place.folder / "net.py").read_text()
    warns = "import warnings\nprint('hello')\nwarnings.warn('beware')\n"
    place.write("net.py", warns + code)
    first, _ = place.archscope("table", *NET, "--format", "json")
    second, needed = place.archscope("table", *NET, "--format", "json")
    assert second == first and not needed
    assert b"hello" in second.err and b"beware" in second.err and json.loads(second.out)


def test_a_file_is_written_again(place):
    first, _ = place.archscope("table", *NET, "-o", "a.json")
    second, needed = place.archscope("table", *NET, "-o", "b.json")
    assert first == second and not needed
    assert (place.folder / "a.json").read_bytes() == (place.folder / "b.json").read_bytes()


def test_a_file_that_cannot_be_written_is_told_as_ever(place):
    place.archscope("table", *NET, "-o", "a.json")
    kept, _ = place.archscope("table", *NET, "-o", "nowhere/a.json")
    bare, _ = place.archscope("table", *NET, "-o", "nowhere/a.json", "--no-cache")
    assert kept == bare and kept.status == 2 and kept.err.count(b"\n") == 1


def test_without_the_cache_nothing_is_used_or_kept(place):
    place.show("now.py:show", "--no-cache")
    assert not place.results.exists()
    first = place.show("now.py:show")
    assert place.show("now.py:show", "--no-cache") != first
    assert place.show("now.py:show", ARCHSCOPE_NO_CACHE="1") != first
    assert place.show("now.py:show") == first


def on_a_terminal(place, **environment):
    """What a terminal is sent."""
    reader, writer = pty.openpty()
    command = [sys.executable, HERE / "shown.py", "now.py:show"]
    given = place.environment(TERM="xterm-256color", COLUMNS="70", NO_COLOR=None, **environment)
    subprocess.run(command, cwd=place.folder, env=given, stdout=writer, stderr=writer, check=True)
    os.close(writer)
    sent = b""
    try:
        while chunk := os.read(reader, 65536):
            sent += chunk
    except OSError:  # there is nobody at the other end any more
        pass
    os.close(reader)
    return sent


def test_a_terminal_and_a_pipe_are_answered_each_in_its_own_way(place):
    piped, coloured = place.show("now.py:show"), on_a_terminal(place, PYTHONUTF8="1")
    assert coloured != piped.out and "─".encode() in coloured
    assert on_a_terminal(place, PYTHONUTF8="1") == coloured
    assert place.show("now.py:show") == piped


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[::-1]])
def test_a_damaged_result_is_computed_again(place, damage):
    first = place.show("now.py:show")
    (entry,) = place.entries()
    entry.write_bytes(damage(entry.read_bytes()))
    second = place.show("now.py:show")
    assert second.status == 0 and second != first
    assert place.show("now.py:show") == second


def test_eight_processes_at_once_disturb_nobody(place):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: place.show("now.py:show"), range(8)))
    assert all(each.status == 0 and each.out for each in done)
    assert place.show("now.py:show") in done
    assert [file.suffix for file in place.results.iterdir()] == [".json"]


def test_eight_processes_with_room_for_two_results_all_answer(place):
    place.show("now.py:show", "--width", "50")
    room = 2 * place.entries()[0].stat().st_size + 100

    def shown(width):
        return place.show("now.py:show", "--width", width, ARCHSCOPE_CACHE_SIZE=room)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(shown, range(60, 68)))
    assert all(each.status == 0 and each.out and b"cannot" not in each.err for each in done)
    assert sum(file.stat().st_size for file in place.entries()) <= room


@pytest.mark.parametrize("where", ["net.py", "net.py/below", "/proc/archscope"])
def test_where_nothing_can_be_kept_the_answer_is_the_same_with_one_remark(place, where):
    bare = place.show("now.py:show", "--no-cache")
    done = place.show("now.py:show", ARCHSCOPE_CACHE_DIR=where)
    assert done.status == 0 and len(done.out) == len(bare.out)
    remarks = done.err.replace(bare.err, b"").splitlines()
    assert len(remarks) == 1 and b"cannot keep the result" in remarks[0]


def test_info_and_clear_tell_what_there_is(place):
    def info():
        return json.loads(place.archscope("cache", "info", "--format", "json")[0].out)

    assert info()["results"] == 0 and info()["least_recently_used"] is None
    place.show("now.py:show")
    assert info()["results"] == 1 and info()["directory"] == str(place.results)
    cleared, needed = place.archscope("cache", "clear")
    assert cleared.out.startswith(b"Removed 1 result,") and not needed
    assert info()["results"] == 0


@pytest.mark.parametrize(
    "command",
    [
        ("depth", *NET, "--gradient", "--samples", "1"),
        ("compare", *NET, "--effective-depth", "--analyses", "depth"),
        ("memory", *NET, "--plot", "a.svg"),
    ],
    ids=lambda command: command[0],
)
def test_what_is_measured_or_is_a_picture_is_not_kept(place, command):
    done, needed = place.archscope(*command)
    assert done.status == 0, done.err
    assert needed and not place.entries()


def small_program(place):
    import torch

    file = place.folder / "net.pt2"
    example = (torch.zeros(1, 8),)
    torch.export.save(torch.export.export(torch.nn.Linear(8, 4), example), file)


def small_configuration(place):
    text = {"model_type": "gpt2", "n_layer": 1, "n_head": 1, "n_embd": 8, "vocab_size": 9}
    place.write("config.json", json.dumps(text))


def accuracies(place):
    place.write("accuracies.csv", "model,top1\nalexnet,50\n")


def budgets(place):
    place.write("pyproject.toml", '[tool.archscope.budgets.alexnet]\nmax-macs = "2G"\n')


@pytest.mark.parametrize(
    ("command", "made", "name"),
    [
        (("table", "net.pt2"), small_program, "net.pt2"),
        (("table", "hf:config.json"), small_configuration, "config.json"),
        (("compare", "alexnet", "--accuracy", "accuracies.csv"), accuracies, "accuracies.csv"),
        (("check",), budgets, "pyproject.toml"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_file_that_a_command_reads_counts_by_its_content(place, command, made, name):
    made(place)
    first, needed = place.archscope(*command)
    assert first.status == 0 and needed, first.err
    assert place.archscope(*command) == (first, False)
    file = place.folder / name
    file.write_bytes(file.read_bytes() + b"\n")
    assert place.archscope(*command)[1]


def test_a_network_of_the_zoo_is_known_in_every_directory(place):
    command = ("table", "alexnet")
    first, _ = place.archscope(*command, PYTHONSAFEPATH=1)  # as the program that pip installs
    place.folder = place.folder / "elsewhere"
    place.folder.mkdir()
    assert place.archscope(*command, PYTHONSAFEPATH=1) == (first, False)
