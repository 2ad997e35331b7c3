"""Networks in a file, an engine without processes, and the command as a process."""

import os
import subprocess
import sys
from pathlib import Path

from archscope.study import Grid
from archscope.study.work import results_of

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class Serial:
    """One task after the other, in this process."""

    def title(self, device):
        return f"title of {device}"

    def submit(self, tasks):
        for task in tasks:
            yield from results_of(task)


def grid(*names, **settings):
    models = [f"networks.py:{name}" for name in names]
    return Grid.of({"models": models, "input": ["8"], **settings})


def command(*arguments, **environment):
    """``archscope study`` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "archscope", "study", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def built():
    """What networks.py has noted, a line for each network built: its name and process."""
    path = Path("built.txt")
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []
