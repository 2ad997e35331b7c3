"""Programs saved by ``torch.export.save``.

Reading one must not run code that came with it, and ``torch.export.load`` alone (seen in torch
2.11 to 2.13) would: it unpickles weights and inputs, evaluates size expressions as Python, looks
functions up anywhere in torch, and loads compiled libraries. So the archive is checked first, and
what is unpickled goes through ``weights_only=True``.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from archscope.errors import InvalidInput, first_line
from archscope.sources.subject import Request, Subject

_OPERATOR = re.compile(r"torch\.ops\.(?!load_library|import_module)\w+(\.\w+){1,2}")
_SYMBOLIC = re.compile(r"torch\.(_)?sym_\w+|math\.\w+")
_PYTHON = re.compile(
    r"_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge"
    r"|and_|or_|not_|xor|lshift|rshift|invert|getitem|index)"
)
_SYMPY = re.compile(
    "Symbol|Integer|Rational|Float|Add|Mul|Pow|Max|Min|Mod|And|Or|Not|Eq|Ne|Lt|Le|Gt|Ge|floor"
    "|ceiling|FloorDiv|CleanDiv|CeilToInt|FloorToInt|TruncToInt|TruncToFloat|RoundToInt"
    "|IntTrueDiv|FloatTrueDiv|PythonMod|ModularIndexing|PowByNatural|FloatPow|ToFloat|Where"
    "|Identity|Equality|Unequality|StrictLessThan|LessThan|StrictGreaterThan|GreaterThan"
)


def resolve(path: str, request: Request) -> Subject:
    """Load an exported program; its example inputs are the inputs.

    Raises:
        InvalidInput: there is no such file, it is no exported program, or it carries code.
    """
    program = load(Path(path))
    inputs, kwargs = request.arguments()
    if not request.input and program.example_inputs is not None:
        inputs, kwargs = program.example_inputs
    first = next((t for t in (*inputs, *kwargs.values()) if isinstance(t, torch.Tensor)), None)
    return Subject(
        name=Path(path).stem,
        model=with_a_fixed_mode(program.module(check_guards=False)),
        inputs=tuple(inputs),
        kwargs=dict(kwargs),
        batch=request.batch if first is None or not first.ndim else first.shape[0],
        options=request.options,
        reference=request.reference,
    )


def with_a_fixed_mode(model: Any) -> Any:
    """Train or eval was settled at the export; asking for either raises, and need not."""
    model.train = model.eval = lambda mode=True: model
    return model


def load(path: Path) -> Any:
    """``torch.export.load``, without running anything that the file brings.

    Raises:
        InvalidInput: there is no such file, it is no exported program, or it carries code.
    """
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    if not zipfile.is_zipfile(path):
        raise InvalidInput(f"{path} is not an archive that torch.export.save wrote")
    _refuse_code(path)
    try:
        with _nothing_unpickled():
            return torch.export.load(path)
    except _Refused as error:
        raise InvalidInput(f"{path} is refused: {error}") from error
    except Exception as error:
        line = first_line(error)
        raise InvalidInput(f"{path} cannot be loaded: {type(error).__name__}: {line}") from error


class _Refused(BaseException):
    """Not an ``Exception``: torch's loader catches those and tries again with less care."""


@contextmanager
def _nothing_unpickled() -> Iterator[None]:
    """Inside, ``torch.load`` reads plain tensors only and nothing else is unpickled."""
    from torch.export.pt2_archive import _package

    load, pickle = torch.load, _package.pickle

    def load_weights_only(*args: Any, **kwargs: Any) -> Any:
        try:
            return load(*args, **{**kwargs, "weights_only": True})
        except Exception as error:
            raise _Refused("it pickles something other than tensors, which may be code") from error

    torch.load = load_weights_only
    _package.pickle = _NoPickle()  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.load = load
        _package.pickle = pickle


class _NoPickle:
    @staticmethod
    def loads(*_: Any) -> Any:
        raise _Refused("it holds a pickled object, which may be code")


def _refuse_code(path: Path) -> None:
    """Raise unless every function that the graph calls is an operator, and sizes are arithmetic."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if "aotinductor/" in name or name.endswith((".so", ".py", ".dll", ".dylib")):
                raise InvalidInput(f"{path} is refused: it carries compiled code ({name})")
            if not name.endswith(".json"):
                continue
            try:
                content = json.loads(archive.read(name))
            except ValueError:
                continue
            for kind, text in _functions_and_expressions(content):
                allowed = _is_operator(text) if kind == "target" else _is_arithmetic(text)
                if not allowed:
                    raise InvalidInput(f"{path} is refused: its graph calls {text[:80]!r}")


def _functions_and_expressions(value: Any) -> Iterator[tuple[str, str]]:
    """What the loader will look up as a function or evaluate as an expression, wherever it is."""
    if isinstance(value, list):
        for item in value:
            yield from _functions_and_expressions(item)
    elif isinstance(value, dict):
        is_node = "inputs" in value and "outputs" in value
        for key, item in value.items():
            if isinstance(item, str) and (key == "expr_str" or (key == "target" and is_node)):
                yield key, item
            else:
                yield from _functions_and_expressions(item)


def _is_operator(target: str) -> bool:
    if "__" in target and not target.startswith("torch.ops.aten.__"):  # aten::__and__ and its like
        return False
    return any(kind.fullmatch(target) for kind in (_OPERATOR, _SYMBOLIC, _PYTHON))


def _is_arithmetic(expression: str) -> bool:
    plain = re.sub(r"'\w+'", "0", expression)
    called = re.findall(r"(\w+)\s*\(", plain)
    return (
        re.fullmatch(r"[\w\s+\-*/%().,<>=!&|~]*", plain) is not None
        and re.search(r"\.\s*[A-Za-z_]", plain) is None
        and "__" not in plain
        and all(map(_SYMPY.fullmatch, called))
    )
