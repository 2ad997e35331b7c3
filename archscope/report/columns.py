"""The columns of the table: how a number is written, and what gives way when it is narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archscope.errors import ArchscopeError
from archscope.report.levels import COUNTED, Line
from archscope.report.numbers import count, exact, memory, percent, shape_of_sample
from archscope.report.table import EQUALS, Align
from archscope.trace.records import elements

Values = Mapping[str, Any]

_TITLES = {
    "output_bytes": "Output memory",
    "saved_bytes": "Saved for backward",
    "trainable_params": "Trainable",
    "weights": "Weights",
    "biases": "Biases",
    "weight_bytes": "Weight memory",
    "flops": "FLOPs",
    "backward_macs": "Backward",
    "backward_flops": "Backward FLOPs",
    "recomputed_macs": "Recomputed",
    "recomputed_flops": "Recomputed FLOPs",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ``text`` writes a line, ``total`` the sum of ``counts``, if it has one."""

    name: str
    title: str
    text: Callable[[Values], str]
    align: Align = "right"
    counts: str = ""  # the counted number that it shows
    total: Callable[[int], str] = exact
    short_total: Callable[[int], str] = exact


def columns(batch: int, bias: bool, sums: Mapping[str, int]) -> dict[str, Column]:
    """Every column by name.

    Args:
        batch: shapes leave out a batch of 1.
        bias: whether parameters include the biases, which the lecture leaves out.
        sums: the total of every counted number, for the shares.
    """
    held = "params" if bias else "weights"
    listed = [
        Column("path", "Layer", lambda v: v["path"], "left"),
        Column("kind", "Kind", lambda v: v["kind"], "left"),
        Column("call", "Call", lambda v: str(v["call"])),
        Column("input_shape", "Input", lambda v: _sizes(v["input_shape"], batch)),
        Column("output_shape", "Output", lambda v: _sizes(v["output_shape"], batch)),
        _counting("activations", "Activations", lambda v: _activations(v, batch), "equation"),
        _counting("params", "Parameters", lambda v: _parameters(v, bias), "equation", held),
        _counting("macs", "MACs", lambda v: count(v["macs"])),
        Column("formula", "Formula", lambda v: _grouped(v["formula"])),
        Column("shared", "Shared", lambda v: v["shared"], "left"),
        *(_share(name, of, sums) for name, of in _SHARES.items() if name != "params_share"),
        _share("params_share", held, sums),
    ]
    for name, title in _TITLES.items():
        write = memory if name.endswith("_bytes") else count
        listed.append(_counting(name, title, _writer(name, write)))
    return {column.name: column for column in listed}


_SHARES = {"macs_share": "macs", "activations_share": "activations", "params_share": "params"}
NAMES = (
    *("path", "kind", "call", "input_shape", "output_shape", "formula", "shared"),
    *COUNTED,
    *_SHARES,
)
_ALIASES = {
    "layer": "path",
    "output": "output_shape",
    "input": "input_shape",
    "share": "macs_share",
}


def named(names: Iterable[str]) -> list[str]:
    """The columns of those names, by which the command line calls them.

    Raises:
        ArchscopeError: there is no such column.
    """
    found = [_ALIASES.get(name, name) for name in names]
    for name in found:
        if name not in NAMES:
            known = ", ".join(NAMES)
            raise ArchscopeError(f"unknown column '{name}'; it is one of {known}")
    return list(dict.fromkeys(found))


def default_names(level: str, lines: Sequence[Line], training: bool) -> list[str]:
    """What is shown unless columns are asked for."""
    chosen = ["path", "kind"]
    if level == "block":
        chosen.append("output_shape")
    chosen += ["activations", "activations_share", "params", "params_share", "macs", "macs_share"]
    if training:
        chosen.append("backward_macs")
        if any(line.values["recomputed_macs"] for line in lines):
            chosen.append("recomputed_macs")
    return chosen


@dataclass(frozen=True, slots=True)
class Layout:
    """A choice of columns, and whether totals and formulas are abbreviated."""

    names: tuple[str, ...]
    short_totals: bool = False
    plain: frozenset[str] = frozenset()  # equations of which only the number is shown
    left_out: tuple[str, ...] = ()  # columns that were asked for
    shortest_label: int = 20


