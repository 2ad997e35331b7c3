"""The Ray engine on a real cluster of two nodes on this machine, one of which is lost."""

import threading

import pytest
from click.testing import CliRunner

from archscope.errors import ArchscopeError
from archscope.study import frame
from archscope.study.engines import engine, ray_cluster

MODELS = ("resnet18", "alexnet", "vgg11", "googlenet", "resnet20-cifar", "nin")
TIMES = ("seconds", "cpu_seconds", "peak_rss")


@pytest.fixture
def cluster(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    found = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False},
    )
    found.add_node(num_cpus=1)
    yield found
    found.shutdown()


def run(path, *options):
    from archscope.cli import cli

    models = ",".join(MODELS)
    arguments = ["study", "run", "--models", models, "--batch", "1,2", "-o", str(path), *options]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return frame(str(path))


def compared(table):
    return table.drop(columns=[name for name in table if name.startswith(TIMES)])


def test_a_cluster_that_loses_a_node_has_the_store_of_the_local_engine(cluster, tmp_path):
    lost = cluster.add_node(num_cpus=1)
    losing = threading.Timer(6, cluster.remove_node, [lost])
    losing.start()
    try:
        found = run(tmp_path / "ray.db", "--engine", "ray", "--address", cluster.address)
    finally:
        losing.join()
    expected = run(tmp_path / "local.db", "--workers", "1")
    assert len(found) == 2 * len(MODELS)
    order = ["model", "batch"]
    one, other = (
        compared(table).sort_values(order).reset_index(drop=True) for table in (found, expected)
    )
    assert one.equals(other)


def test_no_cluster_is_one_line(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ArchscopeError, match="no Ray cluster answers at '127"):
        list(engine("ray", address="127.0.0.1:1").submit(iter(())))


def test_ray_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr("archscope.study.engines.ray.find_spec", lambda name: None)
    with pytest.raises(ArchscopeError, match=r"pip install 'archscope\[ray\]'"):
        engine("ray")


def test_a_node_without_cores_takes_no_tasks(monkeypatch):
    ray = pytest.importorskip("ray")
    nodes = [
        {"NodeID": "a", "Alive": True, "Resources": {"CPU": 2.0}},
        {"NodeID": "b", "Alive": True, "Resources": {}},
        {"NodeID": "c", "Alive": False, "Resources": {"CPU": 2.0}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert [node.cpus for node in ray_cluster.nodes()] == [2.0]
