"""A grid: networks times settings times analyses, from a TOML file or from options.

::

    models = ["resnet*", "timm:vit_*", "net.py:Net"]
    size = [224, 288]                  # or input = ["3x224x224"]
    batch = [1, 32]
    analyses = ["compute", "memory", "depth", "latency"]
    mode = ["inference"]
    dtype = ["fp32"]
    device = ["cpu"]                   # of measurements
    options = { num_classes = 10 }

    [limits]
    seconds = 600
    memory = "4GiB"

    [measure]
    max_seconds = 20
    precision = 0.01

    [[grid]]                           # more of them, each with the lines above as its defaults
    models = ["hf:llama"]
    size = []
    options = { seq_len = 1024 }
"""

from __future__ import annotations

import itertools
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from archscope.arguments import checked, file
from archscope.budgets.bounds import quantity
from archscope.devices import DTYPES
from archscope.errors import InvalidInput, UnknownName, UnknownOption
from archscope.study.analyses import DEFAULT, MEASURED, check_analysis
from archscope.study.records import Measurement, Setting

MODES = ("inference", "training")
_NEVER_EMPTY = ("batch", "mode", "analyses", "device")  # the others have a meaning when empty


@dataclass(frozen=True)
class Grid:
    """Every combination of these is a setting; every analysis of a setting is a cell."""

    models: tuple[str, ...]
    size: tuple[int, ...] = ()
    input: tuple[str, ...] = ()  # each the inputs of one setting, several joined by ";"
    batch: tuple[int, ...] = (1,)
    dtype: tuple[str, ...] = ()
    mode: tuple[str, ...] = ("inference",)
    analyses: tuple[str, ...] = DEFAULT
    device: tuple[str, ...] = ("cpu",)
    options: Mapping[str, Any] = field(default_factory=dict)
    measure: Measurement = field(default_factory=Measurement)

    @property
    def content(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)

    @staticmethod
    def of(content: Mapping[str, Any]) -> Grid:
        """A grid from plain data, as in a file; one value will do for a list of one.

        Raises:
            InvalidInput: a value of the wrong kind.
            UnknownOption: a key that there is not.
            UnknownName: an analysis that there is not.
        """
        known = [one.name for one in fields(Grid)]
        for name in content:
            if name not in known:
                raise UnknownOption("a grid", name, known)
        read = {name: _READ[name](name, value) for name, value in content.items()}
        if not read.get("models"):
            raise InvalidInput("a grid needs models: models = ['vgg16', 'timm:resnet*']")
        if read.get("size") and read.get("input"):
            raise InvalidInput("a grid has size or input, not both")
        for name in _NEVER_EMPTY:
            if read.get(name) == ():
                raise InvalidInput(f"{name} is empty, so the grid has no cell; leave it out")
        return Grid(**read)

    def expanded(self) -> Grid:
        """The same with every pattern of references replaced by what it matches.

        Raises:
            UnknownName: a pattern that matches nothing, or an unknown name of the zoo.
        """
        from archscope.models.catalog import find
        from archscope.sources.grammar import expand

        models = expand(self.models)
        for model in models:
            if ":" not in model and not model.endswith((".py", ".pt2")):
                find(model)
        return replace(self, models=tuple(models))

    def settings(self) -> Iterator[Setting]:
        """Every setting of an expanded grid, all of one network one after the other."""
        for reference in self.models:
            for batch, size, given, dtype, mode in itertools.product(
                self.batch,
                self.size or (None,),
                self.input or ("",),
                self.dtype or (None,),
                self.mode,
            ):
                inputs = tuple(filter(None, map(str.strip, given.split(";"))))
                yield Setting(reference, batch, size, inputs, dtype, mode, self.options)

    def analyses_of(self, setting: Setting) -> Iterator[tuple[str, str]]:
        """Every analysis of a setting, and the device of those that are measured."""
        for analysis in self.analyses:
            if analysis == "training" and setting.mode == "training":
                continue  # the memory of that mode is the same
            if analysis == "effective_depth" and not self._is_first_of_its_input(setting):
                continue  # it is measured once, and stands in all rows of that input
            for device in self.device if analysis in MEASURED else ("",):
                yield analysis, device

    def _is_first_of_its_input(self, setting: Setting) -> bool:
        """Effective depth takes samples of its own, in evaluation and in the network's own dtype.

        So neither the batch nor the dtype of a setting has a part in it.
        """
        first = (self.batch[0], (self.dtype or (None,))[0], "inference")
        return (setting.batch, setting.dtype, setting.mode) == first


