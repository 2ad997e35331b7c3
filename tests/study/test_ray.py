"""The Ray engine on a real cluster of several nodes on this machine, one of which is lost."""

import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from small_studies import ROOT, built, command, grid

from archscope import study
from archscope.errors import ArchscopeError, InvalidInput
from archscope.study import Limits, Store
from archscope.study.difference import differences
from archscope.study.engines import engine, ray_cluster
from archscope.study.engines.ray_cluster import Node
from archscope.study.records import Setting, Task

ray = pytest.importorskip("ray")
SMALL = {"object_store_memory": 80 << 20}
A_TRACE = Task(Setting("vgg16"), (), {}, limits=Limits(memory_bytes=1 << 30))


# A node is lost when it does not answer for 3 s, and not after 20 s.
HEALTH = {"health_check_period_ms": 500, "health_check_failure_threshold": 6}


@pytest.fixture(scope="module")
def cluster():
    """A head that lends no core, and a node of two."""
    # Sockets have short names; and nothing stays in /tmp/ray.
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory(dir="/tmp") as directory:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("BUILDING_TAKES", "0.1")
        patch.setenv("BUILT", "built.txt")  # where the driver is
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_TMPDIR", directory)
        from ray.cluster_utils import Cluster

        head = {"include_dashboard": False, "num_cpus": 0, "_system_config": HEALTH}
        found = Cluster(initialize_head=True, head_node_args=head | SMALL)
        found.add_node(num_cpus=2, **SMALL)
        yield found
        found.shutdown()


def run(path, asked, *, cluster=None, **limits):
    """The counts of a study on the cluster, or by the local engine."""
    where = engine("ray", address=cluster.address) if cluster else engine("local", workers=2)
    return study.run(path, [asked], where, limits=Limits(**limits))


def difference(one, other):
    with Store(one) as left, Store(other) as right:
        assert left.counts()["pending"] == right.counts()["pending"] == 0
        return list(differences(left, right))


def eventually(condition):
    """What a condition gives once it holds, which is soon."""
    until = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def processes():
    return {int(process) for _, process in built()}


def alive(process):
    return Path(f"/proc/{process}").exists()


def attempts(path):
    with Store(path) as store:
        return [row["attempts"] for row in store.connection.execute("SELECT attempts FROM cells")]


def test_a_cluster_that_loses_a_node_has_the_store_of_the_local_engine(cluster, networks):
    asked = grid("First", "Second", "Third", "Fourth", "Raises", batch=[1, 2, 8])
    lost = cluster.add_node(num_cpus=2, **SMALL)

    closed = Path("closed")  # until the node is lost, nothing that is under way ends
    closed.touch()

    def lose_it_when_all_cores_are_busy():
        busy = eventually(lambda: len(processes()) >= 4 and processes())
        cluster.remove_node(lost, allow_graceful=False)
        eventually(lambda: not all(map(alive, busy)))
        closed.unlink()

    losing = threading.Thread(target=lose_it_when_all_cores_are_busy, daemon=True)
    losing.start()
    counts = run("ray.db", asked, cluster=cluster)
    losing.join()
    assert counts == {"pending": 0, "done": 36, "failed": 9}
    assert max(attempts("ray.db")) == 2  # something was under way there
    assert max(Counter(name for name, _ in built()).values()) > 3

    run("local.db", asked)
    assert difference("ray.db", "local.db") == []
    keys = "SELECT key, state, reason, result FROM cells ORDER BY key"
    with Store("ray.db") as one, Store("local.db") as other:
        rows = [[tuple(row) for row in s.connection.execute(keys)] for s in (one, other)]
    assert rows[0] == rows[1] and len(rows[0]) == 45


