"""The Ray engine on a real cluster of several nodes on this machine, one of which is lost."""

import fcntl
import json
import os
import re
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pytest
from small_studies import ROOT, built, command, grid

from archscope import study
from archscope.errors import ArchscopeError, InvalidInput
from archscope.study import Limits, Store
from archscope.study.difference import differences
from archscope.study.engines import engine, ray_cluster, ray_worker
from archscope.study.engines.ray_cluster import Node
from archscope.study.keys import cell_key, fingerprint
from archscope.study.records import Measurement, Result, Setting, Task

ray = pytest.importorskip("ray")
SMALL = {"object_store_memory": 80 << 20}
A_TRACE = Task(Setting("vgg16"), (), {}, limits=Limits(memory_bytes=1 << 30))


# A node is lost when it has not answered for 2 s, and not 15.
HEALTH = {"health_check_period_ms": 300, "health_check_failure_threshold": 6}


@pytest.fixture(scope="module")
def cluster():
    """A head that lends no core, and a node of two; where tests run side by side, one at a time."""
    with (
        pytest.MonkeyPatch.context() as patch,
        open(Path(gettempdir(), f"archscope-ray-{os.getuid()}"), "w") as alone,
        # Nothing stays in /tmp/ray; sockets have short names.
        TemporaryDirectory(dir="/tmp") as directory,
    ):
        fcntl.flock(alone, fcntl.LOCK_EX)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("BUILDING_TAKES", "0.1")
        patch.setenv("BUILT", "built.txt")  # where the driver is
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_TMPDIR", directory)
        patch.setattr("archscope.study.engines.ray._NODES_FOR", 0.5)  # and not 5 s
        from ray.cluster_utils import Cluster

        head = {"include_dashboard": False, "num_cpus": 0, "_system_config": HEALTH}
        found = Cluster(initialize_head=True, head_node_args=head | SMALL)
        try:
            found.add_node(num_cpus=2, **SMALL)
            yield found
        finally:
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
    until = time.monotonic() + 40
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def builds():
    return Counter(name for name, _ in built())


def processes():
    return {int(process) for _, process in built()}


def alive(process):
    return Path(f"/proc/{process}").exists()


def attempts(path):
    with Store(path) as store:
        return [row["attempts"] for row in store.connection.execute("SELECT attempts FROM cells")]


def close(*names):
    """Networks that, once under construction, wait for ``open_again``."""
    for name in names:
        Path(f"closed-{name}").touch()


def open_again():
    for path in Path().glob("closed-*"):
        path.unlink()


@contextmanager
def meanwhile(action):
    """Inside, an action goes on beside; what it raises is raised in the end."""
    with ThreadPoolExecutor(1) as beside:
        result = beside.submit(action)
        yield
        result.result()


def test_a_cluster_that_loses_a_node_has_the_store_of_the_local_engine(cluster, networks):
    names = ("First", "Second", "Third", "Fourth", "Raises")
    asked = grid(*names, batch=[1, 2, 8])
    lost = cluster.add_node(num_cpus=2, **SMALL)
    close(*names)

    def lose_it_when_all_cores_are_busy():
        try:
            busy = eventually(lambda: len(processes()) >= 4 and processes())
            cluster.remove_node(lost, allow_graceful=False)
            eventually(lambda: not all(map(alive, busy)))
        finally:
            open_again()

    with meanwhile(lose_it_when_all_cores_are_busy):
        counts = run("ray.db", asked, cluster=cluster)
    assert counts == {"pending": 0, "done": 36, "failed": 9}
    assert max(attempts("ray.db")) == 2  # something was under way there
    assert max(builds().values()) > 3

    run("local.db", asked)
    assert difference("ray.db", "local.db") == []
    keys = "SELECT key, state, reason, result FROM cells ORDER BY key"
    with Store("ray.db") as one, Store("local.db") as other:
        rows = [[tuple(row) for row in s.connection.execute(keys)] for s in (one, other)]
    assert rows[0] == rows[1] and len(rows[0]) == 45


def test_bad_networks_fail_for_the_reasons_that_the_local_engine_gives(cluster, networks):
    asked = grid("Good", "Hangs", "Hoards", "Dies", "Absent", analyses=["depth"])
    limits = {"seconds": 4, "memory_bytes": 1 << 30}
    with meanwhile(lambda: run("local.db", asked, **limits)):
        counts = run("ray.db", asked, cluster=cluster, **limits)
    assert counts == {"pending": 0, "done": 1, "failed": 4}
    assert difference("ray.db", "local.db") == []


