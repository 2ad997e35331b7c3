"""The errors that a person can make: each message is one line that says what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_FEW = 12  # names that fit into a line
# Of the device, of the machine, and of CUDA's libraries (CUBLAS_STATUS_ALLOC_FAILED).
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "STATUS_ALLOC_FAILED")


class ArchscopeError(Exception):
    """A request that cannot be answered; the message is one line for the person who made it."""

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).split()))


class UnknownName(ArchscopeError):
    """A name that is not known; the message offers the nearest ones."""

    def __init__(self, what: str, name: str, known: Iterable[str], see: str = "archscope list"):
        known = list(known)
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
        if near:
            hint = f"did you mean {', '.join(near)}?"
        elif len(known) <= _FEW:
            hint = f"it is one of {', '.join(known)}."
        else:
            hint = f"`{see}` shows them all."
        super().__init__(f"unknown {what} '{name}'; {hint}")


class UnknownOption(ArchscopeError):
    """An option that the architecture's builder does not take."""

    def __init__(self, name: str, option: str, accepted: Iterable[str]):
        options = ", ".join(sorted(accepted)) or "none"
        super().__init__(f"{name} has no option '{option}'; it takes: {options}.")


class InvalidInput(ArchscopeError):
    """Inputs that cannot be read or that the model does not accept."""


class TraceFailed(ArchscopeError):
    """The model raised while it ran on shapes."""


def unreadable(path: object, error: Exception) -> InvalidInput:
    """The error of a file that cannot be read.

    Args:
        path: its name.
        error: why.
    """
    if isinstance(error, FileNotFoundError):
        return InvalidInput(f"{path} cannot be read: there is no such file")
    reason = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
    return InvalidInput(f"{path} cannot be read: {reason or type(error).__name__}")


def first_line(error: BaseException) -> str:
    """What an error says first; nothing if it says nothing."""
    return (str(error).strip().splitlines() or [""])[0]


def one_line(error: BaseException) -> str:
    """The same; its type if it says nothing."""
    return first_line(error) or type(error).__name__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, torch, the device or one of its libraries had too little memory.

    Args:
        error: what was raised; torch's allocator for the CPU raises a plain RuntimeError.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # of torch
        return True
    return any(words in str(error) for words in _NO_MEMORY)
