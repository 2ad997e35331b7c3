"""Commands as processes of their own, with a cache of their own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

# Runs a command of archscope and notes in a file whether that needed torch.
_ARCHSCOPE = """
import sys
from archscope.cli import main
try:
    main()
finally:
    with open("torch.txt", "w") as file:
        file.write(str("torch" in sys.modules))
"""
_NETWORK = """
import time

from torch import nn

from parts import WIDTH


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, WIDTH)

    def forward(self, x):
        return self.linear(x)


def inputs():
    import torch

    return torch.zeros(3, 8)
"""


@dataclass(frozen=True)
class Done:
    """What a process left."""

    out: bytes
    err: bytes
    status: int


class Place:
    """A directory with a network, in which commands run, and the directory of their results."""

    def __init__(self, folder):
        self.folder, self.results = folder, folder / "results"
        self.write("net.py", _NETWORK)
        self.write("parts.py", "WIDTH = 4\n")
        self.write("now.py", "import time\n\n\ndef show():\n    return time.time_ns()\n")

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def environment(self, **changes):
        """That of a command; a change to None takes a variable away."""
        given = {
            "PYTHONPATH": str(ROOT),
            "ARCHSCOPE_CACHE_DIR": str(self.results),
            "ARCHSCOPE_NO_CACHE": None,
            **changes,
        }
        merged = {**os.environ, **given}
        return {name: str(value) for name, value in merged.items() if value is not None}

    def _run(self, *command, folder=None, **environment):
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=folder or self.folder,
            env=self.environment(**environment),
            capture_output=True,
            timeout=120,
        )
        return Done(done.stdout, done.stderr, done.returncode)

    def archscope(self, *arguments, **environment):
        """A command, and whether it needed torch."""
        done = self._run("-c", _ARCHSCOPE, *arguments, **environment)
        return done, (self.folder / "torch.txt").read_text() == "True"

    def show(self, *arguments, folder=None, **environment):
        """``shown.py``."""
        return self._run(HERE / "shown.py", *arguments, folder=folder, **environment)

    def entries(self):
        return sorted(self.results.glob("*.json"))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)
