"""Models, and makers of inputs, in a person's own code: ``net.py:Net``, ``package.module:build``.

The file or module is imported, so its code runs.
"""

from __future__ import annotations

import importlib
import inspect
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from archscope.errors import ArchscopeError, InvalidInput, UnknownName, UnknownOption
from archscope.sources.building import built
from archscope.sources.defaults import Defaults
from archscope.sources.programs import program
from archscope.sources.subject import Request, Subject


def resolve(reference: str, request: Request) -> Subject:
    """Build a model from a class, a function that returns one, or a module that is one.

    Raises:
        ArchscopeError: no such file, module or name, or it is no model.
        UnknownOption: the class or function takes no such option.
        InvalidInput: it raised, or no input is given.
    """
    from torch import nn

    found = load(reference)
    warnings: tuple[str, ...] = ()
    if isinstance(found, nn.Module):
        model = found
    else:
        _check_options(reference, found, request)
        try:
            with chdir("."):
                model, warnings = built(lambda: found(**request.options), real=request.real)
        except (Exception, SystemExit) as error:
            raise InvalidInput(f"{reference} raised {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"{reference} gives a {type(model).__name__}, not a torch.nn.Module")
    name = reference.rpartition(":")[2]
    return request.subject(name, model, request.arguments(), warnings)


def load(reference: str) -> Any:
    """What ``FILE.py:NAME`` or ``package.module:NAME`` names.

    Raises:
        ArchscopeError: no such file, module or name, or its import raised.
    """
    place, colon, name = reference.rpartition(":")
    if not colon:
        raise ArchscopeError(f"'{reference}' does not say which class or function: {reference}:Net")
    with chdir("."):  # wherever its import goes, the next relative path begins here
        value = _named(_module(place), place, name)
    if not callable(value):
        raise ArchscopeError(f"{reference} is a {type(value).__name__}, not a class or function")
    return value


def called_with(subject: Subject, reference: str | None, batch: int | None = None) -> Subject:
    """A subject with the inputs that a function makes, if one is named; see ``made_by``."""
    if reference is None:
        return subject
    inputs, kwargs = made_by(reference, batch)
    return replace(subject, inputs=inputs, kwargs=kwargs)


def made_by(reference: str, batch: int | None = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs made by a function of a Python file or module, such as "net.py:make_inputs".

    The function returns a tensor, a tuple of positional inputs or a dictionary of keyword inputs;
    it is given ``batch=`` (1 if none is given) if it takes one.

    Raises:
        InvalidInput: the function raised, or a batch is given that it does not take.
        ArchscopeError: there is no such file, module or function.
    """
    function = load(reference)
    takes_batch = "batch" in inspect.signature(function).parameters
    if batch is not None and not takes_batch:
        raise InvalidInput(f"{reference} takes no batch=, so the batch is not to be given")
    try:
        made = function(batch=batch or 1) if takes_batch else function()
    except Exception as error:
        raise InvalidInput(f"{reference} raised {type(error).__name__}: {error}") from error
    if isinstance(made, dict):
        return (), made
    return (made if isinstance(made, tuple) else (made,)), {}


# Modules that were imported before and do not set again what they set then.
_set_by: WeakKeyDictionary[ModuleType, Defaults] = WeakKeyDictionary()


def _module(place: str) -> ModuleType:
    before = Defaults.now()
    module = program(Path(place)) if place.endswith(".py") else _imported(place)
    after = Defaults.now()
    if after != before:
        _set_by[module] = after
    elif module in _set_by:
        _set_by[module].set()
    return module


def _named(module: ModuleType, place: str, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            raise UnknownName(f"name in {place}", name, _public(module), see=f"less {place}")
        value = getattr(value, part)
    return value


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ArchscopeError(
            f"there is no module {error.name or name}; references are NAME of the zoo, "
            "torchvision:NAME, timm:NAME, hf:CONFIG, FILE.py:NAME, package.module:NAME or FILE.pt2"
        ) from error
    except (Exception, SystemExit) as error:
        raise ArchscopeError(f"{name} raised {type(error).__name__}: {error}") from error


def _check_options(reference: str, function: Any, request: Request) -> None:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    for option in request.options:
        if option not in parameters:
            raise UnknownOption(reference, option, parameters)


def _public(module: ModuleType) -> list[str]:
    return [name for name in vars(module) if not name.startswith("_")]
