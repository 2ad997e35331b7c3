"""How options are read: shapes, whole numbers, settings of an architecture."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from archscope.cli.errors import models_print_to_stderr
from archscope.errors import InvalidInput

if TYPE_CHECKING:
    from archscope.models.catalog import Architecture
    from archscope.sources.inputs import InputSpec

Command = TypeVar("Command", bound=Callable[..., Any])


class WholeNumber(click.ParamType):
    """1 or more."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not text.isascii() or not text.isdecimal() or int(text) < 1:
            option = param.opts[0] if param else "it"
            raise InvalidInput(f"{option} must be a whole number of 1 or more, not '{value}'")
        return int(text)


class Number(click.FloatRange):
    """A number above 0, at most ``max``; neither nan nor infinite."""

    name = "X"

    def __init__(self, max: float | None = None):
        super().__init__(0, max, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            option = param.opts[0] if param else "it"
            raise InvalidInput(f"{option} must be a number above 0, not '{value}'")
        return number


class OneOf(click.ParamType):
    """A word of a few, which the error names."""

    def __init__(self, what: str, words: Iterable[str]):
        self.name = what
        self.words = tuple(words)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "|".join(self.words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.words:
            known = ", ".join(self.words)
            raise InvalidInput(f"unknown {self.name} '{value}'; it is one of {known}")
        return value


class Size(click.ParamType):
    """Bytes: 500MiB, 24GiB, 80GB."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", str(value).strip().upper())
        if found is None:
            option = param.opts[0] if param else "it"
            raise InvalidInput(f"{option} '{value}' is no size; write 500MiB or 24GiB")
        number, unit, binary = found.groups()
        return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(unit or " "))


@dataclass(frozen=True)
class Asked:
    """What the options of ``model_options`` say about a model."""

    batch: int | None = None
    inputs: tuple[str, ...] = ()
    inputs_from: str | None = None
    mode: str = "inference"
    settings: tuple[str, ...] = ()
    seq_len: int | None = None

    def options(self, model: str, own: Iterable[str] = ()) -> dict[str, Any]:
        """The options of the architecture, its ``own`` settings last."""
        common = settings_of(model, self.settings, self.seq_len)
        return {**common, **settings_of(model, own, None)}

    def arguments(self, model: str, own: Iterable[str] = ()) -> dict[str, Any]:
        """The keyword arguments of ``archscope.analyze``.

        Raises:
            InvalidInput: an input or a setting that cannot be read, or two kinds of inputs.
        """
        if self.inputs and self.inputs_from:
            raise InvalidInput("give either --input or --inputs-from, not both")
        return {
            "inputs": self.inputs_from,
            "batch": self.batch,
            "input": read_inputs(model, self.inputs),
            "mode": self.mode,
            **self.options(model, own),
        }


_MODEL_OPTIONS = {
    "batch": click.option("--batch", type=WholeNumber(), help="Batch size; 1 if absent."),
    "inputs": click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="SHAPE",
        help="One sample, 3x320x320 or int64:128; a keyword input is ids:int64:1x128.",
    ),
    "inputs_from": click.option(
        "--inputs-from",
        "--inputs",
        "inputs_from",
        metavar="FUNCTION",
        help="What makes the inputs: net.py:make_inputs.",
    ),
    "mode": click.option(
        "--mode",
        type=OneOf("mode", ("inference", "training")),
        default="inference",
        help="Training adds the backward pass.",
    ),
    "settings": click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="An option of the architecture, as often as needed: num_classes=10.",
    ),
    "seq_len": click.option("--seq-len", type=WholeNumber(), help="Steps of a sequence."),
}


def model_options(*without: str) -> Callable[[Command], Command]:
    """Options that say what is analysed; the command gets them as one argument, ``asked``.

    Args:
        without: names of ``Asked`` that the command has no option for.
    """
    chosen = {name: option for name, option in _MODEL_OPTIONS.items() if name not in without}

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gathered(*args: Any, **kwargs: Any) -> Any:
            asked = Asked(**{name: kwargs.pop(name) for name in chosen})
            with models_print_to_stderr():
                return command(*args, asked=asked, **kwargs)

        return with_options(chosen.values(), gathered)

    return decorate


def input_options(command: Command) -> Command:
    """--input and --inputs-from alone, as ``inputs`` and ``inputs_from``."""
    chosen = [_MODEL_OPTIONS[name] for name in ("inputs", "inputs_from")]
    return with_options(chosen, models_print_to_stderr()(command))


def with_options(options: Iterable[Callable[..., Any]], command: Callable[..., Any]) -> Any:
    for option in reversed(list(options)):
        command = option(command)
    return command


def given_options(ctx: click.Context) -> dict[str, str]:
    """What was given on the command line: the names that the command has for it, and its own."""
    return {
        parameter.name: parameter.opts[0]
        for parameter in ctx.command.params
        if parameter.name
        and ctx.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    }


def names_of(option: str, text: str | None) -> list[str]:
    """The names of a list with commas; none if it is absent.

    Raises:
        InvalidInput: it is there and has no name, or one twice.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise InvalidInput(f"{option} '{text}' has no name; see --help")
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"{option} has {name} twice")
    return names


def read_inputs(model: str, texts: Sequence[str]) -> list[InputSpec] | None:
    """The inputs of --input; for an architecture of the zoo, with as many sizes as its own.

    Raises:
        InvalidInput: one cannot be read, or it has more or fewer sizes.
    """
    from archscope.models.catalog import architectures
    from archscope.sources.inputs import parse_input

    given = [parse_input(text) for text in texts]
    architecture = architectures().get(model)
    if architecture and given:
        _refuse_misfit(architecture, given, texts)
    return given or None


def _refuse_misfit(
    architecture: Architecture, given: Sequence[InputSpec], texts: Sequence[str]
) -> None:
    """The zoo's networks take one input, by position."""
    wanted = "x".join(str(size).upper() for size in architecture.input)
    first = given[0]
    if len(given) > 1 or first.name:
        raise InvalidInput(
            f"{architecture.name} takes one input, without a name or the batch; "
            f"write --input {wanted} --batch 1, not --input {' --input '.join(texts)}"
        )
    if len(first.shape) != len(architecture.input):
        raise InvalidInput(
            f"{architecture.name} takes an input of {wanted}, without the batch, not {texts[0]}"
        )


def settings_of(model: str, settings: Iterable[str], seq_len: int | None) -> dict[str, Any]:
    """The architecture's options from --set and --seq-len, each of its builder's type.

    Raises:
        InvalidInput: a setting without "=", or of the wrong kind.
    """
    defaults = _defaults(model) if settings else {}
    given: dict[str, Any] = {} if seq_len is None else {"seq_len": seq_len}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise InvalidInput(f"--set '{setting}' is not KEY=VALUE; write --set num_classes=10")
        if key in ("batch", "input", "mode", "strict"):
            raise InvalidInput(f"--set {key}= is not an option of {model}; see --{key}")
        if key in ("model", "inputs", "kwargs", "name"):  # arguments of analyze
            raise InvalidInput(f"{model} has no option '{key}'")
        if key in given:
            raise InvalidInput(f"{key} is set twice, by --set {setting} at last; set it once")
        given[key] = _value(key, text.strip(), defaults.get(key))
    return given


def _defaults(model: str) -> Mapping[str, Any]:
    from archscope.models.catalog import accepted_options, architectures

    architecture = architectures().get(model)
    if architecture is None:  # not of the zoo: its own builder will judge
        return {}
    signature = {
        name: parameter.default
        for name, parameter in accepted_options(model).items()
        if parameter.default is not inspect.Parameter.empty
    }
    return signature | dict(architecture.options) | dict(architecture.input_options)


def _value(key: str, text: str, default: Any) -> Any:
    """A setting in the type of its default; without one, whatever it looks like."""
    if default is None:
        return _guess(text)
    if isinstance(default, list | tuple):
        of = default[0] if default else None
        return tuple(_value(key, part.strip(), of) for part in text.split(",") if part.strip())
    if isinstance(default, str):
        return text
    kind = _KINDS.get(type(default))
    if kind is None:
        return _guess(text)
    read, wanted = kind
    try:
        return read(text)
    except (KeyError, ValueError):
        raise InvalidInput(f"--set {key} must be {wanted}, not '{text}'") from None


def _truth(text: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    return {**words, "1": True, "0": False}[text.lower()]


_KINDS: dict[type, tuple[Callable[[str], Any], str]] = {
    bool: (_truth, "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
}


def _guess(text: str) -> Any:
    if text.lower() == "none":
        return None
    for read in (int, float, lambda word: None if word in ("1", "0") else _truth(word)):
        try:
            return read(text)
        except (KeyError, ValueError):
            continue
    return text