@dataclass(frozen=True)
class Plan:
    """What a file asks for: grids, and what each process may take."""

    grids: tuple[Grid, ...]
    limits: dict[str, Any] = field(default_factory=dict)  # those of ``Limits`` that it gives


@checked(path=file)
def read_plan(path: str | Path) -> Plan:
    """The grids of a TOML file.

    Raises:
        InvalidInput: the file cannot be read, or a value is of the wrong kind.
        UnknownOption: a key that there is not.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InvalidInput(
            f"{path} cannot be read: no such file; a grid is a .toml file, networks are given by "
            "--models 'resnet*,timm:vit_*'"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(f"{path} cannot be read: {reason}") from error
    limits = content.pop("limits", {})
    grids = content.pop("grid", [{}])
    if (
        not isinstance(limits, dict)
        or not isinstance(grids, list)
        or not all(isinstance(grid, dict) for grid in grids)
    ):
        raise InvalidInput(f"{path}: write [limits] and, for each further grid, [[grid]]")
    try:
        return Plan(tuple(Grid.of({**content, **grid}) for grid in grids), _limits(limits))
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None


def _limits(table: Mapping[str, Any]) -> dict[str, Any]:
    for name in table:
        if name not in ("seconds", "memory"):
            raise UnknownOption("[limits]", name, ("seconds", "memory"))
    found: dict[str, Any] = {}
    if "seconds" in table:
        found["seconds"] = _positive("seconds of [limits]", table["seconds"])
    if "memory" in table:
        found["memory_bytes"] = int(quantity(table["memory"]))
        _positive("memory of [limits]", found["memory_bytes"])
    return found


def _positive(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{name} must be a number of more than 0, not {value!r}")
    if not 0 < value < math.inf:
        raise InvalidInput(f"{name} must be a number of more than 0, not {value!r}")
    return value


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _texts(name: str, value: Any) -> tuple[str, ...]:
    texts = _listed(value)
    if not all(isinstance(text, str) and text for text in texts):
        raise InvalidInput(f"{name} must be a list of texts, not {value!r}")
    return tuple(dict.fromkeys(texts))


def _numbers(name: str, value: Any) -> tuple[int, ...]:
    numbers = _listed(value)
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in numbers):
        raise InvalidInput(f"{name} must be whole numbers of 1 or more, not {value!r}")
    return tuple(dict.fromkeys(numbers))


def _words(known: Sequence[str]) -> Any:
    def read(name: str, value: Any) -> tuple[str, ...]:
        words = _texts(name, value)
        for word in words:
            if word not in known:
                raise UnknownName(name, word, known)
        return words

    return read


def _analyses(name: str, value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(check_analysis, _texts(name, value))))


def _devices(name: str, value: Any) -> tuple[str, ...]:
    devices = tuple("cuda:0" if device == "cuda" else device for device in _texts(name, value))
    for device in devices:
        kind, colon, index = device.partition(":")
        if device != "cpu" and not (kind == "cuda" and colon and index.isdecimal()):
            raise InvalidInput(f"there is no device '{device}'; it is cpu, cuda or cuda:N")
    return tuple(dict.fromkeys(devices))


def _inputs(name: str, value: Any) -> tuple[str, ...]:
    from archscope.sources.inputs import parse_input

    texts = _texts(name, value)
    for text in texts:
        for part in text.split(";"):
            parse_input(part.strip())
    return texts


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name} must be a table, such as {{ num_classes = 10 }}, not {value!r}")
    try:
        json.dumps(value)
    except TypeError:
        raise InvalidInput(f"{name} must have plain values, not {value!r}") from None
    return dict(value)


def _measure(name: str, value: Any) -> Measurement:
    table = _table(name, value)
    known = {one.name: one for one in fields(Measurement)}
    for key, entry in table.items():
        if key not in known:
            raise UnknownOption(f"[{name}]", key, known)
        if entry is not None:
            _positive(f"{key} of [{name}]", entry)
        if key == "threads" and entry is not None and not isinstance(entry, int):
            raise InvalidInput(f"threads of [{name}] must be a whole number, not {entry!r}")
    return Measurement(**table)


_READ: dict[str, Any] = {
    "models": _texts,
    "size": _numbers,
    "input": _inputs,
    "batch": _numbers,
    "dtype": _words(DTYPES),
    "mode": _words(MODES),
    "analyses": _analyses,
    "device": _devices,
    "options": _table,
    "measure": _measure,
}
