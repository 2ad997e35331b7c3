"""The C library's memory, kept by the process while it is measured.

glibc gives freed memory back to the kernel and asks for it again in the next run, or keeps it,
as the freed block happens to lie at the top of the heap or not. Every page that comes back costs a
page fault: in one build of mobilenet_v2 3,500 in each run and 18 ms, in the next none and 12 ms. So
the same network took two times. What has been at work for a while keeps its memory, as does a
server with jemalloc, and as CUDA's caching allocator does: that is what is measured.

mallopt(3), https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # of malloc.h
_NEVER = -1
# Where glibc's own thresholds end up in a process that has freed large blocks. They cannot be
# asked for, and once set they stay.
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}


@contextmanager
def memory_kept() -> Iterator[None]:
    """Freed memory stays with the process; afterwards what is free is given back.

    Of C libraries other than glibc (macOS, Windows, musl) nothing is asked.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_MAX, 0)  # a block of its own would be given back when it is freed
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            library.mallopt(parameter, value)
        give_back()


def give_back() -> None:
    """Free memory goes back to the kernel, also where it is kept: what is built next gets other
    pages, and so another place in the caches.
    """
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> Any:
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if library.mallopt and library.malloc_trim else None
    except (OSError, AttributeError):
        return None
