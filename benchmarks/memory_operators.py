"""Predicted memory of single operators beside what torch's CPU allocator held, by torch's own list.

    python -m benchmarks.memory_operators [PATTERN...]

Every operator of torch's database of operators (``op_db``, needs ``expecttest``), every module of
its database of modules, and the programs and networks of `benchmarks.memory_programs`. The
database's sizes are raised where its functions take them from its constants; many samples stay
small, so that only bytes are asked for, no shares: 64 are allowed. Each operator is run in
inference, and in training twice: on parameters themselves ("leaf"), whose gradients stay, and
between two operators ("between"), where operands, results and their gradients can be let go. Its
in-place form, where it has one, is run between two as well. Half of that is repeated in complex64
and bfloat16. Predicted and held are bytes beyond weights, buffers and inputs, held without kernels'
workspaces (`benchmarks.live_bytes`).
Where the parts of an operator are seen by a dispatch mode, and are one workspace to the profiler,
the prediction lies between what was held without workspaces and with them: that agrees too.

Writes ``results/memory_operators.csv`` and ``.md``. Exits 1 if a run is off by more than 2 % and
64 bytes, or saves other bytes for backward, and ``memory_differences.csv`` does not say why.
"""

from __future__ import annotations

import csv
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import click
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from archscope.analyzers.memory import peak, saved_bytes
from archscope.errors import first_line
from archscope.trace import trace
from benchmarks.live_bytes import live_bytes
from benchmarks.memory_cpu import saved, step
from benchmarks.memory_programs import programs
from benchmarks.results import RESULTS, cpu, markdown

EXPLAINED = Path(__file__).parent / "memory_differences.csv"
SAMPLES = {torch.float32: 4, torch.complex64: 2, torch.bfloat16: 2}  # of each operator
SIZES = {"XS": 12, "S": 20, "M": 32, "L": 40}  # the database's own are 3, 5, 10 and 20
TOLERANCE = 0.02
AS_THEY_ARE = {"linalg.householder_product"}  # a backward of operators in tens of thousands
SCALARS = 64  # bytes that kernels take for scalars of their own


@dataclass(frozen=True)
class Case:
    """Something to run: how it is built, with its inputs."""

    name: str
    mode: str
    build: Callable[[], tuple[nn.Module, tuple[Any, ...]]]


@dataclass(frozen=True)
class Row:
    """One run; bytes beyond weights, buffers and inputs."""

    name: str
    mode: str
    predicted: int = 0
    held: int = 0
    held_with_workspaces: int = 0
    saved: int = 0
    saved_held: int = 0
    ran_on: str = ""
    status: str = "ok"

    @property
    def verdict(self) -> str:
        """How the prediction agrees."""
        if self.status != "ok":
            return self.status.partition(":")[0]
        if not _near(self.saved, self.saved_held):
            return "off"
        if abs(self.predicted - self.held) <= SCALARS:
            return "within 64 bytes"
        if _near(self.predicted, self.held):
            return "within 2 %"
        between = self.held < self.predicted <= self.held_with_workspaces * (1 + TOLERANCE)
        return "within workspaces" if between else "off"


def _near(predicted: int, held: int) -> bool:
    return abs(predicted - held) <= max(SCALARS, TOLERANCE * held)


class Operator(nn.Module):
    """An operator whose operands are parameters, or made of parameters by one more operator."""

    def __init__(self, function: Callable[..., Any], operands: Any, *, between: bool):
        super().__init__()
        leaves, self.structure = tree_flatten(operands)
        self.function, self.between = function, between
        self.constants = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        for i, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor) and leaf.requires_grad:
                self.register_parameter(f"p{i}", nn.Parameter(leaf.detach().clone()))
            elif isinstance(leaf, Tensor):
                self.register_buffer(f"b{i}", leaf)

    def forward(self, _: Tensor) -> tuple[Tensor, ...]:
        args, kwargs = tree_unflatten(self._operands(), self.structure)
        result = self.function(*args, **kwargs)
        del args, kwargs
        return tuple(self._after(leaf) for leaf in tree_leaves(result) if isinstance(leaf, Tensor))

    def _operands(self) -> list[Any]:
        """Parameters, buffers and numbers, in their order."""
        found = list(self.constants)
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            parameter = name.startswith("p")
            found[int(name[1:])] = -tensor if parameter and self.between else tensor
        return found

    def _after(self, result: Tensor) -> Tensor:
        return -result if self.between and result.requires_grad else result


# -- cases -----------------------------------------------------------------------------------------


