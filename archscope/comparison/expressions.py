"""Conditions on the columns of a table, such as ``params < 30M and top1 > 75``.

Python's grammar reads them, but nothing is executed: the few kinds of expressions that are allowed
are evaluated here, row by row. What is missing is neither more nor less than anything, and a row
is kept only where the condition is true (Kleene's three-valued logic, as in SQL).
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any

from archscope.comparison.columns import records
from archscope.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    import pandas as pd

Values = Mapping[str, Any]  # of one row, by column; None where missing

_LONGEST = 1000  # characters
_DEEPEST = 40  # levels
_GRAMMAR = "write params < 30M and top1 > 75, or family == 'resnet', or 'vit' in model"

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda item, held: item in held,
    ast.NotIn: lambda item, held: item not in held,
}
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)
}
# A quoted text, or a number with its unit.
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|(?<![\w.])(\d+(?:\.\d+)?)\s*([KMGT](?:iB)?)\b")


def where(frame: pd.DataFrame, condition: str) -> pd.DataFrame:
    """The rows for which a condition is true.

    Args:
        frame: a table.
        condition: comparisons (< <= > >= == != in, not in) of columns, numbers and quoted texts,
            joined by and, or, not, with + - * / // % and parentheses. Numbers may have a unit:
            30M, 4.2G, 200MiB.

    Raises:
        UnknownName: there is no such column; the message offers the nearest ones.
        InvalidInput: it cannot be read, or it is anything else, a call for instance.
    """
    holds = parse(condition, frame.columns)
    kept = [holds(row) for row in records(frame)]
    return frame[kept]


def parse(condition: str, columns: Collection[str]) -> Callable[[Values], bool]:
    """A function that tells of a row whether the condition is true.

    Raises:
        UnknownName: a column that is not of ``columns``.
        InvalidInput: as ``where``.
    """
    tree = _read(condition)
    _check(tree, _DEEPEST)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in columns:
            raise UnknownName("column", node.id, columns, see="archscope compare --help")

    def holds(row: Values) -> bool:
        try:
            value = _value(tree, row)
        except TypeError as error:
            raise InvalidInput(f"'{condition}' compares text with numbers; {_GRAMMAR}") from error
        if value is not None and not isinstance(value, bool):
            raise InvalidInput(f"'{condition}' is no condition; {_GRAMMAR}")
        return value is True

    return holds


def _read(condition: str) -> ast.expr:
    if len(condition) > _LONGEST:
        raise InvalidInput(f"a condition has at most {_LONGEST} characters")
    try:
        with warnings.catch_warnings():  # of "is" with a number, say
            warnings.simplefilter("ignore")
            return ast.parse(_TOKEN.sub(_in_full, condition.strip()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InvalidInput(f"'{condition}' cannot be read; {_GRAMMAR}") from None


def _in_full(token: re.Match[str]) -> str:
    """30M as 30000000; a text as it is."""
    number, unit = token.groups()
    if number is None:
        return token.group()
    return f"({number} * {_UNITS[unit]})"


def _check(node: ast.AST, levels: int) -> None:
    """Refuse every kind of expression that ``_value`` does not evaluate, and deep ones.

    Raises:
        InvalidInput: there is one.
    """
    match node:
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
            inside: list[ast.expr] = list(parts)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            inside = [operand]
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
            inside = [left, right]
        case ast.Compare(left=left, ops=ops, comparators=right) if all(
            type(op) in _COMPARISONS for op in ops
        ):
            inside = [left, *right]
        case ast.Constant(value=float() as number) if not isfinite(number):
            raise InvalidInput(f"a number of a condition is finite; {_GRAMMAR}")
        case ast.Name() | ast.Constant(value=bool() | int() | float() | str()):
            return
        case ast.BinOp(op=op) | ast.UnaryOp(op=op):
            raise InvalidInput(f"a condition has no operator {type(op).__name__}; {_GRAMMAR}")
        case _:
            kind = type(node).__name__.lower()
            raise InvalidInput(f"a condition has no {kind}, and runs no code; {_GRAMMAR}")
    if not levels:
        raise InvalidInput(f"a condition is nested in at most {_DEEPEST} levels")
    for part in inside:
        _check(part, levels - 1)


def _value(node: ast.expr, row: Values) -> Any:
    """The value of an expression that ``_check`` has passed; None where it is missing."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return row[name]
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return tuple(_value(part, row) for part in parts)
        case ast.UnaryOp(op=op, operand=operand):
            return _unary(op, _value(operand, row))
        case ast.BinOp(op=op, left=left, right=right):
            return _arithmetic(op, _value(left, row), _value(right, row))
        case ast.BoolOp(op=op, values=parts):
            return _joined([_value(part, row) for part in parts], isinstance(op, ast.Or))
        case ast.Compare(left=left, ops=ops, comparators=rest):
            values = [_value(part, row) for part in (left, *rest)]
            pairs = zip(ops, values, values[1:], strict=False)
            return _joined([_compared(op, a, b) for op, a, b in pairs], False)
    raise AssertionError(f"{type(node).__name__} was not refused")


def _unary(op: ast.unaryop, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(op, ast.Not):
        return not _truth(value)
    return _arithmetic(ast.Sub() if isinstance(op, ast.USub) else ast.Add(), 0, value)


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    try:
        return _ARITHMETIC[type(op)](_number(left), _number(right))
    except (ZeroDivisionError, OverflowError):  # of an infinite value of the table
        return None


def _compared(op: ast.cmpop, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    return bool(_COMPARISONS[type(op)](left, right))


def _joined(values: list[Any], either: bool) -> bool | None:
    """Or, or and: what decides is ``either``, then what is missing."""
    known = [_truth(value) for value in values if value is not None]
    if either in known:
        return either
    return None if len(known) < len(values) else not either


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError("no truth value")


def _number(value: Any) -> Fraction:
    """Exact, since numbers of paths are beyond any float. A text times a number fills the memory.

    Raises:
        TypeError: it is no number.
    """
    if isinstance(value, str | tuple):
        raise TypeError("no number")
    return Fraction(value)
