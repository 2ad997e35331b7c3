"""A Ray cluster as the engine sees it: its nodes, and what a task asks of them."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from archscope.errors import ArchscopeError, InvalidInput
from archscope.report.numbers import memory as readable
from archscope.study.engines import ray_worker
from archscope.study.records import Task

_ANSWERS_WITHIN = 5.0  # s
_ACCELERATOR = "accelerator_type:"  # what Ray calls the custom resource of a GPU's model


@dataclass(frozen=True)
class Node:
    """A living node, and what it has in all."""

    id: str
    resources: Mapping[str, float]

    @property
    def cpus(self) -> int:
        """The cores that it lends."""
        return int(self.resources.get("CPU", 0))

    @property
    def memory_bytes(self) -> int:
        """The memory that it lends."""
        return int(self.resources.get("memory", 0))

    @property
    def gpus(self) -> dict[str, float]:
        """How many GPUs of which model; "" where Ray does not know it."""
        count = self.resources.get("GPU", 0)
        models = [name for name in self.resources if name.startswith(_ACCELERATOR)]
        model = models[0].removeprefix(_ACCELERATOR) if models else ""
        return {model: count} if count else {}


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Inside, this process is a driver of the cluster; a connection that there is stays.

    Raises:
        ArchscopeError: no cluster answers.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    _connect(address or "auto")
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    import ray

    _refuse_silence(address)
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ArchscopeError(
            f"no Ray cluster answers at '{address}': {_first_line(error)}; "
            "start one: ray start --head"
        ) from error
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)  # Ray's own ends the process at once


def _refuse_silence(address: str) -> None:
    """Ray itself tries an address for minutes before it says that nothing answers."""
    host, colon, port = address.rpartition(":")
    if not colon or "://" in address or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWERS_WITHIN).close()
    except (OSError, OverflowError) as error:
        raise ArchscopeError(
            f"no Ray cluster answers at '{address}': {error}; start one: ray start --head"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


def nodes() -> list[Node]:
    """The nodes that live and lend cores."""
    import ray

    found = [Node(one["NodeID"], one["Resources"]) for one in ray.nodes() if one["Alive"]]
    return [node for node in found if node.cpus]


def device_title(device: str) -> tuple[str, Callable[[Node], bool]]:
    """What a device is on this cluster, and which nodes have it.

    Where nodes have several models of processors or GPUs, the one of which there are most.

    Raises:
        InvalidInput: no node has such a device.
    """
    if device == "cpu":
        titles = {node.id: _ask(node, "cpu") for node in nodes()}
        if not titles:
            raise InvalidInput("no node of the Ray cluster lends a core")
        title = _most(Counter(titles.values()))
        return title, lambda node: titles.get(node.id) == title
    if device != "cuda:0":
        raise InvalidInput(f"Ray itself chooses among GPUs: --device cuda, not {device}")
    with_gpus = nodes()
    model = _most(sum((Counter(node.gpus) for node in with_gpus), Counter()))
    chosen = [node for node in with_gpus if model in node.gpus]
    if not chosen:
        raise InvalidInput("no node of the Ray cluster has a GPU")
    return _ask(chosen[0], "cuda:0"), lambda node: model in node.gpus


def _most(counts: Mapping[str, float]) -> str:
    return min(counts, key=lambda name: (-counts[name], name), default="")


def _ask(node: Node, device: str) -> str:
    import ray

    ask = ray.remote(ray_worker.title)
    options = {"num_cpus": 0, "num_gpus": 0 if device == "cpu" else 1, **_only_on(node)}
    try:
        return str(ray.get(ask.options(**options).remote(device)))
    except ray.exceptions.RayError as error:
        raise ArchscopeError(
            f"Ray node {node.id[:8]} does not say what {device} is: {error}"
        ) from error


def _only_on(node: Node) -> dict[str, Any]:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}


def requirements(task: Task, node: Node | None) -> dict[str, Any]:
    """What Ray is asked for, for a task: options of a remote function.

    A trace takes a core and its limit of memory. A measurement on the CPU takes all cores of one
    ``node``, so that nothing else runs there, and one on a GPU takes that and its model.
    """
    asked: dict[str, Any] = {"num_cpus": 1}
    if task.limits.memory_bytes:
        asked["memory"] = task.limits.memory_bytes
    if node is None:
        return asked
    if task.device == "cpu":
        return asked | {"num_cpus": node.cpus, **_only_on(node)}
    (model,) = node.gpus
    return asked | {"num_gpus": 1, **({"accelerator_type": model} if model else {})}


def equal_share(found: list[Node]) -> int | None:
    """Bytes of memory for a task if each core of each node has one."""
    return min((node.memory_bytes // node.cpus for node in found), default=0) or None


def check_memory(limit: int | None, found: list[Node]) -> None:
    """Refuse a limit that Ray would wait for a node to have, for ever.

    Raises:
        InvalidInput: no node has so much.
    """
    most = max((node.memory_bytes for node in found), default=0)
    if limit and found and limit > most:
        raise InvalidInput(
            f"no node lends {readable(limit)} to one process; the largest lends {readable(most)}"
        )