def cases(wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Case]:
    """All there are, of operators only those whose name is wanted: to make samples takes long."""
    yield from operator_cases(wanted)
    yield from module_cases()
    for name, build in programs():
        for mode in ("inference", "training"):
            yield Case(name, mode, build)


def operator_cases(wanted: Callable[[str], bool]) -> Iterator[Case]:
    """Torch's operators on samples of its own database."""
    from torch.testing._internal import common_methods_invocations as database

    torch.set_default_dtype(torch.float32)
    # The database seeds each call, which copies the state of the generator.
    database.wrapper_set_seed = lambda op, *args, **kwargs: op(*args, **kwargs)
    for op in database.op_db:
        name = op.name + (f" {op.variant_test_name}" if op.variant_test_name else "")
        if not wanted(name) or op.name.startswith(("empty", "new_empty")):
            continue
        for dtype, count in SAMPLES.items():
            label = name if dtype == torch.float32 else f"{name} {str(dtype)[6:]}"
            for i, sample in enumerate(_samples(op, dtype, count)):
                operands = ((sample.input, *sample.args), sample.kwargs)
                for mode, function in _ways(op, all_of_them=dtype == torch.float32):
                    yield Case(f"{label} {i}", mode, _builder(function, operands, mode))


def _builder(function: Any, operands: Any, mode: str) -> Callable[[], Any]:
    between = mode in ("training between", "training in place")
    return lambda: (Operator(function, operands, between=between), (torch.zeros(1),))


def _ways(op: Any, *, all_of_them: bool) -> Iterator[tuple[str, Callable[..., Any]]]:
    yield "inference", op.op
    if op.supports_autograd:
        yield "training between", op.op
    if op.supports_autograd and all_of_them:
        yield "training leaf", op.op
        if op.inplace_variant is not None:
            yield "training in place", op.inplace_variant


def _samples(op: Any, dtype: torch.dtype, count: int) -> list[Any]:
    """Some samples, of raised sizes where the database's functions can make them."""
    if dtype not in op.dtypes:
        return []
    for sizes in ({},) if op.name in AS_THEY_ARE else (SIZES, {}):
        try:
            with _sizes(sizes):
                torch.manual_seed(0)
                made = op.sample_inputs("cpu", dtype, requires_grad=op.supports_autograd)
                return list(islice(made, count))
        except Exception as error:
            click.echo(f"{op.name}: {type(error).__name__}", err=True)
    return []


class _sizes:
    """The database's global sizes, raised for a while."""

    def __init__(self, sizes: dict[str, int]):
        self.sizes = sizes
        self.held: list[tuple[Any, str, int]] = []

    def __enter__(self) -> None:
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith("torch.testing._internal"):
                for name, size in self.sizes.items():
                    if isinstance(getattr(module, name, None), int):
                        self.held.append((module, name, getattr(module, name)))
                        setattr(module, name, size)

    def __exit__(self, *_: object) -> None:
        for module, name, size in self.held:
            setattr(module, name, size)


def module_cases() -> Iterator[Case]:
    """Torch's modules on samples of its own database."""
    from torch.testing._internal.common_modules import module_db

    torch.set_default_dtype(torch.float32)
    for info in module_db:
        for training in (False, True):
            made = info.module_inputs_func(
                info, device="cpu", dtype=torch.float32, requires_grad=training, training=training
            )
            for i, sample in enumerate(islice(made, SAMPLES[torch.float32])):

                def build(
                    info: Any = info, sample: Any = sample
                ) -> tuple[nn.Module, tuple[Any, ...]]:
                    made = sample.constructor_input
                    module = info.module_cls(*made.args, **made.kwargs)
                    given = sample.forward_input
                    operator = Operator(module, (given.args, given.kwargs), between=False)
                    return operator, (torch.zeros(1),)

                yield Case(f"{info.name} {i}", "training" if training else "inference", build)


# -- one run ---------------------------------------------------------------------------------------


def compare(case: Case) -> Row:
    """Predict, then run for real and measure; what cannot be run says why."""
    mode = case.mode.partition(" ")[0]
    try:
        model, inputs = case.build()
        model.train(mode == "training")
        step(model, inputs, mode)
    except Exception as error:
        return Row(case.name, case.mode, status=f"torch refuses: {_told(error)}")
    try:
        recorded = trace(model, inputs, mode, device="cpu")  # type: ignore[arg-type]
    except Exception as error:
        refused = "no output of the model needs a gradient" in str(error)
        label = "nothing to differentiate" if refused else f"not traced: {_told(error)}"
        return Row(case.name, case.mode, status=label)
    found = live_bytes(lambda: step(model, inputs, mode))
    return Row(
        name=case.name,
        mode=case.mode,
        predicted=peak(recorded).bytes - held_before(recorded),
        held=found.peak_without_workspaces,
        held_with_workspaces=found.peak,
        saved=saved_bytes(recorded),
        saved_held=_saved_held(model, inputs) if mode == "training" else 0,
        ran_on=recorded.ran_on,
    )