def layouts(names: Sequence[str], level: str, asked_for: bool) -> Iterator[Layout]:
    """Layouts from the widest to the narrowest: what a narrower terminal gives up, in order.

    Columns that were asked for go last, from the right, and are reported in ``left_out``. An
    operator is told by its kind, a layer by its path.
    """
    kept = tuple(names)
    yield Layout(kept)
    if not asked_for:
        kept = _without(kept, "activations_share", "params_share")
        yield Layout(kept)
    yield Layout(kept, short_totals=True)
    if not asked_for:
        for given_up in ("macs_share",) if level == "op" else ("kind", "macs_share"):
            kept = _without(kept, given_up)
            yield Layout(kept, short_totals=True)
    plain = frozenset({"params"})
    yield Layout(kept, True, plain)
    plain |= {"activations"}
    yield Layout(kept, True, plain)
    while len(kept) > 1:
        yield Layout(kept, True, plain, _left_out(names, kept, asked_for), shortest_label=12)
        kept = kept[:-1]
    yield Layout(kept, True, plain, _left_out(names, kept, asked_for), shortest_label=1)


def _left_out(names: Sequence[str], kept: Sequence[str], asked_for: bool) -> tuple[str, ...]:
    return tuple(name for name in names if name not in kept) if asked_for else ()


def _without(names: tuple[str, ...], *given_up: str) -> tuple[str, ...]:
    return tuple(name for name in names if name not in given_up)


# -- how a cell is written -------------------------------------------------------------------------


def _counting(
    name: str,
    title: str,
    text: Callable[[Values], str],
    align: Align = "right",
    counts: str = "",
) -> Column:
    in_bytes = name.endswith("_bytes")
    return Column(
        name,
        title,
        text,
        align,
        counts or name,
        memory if in_bytes else exact,
        memory if in_bytes else exact if align == "equation" else _four_digits,
    )


def _share(name: str, of: str, sums: Mapping[str, int]) -> Column:
    whole = sums[of]
    return Column(
        name,
        "%",
        lambda v: percent(v[of] / whole) if whole else "",
        counts=of,
        total=_all,
        short_total=_all,
    )


def _all(total: int) -> str:
    return "100.0" if total else ""


def _writer(name: str, write: Callable[[int], str]) -> Callable[[Values], str]:
    return lambda v: write(v[name])


def _four_digits(value: int) -> str:
    return count(value, 4)


def _sizes(sizes: tuple[int, ...], batch: int) -> str:
    return shape_of_sample(sizes, batch) if sizes else ""


def _activations(v: Values, batch: int) -> str:
    """ "64x224x224 = 3.2M"; further outputs, such as an LSTM's last state, as a number."""
    made, sizes = v["activations"], v["output_shape"]
    if not sizes:
        return _activation_count(made)
    text = shape_of_sample(sizes, batch)
    rest = made - elements(sizes)
    in_place_or_view = rest < 0
    if in_place_or_view or text == str(made):
        return _activation_count(made)
    return f"{text}{f' + {exact(rest)}' if rest else ''}{EQUALS}{_activation_count(made)}"


def _activation_count(value: int) -> str:
    """As in the lecture: 3.2M, 4,096; but 803K and not its 800K."""
    text = count(value, 1)
    return count(value, 2) if len(text) == 2 else text


def _parameters(v: Values, bias: bool) -> str:
    """ "(3*3*64)*64 = 36,864", and with the biases "(3*3*64)*64 + 64 = 36,928"."""
    terms = [_grouped(v["formula"])] if v["formula"] else []
    if bias and v["biases"]:
        terms.append(str(v["biases"]))
    value = v["params"] if bias else v["weights"]
    formula = " + ".join(terms)
    if not formula or formula == str(value):
        return exact(value)
    return f"{formula}{EQUALS}{exact(value)}"


def _grouped(formula: str) -> str:
    """Equal products written once: "64*512 + 3*(128*512)"."""
    times: dict[str, int] = {}
    for product in filter(None, formula.split(" + ")):
        times[product] = times.get(product, 0) + 1
    return " + ".join(f"{n}*({product})" if n > 1 else product for product, n in times.items())
