"""Whatever ends a driver, a study goes on where it was."""

import json
import os
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest
from small_studies import Serial, built, command, grid

from archscope import study
from archscope.errors import ArchscopeError, InvalidInput, UnknownName
from archscope.study import driver, keys
from archscope.study.difference import differences
from archscope.study.lock import owned
from archscope.study.records import Result
from archscope.study.store import Store

NAMES = ("First", "Second", "Third", "Fourth")
MODELS = ",".join(f"networks.py:{name}" for name in NAMES)


def rows(path="s.db", where="current = 1"):
    with Store(path) as store:
        query = f"SELECT * FROM results WHERE {where} ORDER BY reference, analysis"
        return [dict(row) for row in store.connection.execute(query)]


def begun(*more):
    """A study in a process of its own, of which a part is done, with what is done."""
    process = command(
        *("run", "--models", MODELS, "--input", "8", "-o", "s.db", "--workers", "1", *more),
        BUILDING_TAKES="0.4",
    )
    until(lambda: Path("s.db").exists() and counts()["done"] >= 3)
    return process


def counts():
    try:
        with Store("s.db") as store:
            return store.counts()
    except ArchscopeError:  # in the moment in which it is made
        return {"done": 0}


def is_at_work(pid):
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def test_after_kill_9_of_the_driver_resume_does_only_what_is_missing(networks):
    process = begun()
    process.kill()
    process.communicate()
    done = rows(where="state = 'done'")
    assert 3 <= len(done) < 12
    workers = {int(pid) for _, pid in built()}
    until(lambda: not any(map(is_at_work, workers)))  # none goes on alone
    before = Counter(name for name, _ in built())
    final = study.run("s.db", [], study.engine("local", workers=1))
    assert final == {"pending": 0, "done": 12, "failed": 0}
    after = rows()
    assert [row for row in after if row["key"] in {row["key"] for row in done}] == done
    complete = {row["reference"].partition(":")[2] for row in done}
    again = Counter(name for name, _ in built()) - before
    assert all(again[name] <= 1 for name in NAMES)
    full = [n for n in complete if sum(r["reference"].endswith(n) for r in done) == 3]
    assert full and not any(again[name] for name in full)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupt_ends_it_at_once_and_says_how_to_go_on(networks, number):
    process = begun()
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate()
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert "archscope study resume s.db" in err and "Traceback" not in err
    assert not Path("s.db-lock").exists()
    resumed = command("resume", "s.db", "--workers", "1")
    out, err = resumed.communicate()
    assert (resumed.returncode, out, err) == (0, "", "")
    assert counts() == {"pending": 0, "done": 12, "failed": 0}


def test_a_second_driver_is_refused_and_told_who_the_first_is(networks):
    process = begun()
    second = command("resume", "s.db")
    _, err = second.communicate()
    process.kill()
    process.communicate()
    assert second.returncode == 2 and f"in use by process {process.pid}" in err
    assert err.count("\n") == 1


def test_the_lock_of_a_driver_that_is_gone_is_no_lock(networks):
    Path("s.db-lock").write_text(json.dumps({"pid": os.getpid(), "host": "here"}))
    study.run("s.db", [grid("Good")], Serial())
    with owned(Path("s.db")), pytest.raises(ArchscopeError, match=f"process {os.getpid()}"):
        study.run("s.db", [], Serial())


def test_a_store_has_one_lock_by_whatever_name(networks):
    study.run("s.db", [grid("Good")], Serial())
    Path("link.db").symlink_to("s.db")
    with owned(Path("link.db")), pytest.raises(ArchscopeError, match=r"s\.db is in use"):
        study.run("s.db", [], Serial())