def _saved_held(model: nn.Module, inputs: tuple[Any, ...]) -> int:
    try:
        return saved(model, inputs)
    except NotImplementedError:  # a sparse tensor has no storage of its own
        return 0


def held_before(recorded: Any) -> int:
    """Weights, buffers and inputs."""
    return sum(s.bytes for s in recorded.storages if s.created_at < 0 or s.kind == "input")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)[:120]}"


# -- the outcome -----------------------------------------------------------------------------------


def explanations() -> dict[str, str]:
    """Why a run differs, by pattern of "name, mode"."""
    with EXPLAINED.open(encoding="utf-8", newline="") as file:
        return {row["pattern"]: row["reason"] for row in csv.DictReader(file)}


def explained(row: Row, reasons: dict[str, str]) -> str:
    """The reason, if there is one."""
    label = f"{row.name}, {row.mode}"
    return next((why for pattern, why in reasons.items() if fnmatchcase(label, pattern)), "")


def summary(rows: list[Row], reasons: dict[str, str]) -> dict[str, int]:
    """How many runs agree how well."""
    counts: Counter[str] = Counter()
    for row in rows:
        known = row.verdict in ("off", "not traced") and explained(row, reasons)
        counts["off, explained" if known else row.verdict] += 1
    return dict(counts.most_common())


def table(rows: list[Row], reasons: dict[str, str]) -> pd.DataFrame:
    """The runs that are off, with the reason."""
    off = [row for row in rows if row.verdict in ("off", "not traced")]
    return pd.DataFrame(
        {
            "mode": [row.mode for row in off],
            "predicted": [f"{row.predicted:,}" for row in off],
            "held": [f"{row.held:,}" for row in off],
            "with workspaces": [f"{row.held_with_workspaces:,}" for row in off],
            "saved": [f"{row.saved:,}" for row in off],
            "saved held": [f"{row.saved_held:,}" for row in off],
            "why": [explained(row, reasons) or row.status for row in off],
        },
        index=pd.Index([row.name for row in off], name="run"),
    )


def write(rows: list[Row], reasons: dict[str, str]) -> None:
    """All runs as CSV; the outcome, its conditions and what is off as a page."""
    pd.DataFrame([vars(row) for row in rows]).to_csv(RESULTS / "memory_operators.csv", index=False)
    counts = "".join(f"- {count:,} {what}\n" for what, count in summary(rows, reasons).items())
    used = f"{datetime.now(UTC).date().isoformat()}; {cpu()}; torch {version('torch')}."
    text = f"# Memory operator by operator, predicted and held on a CPU\n\n{used} One thread.\n\n"
    text += f"{len(rows):,} runs, of which\n\n{counts}\n{_about()}\n"
    text += f"## What is off (bytes)\n\n{markdown(table(rows, reasons))}"
    (RESULTS / "memory_operators.md").write_text(text, encoding="utf-8")


def _about() -> str:
    """The docstring without its title and its commands."""
    paragraphs = (__doc__ or "").split("\n\n")
    return paragraphs[2].replace("``", "`") + "\n"


@click.command()
@click.argument("patterns", nargs=-1)
@click.option("--write/--no-write", "keep", default=True, help="Write the table to results/.")
def main(patterns: tuple[str, ...], keep: bool) -> None:
    """Compare all, or the cases whose names are like PATTERNS (which writes nothing)."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    reasons = explanations()

    def wanted(name: str) -> bool:
        given = (fnmatchcase(name, p) or fnmatchcase(f"{name} 0", p) for p in patterns)
        return not patterns or any(given)

    rows = []
    for case in cases(wanted):
        if not patterns or any(fnmatchcase(case.name, pattern) for pattern in patterns):
            row = compare(case)
            rows.append(row)
            if row.verdict in ("off", "not traced") and not explained(row, reasons):
                click.echo(
                    f"{row.name}, {row.mode}: {row.predicted:,} for {row.held:,} "
                    f"({row.held_with_workspaces:,} with workspaces), saved {row.saved:,} for "
                    f"{row.saved_held:,}; {row.status}"
                )
    for what, count in summary(rows, reasons).items():
        click.echo(f"{count:6,} {what}")
    if keep and not patterns:
        write(rows, reasons)
    wrong = [r for r in rows if r.verdict in ("off", "not traced") and not explained(r, reasons)]
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
