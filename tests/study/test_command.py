"""`archscope study`, as a person has it."""

import json

import pytest

from archscope.cli import main
from archscope.study import progress
from archscope.study.progress import Progress

MODELS = "networks.py:Good,networks.py:Raises"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["study", *map(str, arguments)])
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A directory with a study that one network failed."""
    import os
    import shutil
    from pathlib import Path

    place, before = tmp_path_factory.mktemp("finished"), os.getcwd()
    shutil.copy(Path(__file__).parent / "networks.py", place)
    os.chdir(place)
    try:
        with pytest.raises(SystemExit) as end:
            main(["study", "run", "--models", MODELS, "--input", "8", "--workers", "1"])
        assert end.value.code == 1
        yield place
    finally:
        os.chdir(before)


def test_failed_rows_are_exit_status_1_and_nothing_is_said_where_nobody_watches(finished, capsys):
    status, out, err = run(capsys, "resume", "study.db")
    assert (status, out) == (1, "")
    assert err == "archscope: 3 failed; `archscope study status study.db` says why\n"


def test_status_counts_and_gives_reasons(finished, capsys):
    status, out, _ = run(capsys, "status", "study.db", "--width", "80")
    assert status == 0 and "Raises does not accept the input 1x8: ValueError: no" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    _, out, _ = run(capsys, "status", "study.db", "--format", "json")
    found = json.loads(out)
    assert found["analyses"]["depth"] == {"pending": 0, "done": 1, "failed": 1}
    assert found["failures"][0]["cells"] == 3 and found["owner"] is None


def test_a_grid_file_names_its_store(networks, capsys):
    (networks / "small.toml").write_text('models = ["networks.py:Good"]\ninput = "8"\n')
    assert run(capsys, "run", "small.toml", "--workers", 1) == (0, "", "")
    assert (networks / "small.db").exists()
    assert run(capsys, "export", "small.db", "out.csv") == (0, "", "")
    assert (networks / "out.csv").read_text().splitlines()[1].startswith("networks.py:Good,")


def test_two_studies_are_compared_value_by_value(networks, capsys):
    arguments = ["--models", "networks.py:Good", "--input", "8", "--workers", 1]
    run(capsys, "run", *arguments, "-o", "a.db")
    run(capsys, "run", *arguments, "-o", "b.db")
    assert "No difference" in run(capsys, "diff", "a.db", "b.db")[1]
    file = networks / "networks.py"
    file.write_text(file.read_text().replace("width=8", "width=16"))
    run(capsys, "resume", "b.db", "--workers", 1)
    run(capsys, "run", *arguments, "-o", "b.db", "--batch", 2, "--analyses", "depth")
    status, out, _ = run(capsys, "diff", "a.db", "b.db", "--format", "json")
    found = {(row["analysis"], row["column"]): row for row in json.loads(out)}
    assert status == 0
    assert (found["compute", "params"]["before"], found["compute", "params"]["after"]) == (72, 144)
    assert found["depth", "state"]["before"] == "absent"
    assert ("compute", "coverage") not in found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "a grid needs models"),
        (["run", "grid.toml", "--batch", "2"], "not both"),
        (["run", "absent.toml"], "cannot be read: No such file"),
        (["run", "--models", "alexnet", "--batch", "1,x"], "write 1,32"),
        (["run", "--models", "alexnet", "--analyses", "dept"], "did you mean depth"),
        (["run", "--models", "alexnet", "--engine", "slurm"], "unknown engine 'slurm'"),
        (["run", "--models", "alexnet", "--address", "auto"], "--engine ray"),
        (["run", "--models", "alexnet", "-o", "nowhere/s.db"], "there is no directory nowhere"),
        (["run", "--models", "alexnet", "-o", "."], "it is a directory"),
        (["resume", "absent.db"], "there is no study absent.db"),
        (["status", "absent.db"], "there is no study absent.db"),
        (["status", "networks.py"], "is no study of archscope"),
        (["retry", "absent.db"], "--failed"),
        (["export", "absent.db", "out.csv"], "there is no study absent.db"),
        (["sing"], "no such command"),
    ],
)
def test_a_wrong_request_is_told_in_one_line(networks, capsys, arguments, says):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "") and says.lower() in err.lower() and err.count("\n") == 1
    assert sorted(path.name for path in networks.iterdir()) == ["networks.py"]


def test_a_terminal_shows_what_is_done_failed_and_left(monkeypatch):
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    terminal = Terminal()
    shown = Progress(terminal)
    shown({"pending": 4100, "done": 0, "failed": 0})
    shown({"pending": 3990, "done": 107, "failed": 3})
    assert terminal.getvalue().endswith("110 of 4,100 done, 3 failed, 11.0/s, 6 min left")
    pipe = io.StringIO()
    Progress(pipe)({"pending": 1, "done": 0, "failed": 0})
    assert pipe.getvalue() == ""


def output(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_compare_and_explore_read_a_study_and_run_nothing(finished, capsys, monkeypatch):
    monkeypatch.setattr("archscope.analysis.analyze", None)
    status, out, err = output(capsys, "compare", "--from", "study.db", "--format", "json")
    good, bad = json.loads(out)
    assert status == 1 and "no\\nway" not in err and "warning: networks.py:Raises" in err
    assert good["model"] == "networks.py:Good" and good["params"] == 72
    assert bad["params"] is None and "ValueError: no" in bad["status"]
    wanted = ["--from", "study.db", "*Good", "--where", "params < 100 and mode == 'inference'"]
    status, out, _ = output(capsys, "compare", *wanted, "--columns", "model,macs")
    assert status == 0 and "networks.py:Good" in out and "Raises" not in out
    status, _, _ = output(capsys, "explore", "--from", "study.db", "*Good", "-o", "page.html")
    assert status == 0 and "networks.py:Good" in (finished / "page.html").read_text()
    status, _, _ = output(capsys, "plot", "memory-vs-params", "--from", "study.db", "-o", "p.svg")
    assert status == 1 and "Good" in (finished / "p.svg").read_text()  # 1: the other one failed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "--from", "study.db", "--batch", "2"], "--batch is for networks that run now"),
        (["compare", "--from", "study.db", "resnet*"], "unknown network in study.db"),
        (["compare", "--from", "absent.db"], "there is no study absent.db"),
        (["compare", "--from", "absent.csv"], "there is no table absent.csv"),
        (["plot", "depth", "--from", "study.db", "-o", "x.html"], "--from changes nothing"),
        (["plot", "accuracy", "--from", "study.db", "--samples", "3", "-o", "x.html"], "--samples"),
        (["plot", "accuracy", "x", "--where", "batch == 1", "-o", "x.html"], "--from study.db"),
    ],
)
def test_what_a_study_cannot_answer_is_told_in_one_line(finished, capsys, arguments, says):
    status, out, err = output(capsys, *arguments)
    assert (status, out) == (2, "") and says in err and err.count("\n") == 1
    assert not (finished / "x.html").exists()


def test_a_picture_is_of_one_row_a_network(networks, capsys):
    arguments = ["--models", "networks.py:Good", "--input", "8", "--batch", "1,2", "-o", "s.db"]
    assert run(capsys, "run", *arguments, "--workers", 1)[0] == 0
    picture = ["plot", "memory-vs-params", "--from", "s.db", "-o", "p.svg"]
    status, _, err = output(capsys, *picture)
    assert status == 2 and "several rows of networks.py:Good" in err and err.count("\n") == 1
    assert output(capsys, *picture, "--where", "batch == 2")[0] == 0
    assert output(capsys, "plot", "memory-vs-batch", *picture[2:])[0] == 0
