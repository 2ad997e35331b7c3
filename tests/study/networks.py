"""A file of networks, good and bad, as a person may have one; copied to where a test needs it.

Each good one notes in the file that $BUILT names that it was built, and by which process. Then it
waits while there is a file closed-NAME, so that a test can act in the middle of the work.
"""

import mmap
import os
import signal
import time

import torch
from torch import nn

SECONDS = float(os.environ.get("BUILDING_TAKES", "0"))


class Good(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        with open(os.environ.get("BUILT", os.devnull), "a") as log:
            log.write(f"{type(self).__name__} {os.getpid()}\n")
        time.sleep(SECONDS)
        while os.path.exists(f"closed-{type(self).__name__}"):
            time.sleep(0.02)
        self.linear = nn.Linear(8, width)

    def forward(self, x):
        return self.linear(x)


class First(Good):
    pass


class Second(Good):
    pass


class Third(Good):
    pass


class Fourth(Good):
    pass


class Raises(Good):
    def forward(self, x):
        raise ValueError("no\nway")


class Hangs(Good):
    def forward(self, x):
        while True:
            time.sleep(0.05)


class Hoards(Good):
    def __init__(self):
        super().__init__()
        self.kept = bytearray(1 << 40)


class Maps(Good):
    """What it takes is no data of its process, of which the system would count the bytes."""

    def forward(self, x):
        shared = mmap.mmap(-1, 3 << 29)
        for page in range(0, 3 << 29, mmap.PAGESIZE):
            shared[page] = 1
        time.sleep(60)


class Dies(Good):
    def forward(self, x):
        os.abort()


class Unsettles(Good):
    """It changes what every network after it in the process would find."""

    def __init__(self):
        super().__init__()
        torch.set_default_dtype(torch.float64)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        os.environ["BUILT"] = os.devnull
        os.chdir("/")


class Forks(Good):
    """Two processes go on from here as if each were the only one."""

    def __init__(self):
        super().__init__()
        os.fork()


class Leaks(Good):
    def __init__(self):
        super().__init__()
        LEAKED.append(b"1" * (600 << 20))


LEAKED = []
