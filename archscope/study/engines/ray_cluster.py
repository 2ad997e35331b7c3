"""A Ray cluster as the engine sees it: its nodes, and what a task asks of them."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TextIO

from archscope.errors import ArchscopeError, InvalidInput
from archscope.report.numbers import memory as readable
from archscope.study.engines import ray_worker
from archscope.study.records import Task
from archscope.study.work import reason_of

_ANSWERS_WITHIN = 5.0  # s
_HEAD_WITHIN = 2.0  # s
_SAYS_WITHIN = 120.0  # s, a process on a node that imports torch for it
_ACCELERATOR = "accelerator_type:"  # what Ray calls the custom resource of a GPU's model


@dataclass(frozen=True)
class Node:
    """A living node, and what it has in all."""

    id: str
    resources: Mapping[str, float]
    host: str = ""

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

    _refuse_silence(_found(address))
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with _unheard():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except ray.exceptions.AuthenticationError as error:
        raise _unknown_token(address) from error
    except ConnectionError as error:
        raise _no_cluster(address, error) from error
    except (RuntimeError, ValueError) as error:
        raise ArchscopeError(
            f"cannot join a Ray cluster at '{address}': {_first_line(error)}"
        ) from error
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)  # Ray's own ends the process at once


@contextmanager
def _unheard() -> Iterator[None]:
    """A driver that connects inside does not print what raylets say of themselves.

    When a node is lost that is the end of its log, on stdout, whatever ``log_to_driver`` says; Ray
    has no public way to turn it off. As of Ray 2.60; where the name is another one, it is printed.
    """
    worker: Any = import_module("ray._private.worker")
    listen = getattr(worker, "listen_error_messages", None)
    worker.listen_error_messages = lambda worker, stopped: None
    try:
        yield
    finally:
        worker.listen_error_messages = listen


def _no_cluster(address: str, error: BaseException) -> ArchscopeError:
    reason = _first_line(error)
    return ArchscopeError(
        f"no Ray cluster answers at '{address}': {reason}; start one: ray start --head"
    )


def _found(address: str) -> str:
    """What "auto" stands for here, as far as Ray can tell without connecting."""
    if address != "auto":
        return address
    services: Any = import_module("ray._private.services")
    try:
        return services.canonicalize_bootstrap_address(address) or address
    except Exception:  # the connection will tell
        return address


def _refuse_silence(address: str) -> None:
    """Ray itself tries an address for minutes before it says that nothing answers."""
    host, colon, port = address.rpartition(":")
    if not colon or "://" in address or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWERS_WITHIN).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error
    _refuse_token(address)


def _refuse_token(address: str) -> None:
    """Ray itself asks twenty times with a token that is not the cluster's, and tells of silence.

    ``GcsClient`` is no public name, and ends the process where no token is found; as of Ray 2.60.
    """
    import ray

    try:
        setup = import_module("ray._private.authentication.authentication_token_setup")
        setup.ensure_token_if_auth_enabled(create_token_if_missing=False)
        with _discarded(sys.__stderr__):
            import_module("ray._raylet").GcsClient(address=address)
    except ray.exceptions.AuthenticationError as error:
        raise _unknown_token(address) from error
    except Exception:  # the connection will tell
        return


def _unknown_token(address: str) -> ArchscopeError:
    return ArchscopeError(
        f"the Ray cluster at '{address}' wants its token: RAY_AUTH_MODE=token, and the token of "
        "its head in RAY_AUTH_TOKEN or ~/.ray/auth_token"
    )


@contextmanager
def _discarded(stream: TextIO | None) -> Iterator[None]:
    """What compiled code writes to a stream inside goes nowhere."""
    try:
        number = stream.fileno() if stream else -1
        kept = os.dup(number)
    except (OSError, ValueError):  # it is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if not lines:
        return type(error).__name__
    return (" ".join(lines)[:300] if lines[0].endswith(":") else lines[0]).rstrip(".")


def head_answers() -> bool:
    """Whether the head is there: Ray itself ends this process when it has not been for a minute."""
    import ray

    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_HEAD_WITHIN).close()
    except OSError:
        return False
    return True


def nodes() -> list[Node]:
    """The nodes that live and lend cores."""
    import ray

    found = [
        Node(one["NodeID"], one["Resources"], one.get("NodeManagerHostname", ""))
        for one in ray.nodes()
        if one["Alive"]
    ]
    return [node for node in found if node.cpus]


def misfits(found: Collection[Node]) -> dict[str, str]:
    """Why a task of this driver cannot be done on some of these nodes, by their ids."""
    here = ray_worker.versions()
    answers = _ask(ray_worker.versions, found)
    return {id: reason for id, there in answers.items() if (reason := _unlike(there, here))}


def _unlike(there: Mapping[str, str] | ArchscopeError, here: Mapping[str, str]) -> str:
    if isinstance(there, ArchscopeError):
        return str(there)
    return ", ".join(
        f"the {name} are not those of the driver"
        if name.endswith(" files")
        else f"{name} is {there.get(name, 'none')} there and {version} here"
        for name, version in here.items()
        if there.get(name) != version
    )


def device_title(device: str) -> tuple[str, Callable[[Node], bool]]:
    """What a device is on this cluster, and which nodes have it.

    Where nodes have several models of processors or GPUs, the one of which there are most.

    Raises:
        InvalidInput: no node has such a device.
    """
    lending = nodes()
    if device == "cpu":
        titles = _ask(ray_worker.title, lending, device)
        known = Counter(title for title in titles.values() if isinstance(title, str))
        if not known:
            refusal = InvalidInput("no node of the Ray cluster lends a core")
            raise next(iter(titles.values()), refusal)
        title = _most(known)
        return title, lambda node: titles.get(node.id) == title
    if device != "cuda:0":
        raise InvalidInput(f"Ray itself chooses among GPUs: --device cuda, not {device}")
    model = _most(sum((Counter(node.gpus) for node in lending), Counter()))
    chosen = [node for node in lending if model in node.gpus]
    if not chosen:
        raise InvalidInput("no node of the Ray cluster has a GPU")
    return _title_of_gpu(chosen), lambda node: model in node.gpus


def _title_of_gpu(chosen: list[Node]) -> str:
    """As the first node that can tell; each is asked when a GPU of it is free."""
    answers: dict[str, Any] = {}
    for node in chosen:
        answers |= _ask(ray_worker.title, [node], "cuda:0", num_gpus=1)
        if isinstance(answers[node.id], str):
            return str(answers[node.id])
    told = "; ".join(f"{node.host}: {answers[node.id]}" for node in chosen[:3])
    raise ArchscopeError(f"the GPUs of the Ray cluster cannot be used: {told}")


def _most(counts: Mapping[str, float]) -> str:
    return min(counts, key=lambda name: (-counts[name], name), default="")


def _ask(
    question: Callable[..., Any], found: Collection[Node], *arguments: Any, num_gpus: int = 0
) -> dict[str, Any]:
    """What each node answers, by its id; an ``ArchscopeError`` if it does not."""
    import ray

    remote = ray.remote(question)
    options = {"num_cpus": 0, "num_gpus": num_gpus, "max_retries": 0}
    asked = {
        node.id: remote.options(**options, **_only_on(node)).remote(*arguments) for node in found
    }
    if asked:
        ray.wait(list(asked.values()), num_returns=len(asked), timeout=_SAYS_WITHIN)
    return {id: _answer(reference) for id, reference in asked.items()}


def _answer(reference: Any) -> Any:
    import ray

    try:
        return ray.get(reference, timeout=0)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(reference, force=True)
        return ArchscopeError(f"it has not answered in {_SAYS_WITHIN:.0f} s")
    except ray.exceptions.RayError as error:
        return ArchscopeError(reason(error))


def reason(error: Any) -> str:
    """One line: what a node's own code raised, or the first sentence of Ray's explanation."""
    cause = getattr(error, "cause", None) or error
    text = " ".join(str(cause).split())
    if absent := re.search(r"failed to import on the worker.* No module named '([\w.]+)'", text):
        return f"{absent[1]} is not installed there"
    if cause is not error and isinstance(cause, Exception):
        text = reason_of(cause)
    return text.partition(". ")[0].rstrip(".") or type(error).__name__


def _only_on(node: Node) -> dict[str, Any]:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}


def requirements(task: Task, node: Node | None, avoided: Collection[str] = ()) -> dict[str, Any]:
    """What Ray is asked for, for a task: options of a remote function.

    A trace takes a core and its limit of memory. A measurement on the CPU takes all cores of one
    ``node``, so that nothing else runs there, and one on a GPU takes that and its model. Nothing
    runs on ``avoided`` nodes, given by their ids.
    """
    asked: dict[str, Any] = {"num_cpus": 1}
    if task.limits.memory_bytes:
        asked["memory"] = task.limits.memory_bytes
    if task.device == "cpu" and node:
        return asked | {"num_cpus": node.cpus, **_only_on(node)}
    if avoided:
        asked["label_selector"] = {"ray.io/node-id": f"!in({','.join(sorted(avoided))})"}
    if node is None:
        return asked
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