def test_a_measurement_has_the_key_that_it_has_on_one_machine(cluster, networks):
    asked = grid("First", analyses=["latency"], measure={"max_seconds": 0.2, "threads": 1})
    assert run("s.db", asked, cluster=cluster)["done"] == 1
    with Store("s.db") as store:
        (found,) = store.connection.execute("SELECT key FROM cells").fetchone()
    here = cell_key(
        Setting("networks.py:First", inputs=("8",)),
        "latency",
        "cpu",
        engine("local", workers=1).title("cpu"),
        Measurement(max_seconds=0.2, threads=1),
        fingerprint("networks.py:First"),
    )
    assert found == here.key


def test_a_study_that_was_stopped_goes_on_and_nothing_is_done_twice(cluster, networks):
    Path("s.toml").write_text(
        'input = ["8"]\n[[grid]]\nmodels = ["networks.py:First"]\nbatch = [1, 2, 4]\n'
        '[[grid]]\nmodels = ["networks.py:Fourth"]\n'
    )
    close("Fourth")
    options = ("--engine", "ray", "--address", cluster.address)
    for times, (what, end) in enumerate((("run", signal.SIGINT), ("resume", signal.SIGKILL)), 1):
        process = command(what, "s.toml" if what == "run" else "s.db", *options)
        done = {"First": 3, "Fourth": times}
        eventually(lambda done=done: len(_done("s.db")) == 9 and builds() == done)
        process.send_signal(end)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == (130 if end == signal.SIGINT else -end)
        assert "Traceback" not in errors
        eventually(lambda: not any(map(alive, processes())))
    before = _done("s.db")
    assert len(before) == 9

    open_again()
    process = command("resume", "s.db", *options)
    _, errors = process.communicate(timeout=60)
    said = [line for line in errors.splitlines() if not line.startswith("[")]  # Ray's own warnings
    assert (process.returncode, said) == (0, [])
    after = _done("s.db")
    assert len(after) == 12 and before.items() <= after.items()  # when each was finished
    assert builds() == {"First": 3, "Fourth": 3}


def test_a_task_whose_process_was_killed_is_tried_again(cluster, networks):
    close("First")

    def kill_ray_s_process():
        try:
            (process,) = eventually(processes)
            status = Path(f"/proc/{process}/status").read_text()
            os.kill(int(re.search(r"PPid:\s+(\d+)", status)[1]), signal.SIGKILL)
            eventually(lambda: not alive(process))
        finally:
            open_again()

    with meanwhile(kill_ray_s_process):
        counts = run("s.db", grid("First"), cluster=cluster)
    assert counts == {"pending": 0, "done": 3, "failed": 0} and attempts("s.db") == [2, 2, 2]


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


def measured_by(monkeypatch):
    """In place of measurements, tasks that tell where they were, when, and with which GPU."""

    def carried_out(task, driver):
        began = time.time()
        Path(driver.directory, "began").touch()
        while os.path.exists(f"{driver.directory}/closed"):
            time.sleep(0.02)
        time.sleep(0.2)
        node, gpu = ray.get_runtime_context().get_node_id(), os.environ["CUDA_VISIBLE_DEVICES"]
        values = {"device_title": "A GPU", "at": [node, gpu], "time": [began, time.time()]}
        return [Result(cell.key, "done", values) for cell in task.cells]

    monkeypatch.setattr(ray_worker, "title", lambda device: "A GPU")
    monkeypatch.setattr(ray_worker, "carried_out", carried_out)


@contextmanager
def gpus(cluster, model, count):
    """A node that says that it has GPUs."""
    resources = {f"accelerator_type:{model}": count}
    node = cluster.add_node(num_cpus=4, num_gpus=count, resources=resources, **SMALL)
    try:
        yield node
    finally:
        if node in cluster.worker_nodes:
            cluster.remove_node(node)


def on_gpus(*names):
    return grid(*names, analyses=["latency"], device=["cuda"], batch=[1, 2, 4])


def test_a_measurement_has_a_gpu_of_one_model_to_itself(cluster, networks, monkeypatch):
    measured_by(monkeypatch)
    with gpus(cluster, "H100", 2) as node, gpus(cluster, "A100", 1):
        assert run("s.db", on_gpus("First", "Second"), cluster=cluster)["done"] == 6
    with Store("s.db") as store:
        texts = store.connection.execute("SELECT result FROM cells").fetchall()
    found = [json.loads(text) for (text,) in texts]
    assert {one["at"][0] for one in found} == {node.node_id}
    by_gpu = [sorted(one["time"] for one in found if one["at"][1] == gpu) for gpu in "01"]
    assert len(by_gpu[0]) + len(by_gpu[1]) == 6
    for times in by_gpu:
        assert all(one[1] <= next[0] for one, next in pairwise(times))


