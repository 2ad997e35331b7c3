"""What a run frees stays with the process while it is measured."""

import json
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's memory")

# In a process of its own: what ran before in this one has left holes to reuse.
SCRIPT = """
import json, resource, torch
from archscope.measure.kept import memory_kept

size = 64 << 20  # more than any block that glibc would keep of itself

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(size, dtype=torch.uint8).fill_(1)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    return (after - before) / (size / resource.getpagesize())

before = [faults(), faults()]
with memory_kept():
    meanwhile = [faults() for _ in range(50)]
print(json.dumps([before, meanwhile, [faults(), faults()]]))
"""


def test_what_is_freed_is_kept_meanwhile_and_given_back_afterwards():
    process = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    before, meanwhile, afterwards = json.loads(process.stdout)
    assert min(before) > 0.9  # page faults a page
    # Some: where a small block came to lie in the hole, the next large one needs another.
    assert sum(meanwhile) / len(meanwhile) < 0.1
    assert min(afterwards) > 0.9
