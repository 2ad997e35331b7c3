"""The state of Python and torch that a run wants, put back after it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch


@contextmanager
def no_collection() -> Iterator[None]:
    """Python's cyclic collector waits: when it strikes would decide how long tensors in a cycle
    live, and one pass over all of torch takes as long as the run."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def deep_nesting() -> Iterator[None]:
    """A module call takes some more frames than usual, and deep models take many calls."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(3 * limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@contextmanager
def as_written() -> Iterator[None]:
    """Compiled modules run as they are written, and encoders without their fast path, which packs
    padded sequences into nested tensors that have no shape."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    compiler = torch.compile
    with ExitStack() as stack:
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast_path)
        torch.backends.mha.set_fastpath_enabled(False)

        def eagerly() -> None:
            stack.enter_context(torch.compiler.set_stance("force_eager"))

        def compiled(*args: Any, **kwargs: Any) -> Any:
            """The compiler is imported when the model asks for it: that takes as long as torch."""
            torch.compile = compiler
            eagerly()
            return compiler(*args, **kwargs)

        if "torch._dynamo" in sys.modules:
            eagerly()
        else:
            stack.callback(setattr, torch, "compile", compiler)
            torch.compile = compiled
        yield
