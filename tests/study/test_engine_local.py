"""Worker processes: whatever becomes of one network, every other one has its results."""

import os
import signal
import threading
import time
from collections import Counter

import pytest
from small_studies import Serial, built, grid

from archscope import study
from archscope.errors import ArchscopeError
from archscope.study import Limits
from archscope.study.difference import differences
from archscope.study.engines import local
from archscope.study.keys import fingerprint
from archscope.study.records import Cell, Setting, Task
from archscope.study.store import Store


def results(path):
    with Store(path) as store:
        return {
            (row["model"], row["analysis"]): (row["state"], row["reason"])
            for row in (
                dict(cell) | {"model": cell["setting"].split("networks.py:")[1].split('"')[0]}
                for cell in store.sorted_cells()
            )
        }


def test_bad_networks_fail_with_their_reasons_and_all_others_have_results(networks):
    names = ("Good", "Raises", "Hangs", "Hoards", "Maps", "Dies", "First", "Absent")
    limits = Limits(seconds=6, memory_bytes=1 << 30)
    counts = study.run("s.db", [grid(*names)], study.engine("local", workers=2), limits=limits)
    assert counts == {"pending": 0, "done": 6, "failed": 18}
    found = results("s.db")
    expected = {
        "Raises": "ValueError: no",
        "Hangs": "took more than 6 s",
        "Hoards": "needs more memory than 1.0 GiB",
        "Maps": "needs more memory than 1.0 GiB",
        "Dies": "was ended by SIGABRT, 2 times",
        "Absent": "unknown name in networks.py 'Absent'",
    }
    for name, reason in expected.items():
        for analysis in ("compute", "memory", "depth"):
            state, told = found[name, analysis]
            assert state == "failed" and reason in told and "\n" not in told
    assert all(found[name, "depth"] == ("done", "") for name in ("Good", "First"))


def test_a_killed_worker_is_replaced_and_nothing_is_lost_or_done_twice(networks, monkeypatch):
    monkeypatch.setenv("BUILDING_TAKES", "0.4")
    names = ("First", "Second", "Third", "Fourth")
    killed = []

    def kill_the_second():
        while True:
            for name, process in built():
                if name == "Second":
                    killed.append(int(process))
                    os.kill(int(process), signal.SIGKILL)
                    return
            time.sleep(0.02)

    threading.Thread(target=kill_the_second, daemon=True).start()
    counts = study.run("s.db", [grid(*names)], study.engine("local", workers=1))
    assert killed and counts == {"pending": 0, "done": 12, "failed": 0}
    assert Counter(name for name, _ in built()) == {**dict.fromkeys(names, 1), "Second": 2}


def test_the_store_is_that_of_a_serial_run_but_for_what_it_took(networks):
    asked = grid("Good", "First", "Raises", batch=[1, 2, 8], analyses=["compute", "depth"])
    study.run("serial.db", [asked], Serial())
    study.run("local.db", [asked], study.engine("local", workers=2))
    with Store("serial.db") as one, Store("local.db") as other:
        assert list(differences(one, other)) == []
        keys = "SELECT key, state, reason, result FROM cells ORDER BY id"
        rows = [[tuple(row) for row in s.connection.execute(keys)] for s in (one, other)]
    assert rows[0] == rows[1] and len(rows[0]) == 18


def test_a_process_is_replaced_after_so_many_tasks(networks, monkeypatch):
    monkeypatch.setattr(local, "TASKS_OF_A_PROCESS", 2)
    names = ("First", "Second", "Third", "Fourth")
    study.run("s.db", [grid(*names)], study.engine("local", workers=1))
    first, second, third, fourth = (process for _, process in built())
    assert first == second != third == fourth


def test_a_process_that_has_grown_is_replaced(networks):
    limits = Limits(memory_bytes=1 << 30)
    counts = study.run(
        "s.db", [grid("Leaks", "Good")], study.engine("local", workers=1), limits=limits
    )
    first, second = (process for _, process in built())
    assert first != second and counts["failed"] == 0


def test_what_a_network_changes_in_its_process_is_not_there_for_the_next(networks):
    asked = grid("Unsettles", "Good")
    counts = study.run("s.db", [asked], study.engine("local", workers=1))
    assert counts == {"pending": 0, "done": 6, "failed": 0}
    assert [name for name, _ in built()] == ["Unsettles", "Good"]
    assert study.frame("s.db")["dtype"].tolist() == ["float32", "float32"]


def test_a_network_that_forks_has_its_results_once(networks):
    told = []
    asked = grid("Forks", "Good")
    study.run(
        "s.db", [asked], study.engine("local", workers=1), told=lambda c: told.append(c["done"])
    )
    assert told == [0, 1, 2, 3, 4, 5, 6]


def test_a_worker_that_is_gone_when_it_is_given_a_task_is_replaced(networks):
    def done(pool, name):
        setting = Setting(f"networks.py:{name}", inputs=("8",))
        task = Task(setting, (Cell(name, "depth"),), fingerprint(setting.reference))
        return [result.state for result in pool.carry_out(iter([task]))]

    pool = local.Pool(1)
    try:
        assert done(pool, "First") == ["done"]
        pool.workers[0].process.kill()
        pool.workers[0].process.wait()
        assert done(pool, "Second") == ["done"]
    finally:
        pool.close()


def test_a_measurement_has_its_device_alone():
    class Process:
        def __init__(self, device=None):
            self.idle = device is None
            self.assigned = None
            if device is not None:
                task = study.records.Task(None, (), {}, device)
                self.assigned = local._Assigned(task, 1, [], 0.0)

    def is_free(device, *busy):
        pool = local.Pool(4)
        pool.workers = [Process(), *map(Process, busy)]
        return pool._free_for(study.records.Task(None, (), {}, device)) is not None

    assert is_free("") and is_free("", "") and is_free("", "cuda:0")
    assert is_free("cpu") and not is_free("cpu", "") and not is_free("cpu", "cuda:0")
    assert not is_free("", "cpu") and not is_free("cuda:0", "cpu")
    assert is_free("cuda:0", "") and is_free("cuda:1", "cuda:0")
    assert not is_free("cuda:0", "cuda:0")


def test_workers_that_do_not_start_are_told_in_one_line(networks, monkeypatch):
    (networks / "torch.py").write_text("raise ImportError('no torch here')")
    monkeypatch.setattr(local.sys, "path", [str(networks), *local.sys.path])
    with pytest.raises(ArchscopeError, match=r"do not start: .*no torch here"):
        study.run("s.db", [grid("Good")], study.engine("local", workers=1))
