"""A file of networks, good and bad, as a person may have one; copied to where a test needs it.

Each good one notes in the file that $BUILT names that it was built, and by which process.
"""

import os
import time

from torch import nn

SECONDS = float(os.environ.get("BUILDING_TAKES", "0"))


class Good(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        with open(os.environ.get("BUILT", os.devnull), "a") as log:
            log.write(f"{type(self).__name__} {os.getpid()}\n")
        time.sleep(SECONDS)
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
        self.kept = [bytearray(1 << 28) for _ in range(200)]


class Dies(Good):
    def forward(self, x):
        os.abort()


class Leaks(Good):
    def __init__(self):
        super().__init__()
        LEAKED.append(b"1" * (400 << 20))


LEAKED = []
