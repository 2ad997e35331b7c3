"""The registry's torchvision finds no compiled ops beside a CPU-only torch.

Its import registers fake kernels for two of them and fails when their schemas are missing, so we
declare those schemas first. Nothing here calls them.
"""

import importlib.util
import os
import shutil
import signal
from collections.abc import Callable

# Tests run side by side: a thread each, here and in the processes that they start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What is tested runs, whatever a person's cache holds; the cache's own tests turn it on.
os.environ["ARCHSCOPE_NO_CACHE"] = "1"

# A runner in the background ignores Ctrl-C, one under nohup that its terminal closes, and so would
# the processes that tests interrupt.
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
import torch

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _declare_missing_torchvision_schemas() -> None:
    if importlib.util.find_spec("torchvision") is None or torch.version.cuda is not None:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        library.define(name + schema)
    _kept_alive.append(library)


_kept_alive: list[torch.library.Library] = []
_declare_missing_torchvision_schemas()


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Where a program is that a test drives, such as a browser or LaTeX.

    Without it the test is skipped; in CI, which installs them all, that is a failure instead.
    """

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None and os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and CI must run this test")
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find