def test_a_study_ends_when_the_only_gpu_is_lost(cluster, networks, monkeypatch):
    measured_by(monkeypatch)
    closed = Path("closed")
    closed.touch()
    with gpus(cluster, "H100", 1) as node:

        def lose_it():
            eventually(Path("began").exists)
            cluster.remove_node(node, allow_graceful=False)

        with (
            meanwhile(lose_it),
            pytest.raises(ArchscopeError, match="no node of the Ray cluster is left that has A GP"),
        ):
            run("s.db", on_gpus("First"), cluster=cluster)
    with Store("s.db") as store:
        assert store.counts() == {"pending": 3, "done": 0, "failed": 0}


def test_a_node_without_archscope_is_told_and_left_out(cluster, networks, caplog):
    Path("empty").mkdir()
    Path("empty/archscope.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'archscope'\")"
    )
    without = {"PYTHONPATH": str(networks / "empty")}
    node = cluster.add_node(num_cpus=4, env_vars=without, **SMALL)
    try:
        asked = grid("First", "Second", "Third", "Fourth", batch=[1, 2])
        counts = run("s.db", asked, cluster=cluster)
    finally:
        cluster.remove_node(node)
    assert counts == {"pending": 0, "done": 24, "failed": 0} and set(attempts("s.db")) == {1}
    (said,) = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(
        "archscope: Ray node .* is left out: archscope is not installed there", said
    )


def test_nodes_with_other_versions_are_refused(cluster, networks, monkeypatch):
    driver = os.getpid()

    def versions():
        return {"torch": "2" if os.getpid() == driver else "1", "archscope files": str(os.getpid())}

    monkeypatch.setattr(ray_worker, "versions", versions)
    told = "torch is 1 there and 2 here, the archscope files are not those of the driver"
    with pytest.raises(ArchscopeError, match=f"no node of the Ray cluster can do this: .*: {told}"):
        run("s.db", grid("First"), cluster=cluster)
    with Store("s.db") as store:
        assert store.counts() == {"pending": 3, "done": 0, "failed": 0}


def test_a_cluster_without_cores_is_waited_for_and_says_so(cluster, networks, monkeypatch, caplog):
    nowhere = {"num_cpus": 1, "resources": {"a core that nobody lends": 1}}
    monkeypatch.setattr(ray_cluster, "requirements", lambda *task: nowhere)
    monkeypatch.setattr(ray_cluster, "nodes", list)
    monkeypatch.setattr("archscope.study.engines.ray._PATIENCE", 2.0)
    with pytest.raises(ArchscopeError, match="has had no cores for 2 s"):
        run("s.db", grid("First"), cluster=cluster)
    (said,) = [record.getMessage() for record in caplog.records]
    assert "no node of the Ray cluster lends a core; waiting 2 s for one" in said


def test_a_head_that_is_lost_ends_the_study_before_ray_ends_the_process(
    cluster, networks, monkeypatch
):
    with ray_cluster.connected(cluster.address):
        assert ray_cluster.head_answers()
    monkeypatch.setattr(ray_cluster, "head_answers", lambda: False)
    monkeypatch.setattr("archscope.study.engines.ray._HEAD_AWAY", 0.0)
    with pytest.raises(ArchscopeError, match=r"head of the Ray cluster has not answered.*resume"):
        run("s.db", grid("First"), cluster=cluster)
    with Store("s.db") as store:
        assert store.counts() == {"pending": 3, "done": 0, "failed": 0}


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
        engine("ray", address="127.0.0.1:1")


def test_a_token_of_another_cluster_is_one_line_and_at_once(monkeypatch):
    def refuse(address):
        raise ray.exceptions.AuthenticationError("RPC error: InvalidAuthToken")

    monkeypatch.setattr("ray._raylet.GcsClient", refuse)
    monkeypatch.setattr(ray, "init", None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ArchscopeError, match=f"'{address}' wants its token: RAY_AUTH_MODE=tok"):
            engine("ray", address=address)
        monkeypatch.setattr(
            "ray._private.services.canonicalize_bootstrap_address", lambda _: address
        )
        with pytest.raises(ArchscopeError, match=f"'{address}' wants its token"):
            engine("ray")


def test_ray_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr("archscope.study.engines.ray.find_spec", lambda name: None)
    with pytest.raises(ArchscopeError, match=r"pip install 'archscope\[ray\]'"):
        engine("ray")