def test_bad_networks_fail_for_the_reasons_that_the_local_engine_gives(cluster, networks):
    asked = grid("Good", "Hangs", "Hoards", "Dies", "Absent", analyses=["depth"])
    for path, where in (("ray.db", cluster), ("local.db", None)):
        counts = run(path, asked, cluster=where, seconds=4, memory_bytes=1 << 30)
        assert counts == {"pending": 0, "done": 1, "failed": 4}
    assert difference("ray.db", "local.db") == []


def test_a_measurement_has_the_key_that_it_has_on_one_machine(cluster, networks):
    asked = grid("First", analyses=["latency"], measure={"max_seconds": 0.2, "threads": 1})
    for path, where in (("ray.db", cluster), ("local.db", None)):
        assert run(path, asked, cluster=where)["done"] == 1
    with Store("ray.db") as one, Store("local.db") as other:
        keys = [s.connection.execute("SELECT key FROM cells").fetchone()[0] for s in (one, other)]
    assert keys[0] == keys[1]


def test_an_interrupted_study_goes_on_and_nothing_is_done_twice(cluster, networks):
    options = ("--engine", "ray", "--address", cluster.address)
    names = ("First", "Second", "Third", "Fourth")
    models = ",".join(f"networks.py:{name}" for name in names)
    asked = ("--models", models, "--input", "8", "--batch", "1,2,4", "-o", "s.db")
    process = command("run", *asked, *options)
    while not _done("s.db"):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors
    before = _done("s.db")
    assert 0 < len(before) < 36
    process = command("resume", "s.db", *options)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    after = _done("s.db")
    assert len(after) == 36 and before.items() <= after.items()  # when each was finished


def _done(path):
    if not Path(path).exists():
        return {}
    try:
        with Store(path) as store:
            rows = store.connection.execute("SELECT key, finished FROM cells WHERE state = 'done'")
            return dict(map(tuple, rows))
    except ArchscopeError:  # not made yet
        return {}


def test_more_memory_than_any_node_lends_is_refused(cluster, networks):
    with pytest.raises(InvalidInput, match=r"no node lends 1\.0 PiB|no node lends 1,?024"):
        run("s.db", grid("First"), cluster=cluster, memory_bytes=1 << 50)


def test_a_gpu_that_no_node_has_is_refused(cluster, networks):
    asked = grid("First", analyses=["latency"], device=["cuda"])
    with pytest.raises(InvalidInput, match="no node of the Ray cluster has a GPU"):
        run("s.db", asked, cluster=cluster)


def test_a_task_asks_for_what_it_needs():
    node = Node("ab" * 28, {"CPU": 16, "memory": 64e9, "GPU": 4, "accelerator_type:H100": 1})
    asked = ray_cluster.requirements
    assert asked(A_TRACE, None) == {"num_cpus": 1, "memory": 1 << 30}
    on_gpu = asked(replace(A_TRACE, device="cuda:0"), node)
    assert on_gpu["num_gpus"] == 1 and on_gpu["accelerator_type"] == "H100"
    alone = asked(replace(A_TRACE, device="cpu"), node)
    assert alone["num_cpus"] == 16 and alone["scheduling_strategy"].node_id == node.id
    assert (
        ray_cluster.equal_share([node, Node("cd" * 28, {"CPU": 4, "memory": 8e9})]) == 2_000_000_000
    )


def test_a_node_without_cores_takes_no_tasks(monkeypatch):
    nodes = [
        {"NodeID": "a", "Alive": True, "Resources": {"CPU": 2.0}},
        {"NodeID": "b", "Alive": True, "Resources": {}},
        {"NodeID": "c", "Alive": False, "Resources": {"CPU": 2.0}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert [node.id for node in ray_cluster.nodes()] == ["a"]


def test_no_cluster_is_one_line(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ArchscopeError, match="no Ray cluster answers at '127"):
        list(engine("ray", address="127.0.0.1:1").submit(iter(())))


def test_ray_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr("archscope.study.engines.ray.find_spec", lambda name: None)
    with pytest.raises(ArchscopeError, match=r"pip install 'archscope\[ray\]'"):
        engine("ray")
