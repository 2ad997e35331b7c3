"""The Ray engine: the same tasks on the machines of a Ray cluster.

::

    driver    | task, task, ... ------>  (as many as keep all cores busy) | results | task ...
    Ray                  | where there is a core, memory, a GPU |
    node                     | ray_worker -> a process of the local engine |

Ray places each task by what it asks for. A task that was lost with its process or its machine is
sent again, and has failed when that happens too often. The driver has a bounded number of tasks
under way, and takes the next one from the store when one is back.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from archscope.errors import ArchscopeError
from archscope.study.engines import ray_cluster, ray_worker
from archscope.study.engines.ray_cluster import Node
from archscope.study.records import Limits, Result, Task
from archscope.study.work import failure

if TYPE_CHECKING:
    from ray import ObjectRef

ATTEMPTS = 3
_AHEAD = 2  # tasks under way for each core, so that none waits for the driver
_LOOK = 1.0  # s; an interrupt is noticed after that
_NODES_FOR = 5.0  # s after which the cluster's nodes are asked for anew
_REFUSALS = 3  # in a row, of nodes that cannot work at all
_HEAD_AWAY = 20.0  # s without an answer of the head; Ray ends this process after 60
_PATIENCE = 300.0  # s without any node that could work; an autoscaler takes minutes to start one

_log = logging.getLogger(__name__)


def engine(*, workers: int | None = None, address: str | None = None) -> Ray:
    """The Ray engine.

    Args:
        workers: at most so many tasks at once; as many as the cluster has cores by default.
        address: of the cluster, "auto" by default: the one that runs here, or $RAY_ADDRESS.

    Raises:
        ArchscopeError: Ray is not installed, or no cluster answers.
    """
    if find_spec("ray") is None:
        raise ArchscopeError("--engine ray needs Ray: pip install 'archscope[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with ray_cluster.connected(address):
        pass  # a wrong address is told before anything is made
    return Ray(address, workers)


class Ray:
    """An ``Engine`` of the processes of a cluster."""

    def __init__(self, address: str | None, workers: int | None):
        """It connects again when there is something to do."""
        self.address, self.workers = address, workers
        self.titles: dict[str, str] = {}
        self.has: dict[str, Callable[[Node], bool]] = {}

    def title(self, device: str) -> str:
        """The name of the processor or GPU of those nodes that measure."""
        if device not in self.titles:
            with ray_cluster.connected(self.address):
                self.titles[device], self.has[device] = ray_cluster.device_title(device)
        return self.titles[device]

    def submit(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """The results of all cells, as they come; what is under way ends with the iterator.

        Raises:
            ArchscopeError: there is no cluster, or its nodes cannot do this work.
        """
        with ray_cluster.connected(self.address):
            flight = _Flight(self)
            try:
                yield from flight.carry_out(iter(tasks))
            finally:
                flight.cancel()


@dataclass(frozen=True)
class _Sent:
    """A task that is under way; ``node`` where it must run on that one."""

    task: Task
    attempt: int
    node: Node | None


class _Flight:
    """The tasks that are under way."""

    def __init__(self, engine: Ray):
        import ray

        self.engine = engine
        self.remote = ray.remote(ray_worker.carried_out)
        self.driver = ray_worker.Driver.here()
        self.sent: dict[ObjectRef[list[Result]], _Sent] = {}
        self.again: deque[tuple[Task, int]] = deque()  # with the number of the attempt
        self.refusals = 0
        self.nodes: list[Node] = []  # that can do the work
        self.known: set[str] = set()  # ids of nodes that were asked what they are
        self.avoided: dict[str, str] = {}  # ids of nodes that cannot, and why
        self.asked = -_NODES_FOR
        self.last_able = time.monotonic()  # when there last was a node that can
        self.answered = time.monotonic()  # when the head last did
        self.told = False  # that there is none

    def carry_out(self, tasks: Iterator[Task]) -> Iterator[Result]:
        import ray

        while self._fill(tasks):
            back, _ = ray.wait(list(self.sent), num_returns=1, timeout=_LOOK)
            for one in back:
                yield from self._back(one, self.sent.pop(one))

    def cancel(self) -> None:
        import ray

        for one in self.sent:
            ray.cancel(one, force=True)
        self.sent.clear()

    # -- there -------------------------------------------------------------------------------------

    def _fill(self, tasks: Iterator[Task]) -> bool:
        """Send as many as keep the cluster busy; whether any is under way."""
        self._look_at_nodes()
        most = self.engine.workers or _AHEAD * max(1, sum(node.cpus for node in self.nodes))
        while len(self.sent) < most:
            if self.again:
                self._send(*self.again.popleft())
            elif (task := next(tasks, None)) is not None:
                self._send(self._limited(task), 1)
            else:
                break
        return bool(self.sent)

    def _look_at_nodes(self) -> None:
        if time.monotonic() - self.asked <= _NODES_FOR and self.nodes:
            return
        if not self._head_answers():
            return  # nor would it say which nodes there are
        found = ray_cluster.nodes()
        new = [node for node in found if node.id not in self.known]
        refused = ray_cluster.misfits(new)
        self.known |= {node.id for node in new}
        self.avoided |= refused
        self.nodes = [node for node in found if node.id not in self.avoided]
        self.asked = time.monotonic()
        if not self.nodes and found:
            reasons = "; ".join(f"{node.host}: {self.avoided[node.id]}" for node in found[:3])
            raise ArchscopeError(f"no node of the Ray cluster can do this: {reasons}")
        for node in new:
            if node.id in refused:
                _log.warning("archscope: Ray node %s is left out: %s", node.host, refused[node.id])
                self.refusals = -len(self.sent)  # tasks may have been there already
        self._refuse_to_wait_for_ever()

    def _head_answers(self) -> bool:
        """Whether it does now.

        Raises:
            ArchscopeError: it has not for some time.
        """
        if ray_cluster.head_answers():
            self.answered = time.monotonic()
            return True
        if time.monotonic() - self.answered > _HEAD_AWAY:
            raise ArchscopeError(
                f"the head of the Ray cluster has not answered for {_HEAD_AWAY:.0f} s; what was "
                "done is kept: `archscope study resume`, once there is a cluster"
            )
        return False

    def _refuse_to_wait_for_ever(self) -> None:
        """As Ray does with what was sent and has no node any more that could do it."""
        for sent in self.sent.values():
            if sent.task.device:
                self._able(sent.task)
        most = max((sent.task.limits.memory_bytes or 0 for sent in self.sent.values()), default=0)
        if self.nodes:
            ray_cluster.check_memory(most, self.nodes)
            self.last_able, self.told = time.monotonic(), False
        elif time.monotonic() - self.last_able > _PATIENCE:
            raise ArchscopeError(f"the Ray cluster has had no cores for {_PATIENCE:.0f} s")
        elif not self.told:
            _log.warning(
                "archscope: no node of the Ray cluster lends a core; waiting %.0f s for one "
                "(ray start --address=...)",
                _PATIENCE,
            )
            self.told = True

    def _limited(self, task: Task) -> Task:
        """With the share of memory that a core has, if no limit was given."""
        limits: Limits = task.limits
        if limits.memory_bytes is None:
            limits = replace(limits, memory_bytes=ray_cluster.equal_share(self.nodes))
        ray_cluster.check_memory(limits.memory_bytes, self.nodes)
        return replace(task, limits=limits)

    def _send(self, task: Task, attempt: int) -> None:
        node = self._node_for(task) if task.device else None
        options = ray_cluster.requirements(task, node, self.avoided)
        call = self.remote.options(max_retries=0, name=task.setting.reference, **options)
        self.sent[call.remote(task, self.driver)] = _Sent(task, attempt, node)

    def _node_for(self, task: Task) -> Node:
        """Of the nodes that can measure this, one with the fewest measurements."""
        at = Counter(sent.node.id for sent in self.sent.values() if sent.node)
        return min(self._able(task), key=lambda node: at[node.id])

    def _able(self, task: Task) -> list[Node]:
        """The nodes that can measure this.

        Raises:
            ArchscopeError: there is none, and Ray would wait for one for ever.
        """
        title, has = self.engine.titles[task.device], self.engine.has[task.device]
        able = [node for node in self.nodes if has(node)]
        if not able:
            raise ArchscopeError(f"no node of the Ray cluster is left that has {title}")
        ray_cluster.check_memory(task.limits.memory_bytes, able)
        enough = task.limits.memory_bytes or 0
        return [node for node in able if node.memory_bytes >= enough]

    # -- and back ----------------------------------------------------------------------------------

    def _back(self, one: ObjectRef[list[Result]], sent: _Sent) -> Iterator[Result]:
        import ray

        try:
            results: list[Result] = ray.get(one)
        except ray.exceptions.RayError as error:
            yield from self._lost(error, sent)
            return
        self.refusals = 0
        for result in results:
            found = self._as_planned(result, sent.task)
            yield replace(found, attempts=found.attempts + sent.attempt - 1)

    def _lost(self, error: Any, sent: _Sent) -> Iterator[Result]:
        """Its process or its node has ended, or cannot work."""
        import ray

        reason = ray_cluster.reason(error)
        if isinstance(error, ray.exceptions.RayTaskError):
            self.refusals += 1
            if self.refusals >= _REFUSALS:
                raise ArchscopeError(f"Ray's nodes cannot do this: {reason}") from error
        self.asked = -_NODES_FOR  # the node may be gone
        if sent.attempt < ATTEMPTS:
            self.again.append((sent.task, sent.attempt + 1))
            return
        for cell in sent.task.cells:
            yield failure(cell, f"lost {ATTEMPTS} times: {reason}", attempts=sent.attempt)

    def _as_planned(self, result: Result, task: Task) -> Result:
        """A measurement on another device than the one in its key is none."""
        found, planned = result.values.get("device_title"), self.engine.titles.get(task.device)
        if found is None or found == planned:
            return result
        reason = f"measured on {found}, and the study was planned for {planned}"
        return replace(result, state="failed", values={}, reason=reason)
