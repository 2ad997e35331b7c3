"""A counter in a process of its own, answering case after case.

``python -m benchmarks.worker FD COUNTER CASE...`` is started by `answers`, which reads FD.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import torch

from benchmarks import cases, counters

STARTUP_SECONDS = 120
STARTED, TIMED_OUT, DIED = "started", "timed out", "the process died"

Answer = float | str


def answers(counter: str, names: list[str], seconds: float) -> Iterator[Answer]:
    """One answer a case: MACs, or in words why there are none.

    After a failure a new process takes over, since what a counter had patched when it failed
    would spoil its next count.
    """
    remaining = list(names)
    while remaining:
        receiver, sender = Pipe(duplex=False)
        descriptor = sender.fileno()
        # Not multiprocessing and no fork: torchlens refuses to run in a child of either.
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", str(descriptor), counter, *remaining],
            pass_fds=[descriptor],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        sender.close()
        answer = receive(receiver, STARTUP_SECONDS)
        if answer != STARTED:
            yield from [answer] * len(remaining)
            remaining = []
        while remaining and (answer == STARTED or isinstance(answer, float)):
            answer = receive(receiver, seconds)
            remaining = remaining[1:]
            yield answer
        process.kill()
        process.wait()


def receive(answers: Connection, seconds: float) -> Answer:
    if not answers.poll(seconds):
        return TIMED_OUT
    try:
        return answers.recv()
    except EOFError:
        return DIED


def count(
    counter: counters.Counter,
    name: str,
    device: str = "cpu",
    grad: bool = False,
    train: bool = False,
) -> float:
    """The MACs that a counter finds in a case under one condition."""
    case = cases.build(name).to(device)
    torch.compiler.reset()
    with torch.set_grad_enabled(grad):
        return float(counter(case.module.train(train), case.args, case.kwargs))


def explained(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def main(descriptor: str, counter: str, *names: str) -> None:
    """Send STARTED, or why not, and then the answer to each case."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sender = Connection(int(descriptor), readable=False)
    counters.let_torchvision_be_imported()
    try:
        adaptor = counters.LOADERS[counter]()
    except Exception as error:
        sender.send(f"not installed: {explained(error)}")
        return
    sender.send(STARTED)
    for name in names:
        try:
            sender.send(count(adaptor, name))
        except Exception as error:
            sender.send(explained(error))
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