def test_a_full_disk_stops_it_and_what_was_done_is_kept(networks, monkeypatch):
    monkeypatch.setattr(driver, "PAUSES", (0.0, 0.0))
    plan = driver._plan

    def then_nearly_full(store, engine):
        plan(store, engine)
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    monkeypatch.setattr(driver, "_plan", then_nearly_full)
    asked = grid("Good", batch=list(range(1, 41)))
    with pytest.raises(ArchscopeError, match=r"disk is full.*make room.*study resume s\.db"):
        study.run("s.db", [asked], Serial())
    done = rows(where="state = 'done'")
    assert 0 < len(done) < 120
    assert sqlite3.connect("s.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)
    monkeypatch.setattr(driver, "_plan", plan)
    assert study.run("s.db", [], Serial())["done"] == 120
    assert [row for row in rows() if row["key"] in {row["key"] for row in done}] == sorted(
        done, key=lambda row: (row["reference"], row["analysis"])
    )


def test_a_study_has_all_grids_that_it_was_asked_for_or_none(networks, monkeypatch):
    asked = [grid("Good", batch=[batch]) for batch in range(1, 400)]
    make = Store._prepare

    def then_nearly_full(self, create):
        make(self, create)
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count = {pages + 10}")

    monkeypatch.setattr(Store, "_prepare", then_nearly_full)
    with pytest.raises(ArchscopeError, match="disk is full"):
        study.run("s.db", asked, Serial())
    with Store("s.db") as store:
        assert store.grids() == []


def test_a_disk_that_is_full_for_a_while_costs_nothing(networks, monkeypatch):
    monkeypatch.setattr(driver, "PAUSES", (0.0, 0.0))
    write, failures = Store.write, [sqlite3.OperationalError("database or disk is full")] * 2

    def full_at_first(self, result):
        if failures:
            raise failures.pop()
        write(self, result)

    monkeypatch.setattr(Store, "write", full_at_first)
    assert study.run("s.db", [grid("Good")], Serial())["done"] == 3


def test_nothing_is_done_twice(networks):
    twice = [grid("Good", "Good", batch=[1, 1]), grid("Good", analyses=["depth", "compute"])]
    assert study.run("s.db", twice, Serial())["done"] == 3
    assert len(built()) == 1
    study.run("s.db", twice, Serial())
    assert len(built()) == 1


def test_a_changed_file_is_analysed_again_and_the_old_row_stays(networks):
    study.run("s.db", [grid("Good")], Serial())
    file = networks / "networks.py"
    file.write_text(file.read_text().replace("width=8", "width=16"))
    assert study.run("s.db", [], Serial()) == {"pending": 0, "done": 3, "failed": 0}
    old, new = rows(where="analysis = 'compute' AND current = 0"), rows(where="current = 1")
    assert json.loads(old[0]["result"])["params"] == 72
    assert json.loads(new[0]["result"])["params"] == 144
    assert [row["status"] for row in study.frame("s.db").to_dict("records")] == ["ok"]


def test_a_study_that_is_resumed_where_its_files_are_not_loses_nothing(networks, monkeypatch):
    study.run("s.db", [grid("Good")], Serial())
    done = rows()
    (networks / "elsewhere").mkdir()
    monkeypatch.chdir(networks / "elsewhere")
    for again in (
        lambda: study.run("../s.db", [], Serial()),
        lambda: study.retry("../s.db", Serial()),
    ):
        with pytest.raises(InvalidInput, match=f"no file networks.py here.* begun in {networks}"):
            again()
    assert rows("../s.db") == done
    monkeypatch.chdir(networks)
    (networks / "networks.py").rename(networks / "renamed.py")
    assert study.run("s.db", [], Serial())["failed"] == 3  # gone for good: the rest goes on


def test_a_changed_version_is_analysed_again_and_the_first_is_found_again(networks, monkeypatch):
    study.run("s.db", [grid("Good")], Serial())
    monkeypatch.setattr(keys, "__version__", "99.0")
    study.run("s.db", [], Serial())
    assert len(built()) == 2
    prints = [json.loads(row["plan"])["fingerprint"] for row in rows()]
    assert [found["archscope"] for found in prints] == ["99.0"] * 3
    monkeypatch.undo()
    os.chdir(networks)
    study.run("s.db", [], Serial())
    assert len(rows()) == 3 and len(rows(where="current = 0")) == 3


def test_a_file_that_changes_after_the_plan_is_not_answered_for(networks, monkeypatch):
    plan = driver._plan

    def then_change(store, engine):
        plan(store, engine)
        file = networks / "networks.py"
        file.write_text(file.read_text().replace("width=8", "width=16"))

    monkeypatch.setattr(driver, "_plan", then_change)
    assert study.run("s.db", [grid("Good")], Serial())["failed"] == 3
    assert "networks.py has changed since the study was planned" in rows()[0]["reason"]


def test_latencies_differ_where_their_intervals_have_nothing_in_common(networks):
    class Measured(Serial):
        def __init__(self, middle):
            self.values = {"latency_ms_p50": middle, "throughput_per_s": 1000 / middle}
            self.values |= {"latency_ms_low": middle - 0.1, "latency_ms_high": middle + 0.1}

        def submit(self, tasks):
            for task in tasks:
                yield from (Result(cell.key, "done", self.values) for cell in task.cells)

    for name, middle in (("a", 1.0), ("b", 1.15), ("c", 1.25)):
        study.run(f"{name}.db", [grid("Good", analyses=["latency"])], Measured(middle))

    def columns(one, other):
        with Store(f"{one}.db") as left, Store(f"{other}.db") as right:
            return [found.column for found in differences(left, right)]

    assert columns("a", "b") == columns("b", "c") == []
    assert columns("a", "c") == ["latency_ms_p50", "throughput_per_s"]


def test_retry_tries_what_failed_and_only_that(networks):
    study.run("s.db", [grid("Good", "Raises")], Serial())
    file = networks / "networks.py"
    before = len(built())
    assert study.retry("s.db", Serial())["failed"] == 3
    assert [name for name, _ in built()[before:]] == ["Raises"]
    file.write_text(file.read_text().replace('raise ValueError("no\\nway")', "return x"))
    assert study.retry("s.db", Serial()) == {"pending": 0, "done": 6, "failed": 0}


def test_every_row_says_where_it_comes_from(networks):
    study.run("s.db", [grid("Good", "Raises")], Serial())
    for row in rows():
        facts, plan = json.loads(row["environment"]), json.loads(row["plan"])
        assert facts["torch"] == keys.version("torch") and facts["host"] and facts["cores"]
        assert plan["fingerprint"]["networks.py"] and row["finished"].startswith("20")
        assert row["cpu_seconds"] >= 0 and row["seconds"] > 0 and row["peak_rss_bytes"] > 1 << 20


def test_a_store_that_is_damaged_is_told_in_one_line(networks):
    study.run("s.db", [grid("Good", batch=list(range(1, 40)))], Serial())
    with sqlite3.connect("s.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(Path("s.db").read_bytes())
    for page in range(2 * 4096, len(content), 4096):
        content[page : page + 200] = b"\xa5" * 200
    Path("s.db").write_bytes(content)
    for read in (
        lambda: study.frame("s.db"),
        lambda: study.export("s.db", "out.csv"),
        lambda: study.run("s.db", [], Serial()),
    ):
        with pytest.raises(ArchscopeError, match=r"'s\.db' is damaged: .*malformed"):
            read()
    assert not Path("out.csv").exists()


@pytest.fixture
def one_who_may_only_read(networks):
    """Nothing in the directory of the test can be written; the owner of everything is nobody."""
    study.run("s.db", [grid("Good")], Serial())
    is_root, mode = os.geteuid() == 0, networks.stat().st_mode
    for folder in (networks, *networks.parents)[:-2]:
        if is_root:
            folder.chmod(folder.stat().st_mode | 0o055)
    networks.chmod(0o555)
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        networks.chmod(mode)


@pytest.mark.usefixtures("one_who_may_only_read")
def test_a_store_where_one_may_only_read_is_read():
    assert study.frame("s.db")["status"].tolist() == ["ok"]
    with pytest.raises(ArchscopeError, match="cannot write"):
        study.run("s.db", [], Serial())


def test_a_device_that_is_not_here_leaves_no_store(networks):
    class NoDevice(Serial):
        def title(self, device):
            raise InvalidInput(f"there is no {device}")

    with pytest.raises(InvalidInput, match="there is no cuda:0"):
        study.run("s.db", [grid("Good", analyses=["latency"], device="cuda")], NoDevice())
    assert not Path("s.db").exists()


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "x\0y"])
def test_a_name_that_no_file_can_have_is_told_in_one_line(networks, name):
    for use in (lambda: study.run(name, [grid("Good")], Serial()), lambda: study.frame(name)):
        with pytest.raises(InvalidInput, match="there can be no study 'x") as error:
            use()
        assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("models", "error", "says"),
    [
        (["resnet5"], UnknownName, "did you mean"),
        (["zzz*"], UnknownName, "unknown pattern"),
        (["absent.py:Net"], InvalidInput, "there is no file absent.py"),
        (["absent.pt2"], InvalidInput, "there is no file absent.pt2"),
        (["hf:absent.json"], InvalidInput, "there is no file absent.json"),
    ],
)
def test_a_wrong_request_leaves_no_store(networks, models, error, says):
    with pytest.raises(error, match=says):
        study.run("s.db", [study.Grid.of({"models": models})], Serial())
    assert not Path("s.db").exists() and not Path("s.db-lock").exists()
