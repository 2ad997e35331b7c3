"""What the arguments of public functions must be; a wrong one is refused in one line.

>>> @checked(samples=positive, loss=function)
... def gradient_paths(model, *, samples=4, loss=None): ...

A default is never wrong: ``loss=None`` passes although None is no function.
"""

from __future__ import annotations

import inspect
import math
import os
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from archscope.errors import InvalidInput, UnknownName

P = ParamSpec("P")
R = TypeVar("R")
Rule = Callable[[str, Any], None]  # (what it is called, the value); raises InvalidInput

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60  # characters of a value in a message


def checked(**rules: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a function refuse wrong arguments before it does anything.

    Args:
        rules: what an argument must be, by its name; its default need not be so.
    """

    def decorate(called: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(called)
        defaults = {name: parameter.default for name, parameter in signature.parameters.items()}

        @wraps(called)
        def refusing(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs).arguments
            for name, rule in rules.items():
                if name in given and given[name] is not defaults[name]:
                    rule(name, given[name])
            return called(*args, **kwargs)

        return refusing

    return decorate


def shown(value: Any) -> str:
    """A value in a message: its repr in one line, and not a long one."""
    if not isinstance(value, str | bytes | int | float | bool | list | tuple | dict | set | None):
        return f"an object of type {type(value).__name__}"
    return " ".join(_SHORT.repr(value).split())


# -- numbers ---------------------------------------------------------------------------------------


def positive(what: str, value: Any) -> None:
    """A whole number of 1 or more."""
    _whole(what, value, 1)


def not_negative(what: str, value: Any) -> None:
    """A whole number of 0 or more."""
    _whole(what, value, 0)


def positives(what: str, value: Any) -> None:
    """A whole number of 1 or more, or a sequence of some, each but once."""
    if not isinstance(value, list | tuple | range):
        positive(what, value)
        return
    if not value:
        raise InvalidInput(f"{what} must be a whole number of 1 or more, or some, and is empty")
    for one in value:
        positive(what, one)
    if len(set(value)) < len(value):
        raise InvalidInput(f"{what} has the same number twice: {shown(value)}")


def _whole(what: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{what} must be a whole number of {least} or more, not {shown(value)}")
    if value >= 2**63:
        raise InvalidInput(f"{what} must be less than 2^63, not {shown(value)}")


def above_zero(what: str, value: Any) -> None:
    """A finite number above 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise InvalidInput(f"{what} must be a finite number above 0, not {shown(value)}")


def inches(what: str, value: Any) -> None:
    """The width and height of a figure."""
    pair = isinstance(value, list | tuple) and len(value) == 2
    if not pair or not all(
        isinstance(side, int | float) and not isinstance(side, bool) and 0 < side <= 100
        for side in value
    ):
        raise InvalidInput(f"{what} must be (width, height) in inches, not {shown(value)}")


# -- words, places, functions ----------------------------------------------------------------------


def text(what: str, value: Any) -> None:
    """A text."""
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be a text, not {shown(value)}")


def texts(what: str, value: Any) -> None:
    """A text, or a collection of some."""
    if isinstance(value, str):
        return
    if not isinstance(value, list | tuple | set | frozenset) or not all(
        isinstance(one, str) for one in value
    ):
        raise InvalidInput(f"{what} must be a text or a list of some, not {shown(value)}")


def one_of(*words: str) -> Rule:
    """One of these words."""

    def rule(what: str, value: Any) -> None:
        text(what, value)
        if value not in words:
            raise InvalidInput(str(UnknownName(what, value, words)))

    return rule


def flag(what: str, value: Any) -> None:
    """True or False; a word such as "no" would be true."""
    if not isinstance(value, bool):
        raise InvalidInput(f"{what} must be True or False, not {shown(value)}")


def file(what: str, value: Any) -> None:
    """The name of a file."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise InvalidInput(f"{what} must be the name of a file, not {shown(value)}")


def files(what: str, value: Any) -> None:
    """The names of files."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidInput(f"{what} must be a list of files, not {shown(value)}")
    for one in value if isinstance(value, Collection) else ():
        file(what, one)


def function(what: str, value: Any) -> None:
    """Something that can be called."""
    if not callable(value):
        raise InvalidInput(f"{what} must be a function, not {shown(value)}")


def mapping(what: str, value: Any) -> None:
    """A dictionary with names for keys."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidInput(f"{what} must be a dictionary with names as keys, not {shown(value)}")


def reference(what: str, value: Any) -> None:
    """The name of a model."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f'{what} must be a reference, such as "resnet50", not {shown(value)}')


def reference_or_module(what: str, value: Any) -> None:
    """A reference or a torch.nn.Module."""
    from torch import nn

    if isinstance(value, nn.Module):
        return
    if isinstance(value, type) and issubclass(value, nn.Module):
        raise InvalidInput(f"{what} is the class {value.__name__}; give a module, made of it")
    if not isinstance(value, str):
        raise InvalidInput(
            f'{what} must be a reference, such as "resnet50", or a torch.nn.Module, '
            f"not {shown(value)}"
        )


def tensor(what: str, value: Any) -> None:
    """A tensor with the batch first."""
    from torch import Tensor

    if not isinstance(value, Tensor) or value.dim() == 0:
        raise InvalidInput(f"{what} must be a tensor with the batch first, not {shown(value)}")


def device_or_name(what: str, value: Any) -> None:
    """The name of a device, or one with a name and a title."""
    if isinstance(value, str) and value:
        return
    if not hasattr(value, "name") or not hasattr(value, "title"):
        raise InvalidInput(f'{what} must be a name, such as "cpu", not {shown(value)}')


def data_frame(what: str, value: Any) -> None:
    """A table of pandas."""
    import pandas as pd

    if not isinstance(value, pd.DataFrame):
        raise InvalidInput(
            f"{what} must be a DataFrame, such as archscope.compare gives, not {shown(value)}"
        )


def recorded(what: str, value: Any) -> None:
    """What ``archscope.trace`` recorded."""
    from archscope.trace.records import Trace

    if not isinstance(value, Trace):
        raise InvalidInput(
            f'{what} must be a Trace, such as archscope.analyze("resnet50").trace, '
            f"not {shown(value)}"
        )
