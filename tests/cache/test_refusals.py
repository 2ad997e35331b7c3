"""What cannot be foreseen is not kept, and ``archscope cache info`` says so; failures neither."""

import json
import socket

import pytest


def refusals(place):
    done, _ = place.archscope("cache", "info", "--format", "json")
    return json.loads(done.out)["not_kept"]


def shown_twice(place, body):
    """Whether a function with that body was run twice, and answered both times."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    place.write("net.py", f"import os, time\n\n\ndef show():\n{lines}    return time.time_ns()\n")
    first, second = place.show("net.py:show"), place.show("net.py:show")
    assert first.status == second.status == 0, first.err
    assert place.show("net.py:show", "--no-cache").out not in (first.out, second.out)
    return first.out != second.out


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("open('log.txt', 'a').write('x')", "it writes"),
        ("import sqlite3; sqlite3.connect('log.db').execute('pragma user_version=1')", "it writes"),
        ("open('a~', 'w').close(); os.replace('a~', 'a.txt')", "it writes"),
        ("os.path.exists('a.txt') and os.remove('a.txt')", ""),
        ("import subprocess; subprocess.run(['true'])", "starts another program"),
        ("os.system('true')", "starts another program"),
        ("os.waitpid(os.fork() or os._exit(0), 0)", "starts another program"),
        ("os.utime(__file__)", "changed meanwhile"),
    ],
)
def test_a_run_whose_repetition_cannot_be_foreseen_runs_again(place, body, says):
    assert shown_twice(place, body) == bool(says)
    if says:
        (refused,) = refusals(place)
        assert says in refused["reason"] and "net.py:show" in refused["command"]


def test_a_run_that_removes_a_file_runs_again(place):
    place.write("a.txt", "")
    place.write("net.py", "import os\n\n\ndef show():\n    os.remove('a.txt')\n    return 1\n")
    assert place.show("net.py:show").status == 0
    assert "it removes" in refusals(place)[0]["reason"]


def test_a_run_that_asks_the_network_runs_again(place):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asks = f"import socket; socket.create_connection(('127.0.0.1', {port})).close()"
        assert shown_twice(place, asks)
    assert "asks the network" in refusals(place)[0]["reason"]


@pytest.mark.parametrize(
    "body",
    [
        "import tempfile\nwith tempfile.TemporaryDirectory() as d: open(d + '/a', 'w').close()",
        "import tempfile\nwith tempfile.NamedTemporaryFile() as file: file.write(b'1')",
        "os.makedirs('logs', exist_ok=True)",
        "open(os.devnull, 'w').write('1')",
    ],
)
def test_what_leaves_nothing_behind_is_kept(place, body):
    place.write("logs/a.txt", "")
    assert not shown_twice(place, body)


def test_a_failure_is_not_kept(place):
    place.write("net.py", "def show():\n    raise SystemExit(1)\n")
    assert place.show("net.py:show").status != 0
    assert not place.entries()


def test_a_reason_is_shown_in_every_format(place):
    shown_twice(place, "os.system('true')")
    for format in ("plain", "markdown", "rich"):
        done, _ = place.archscope("cache", "info", "--format", format)
        assert done.status == 0 and b"starts another program" in done.out
