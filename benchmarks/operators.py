"""Every operator and module that torch has samples of, traced and checked against a real run.

    python -m benchmarks.operators [PATTERN]

For each sample of torch's own databases (`benchmarks.operator_samples`) the model is run for real
and traced, in inference and, where it is differentiable, in training:

    runs      the trace fails on nothing that torch runs
    shapes    it returns what the real run returns, by shape and dtype
    covered   every operator inside has a formula
    macs      its products are those of FlopCounterMode, forward and backward, if either has any of
              those that both know
    flops     its FLOPs are those of a closed form of the public function (`operator_forms`)
    once      one number: on data and on shapes, in and out of training, with and without
              gradients, for either device's kernels, in place or not
    clean     nothing is left in inputs, gradients, random state and torch

Writes ``results/operators.csv`` and ``.md``. Exits 1 if a check fails and
``operator_differences.csv`` does not say why.
"""

from __future__ import annotations

import csv
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
import pandas as pd
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from archscope.analyzers.compute import coverage
from archscope.trace import inputs as given
from archscope.trace import trace
from archscope.trace.records import Op, Trace
from archscope.trace.values import DataDependent
from benchmarks.operator_forms import call_of, flops
from benchmarks.operator_samples import Sample, module_samples, operator_samples
from benchmarks.results import RESULTS, conditions, markdown
from benchmarks.zoo_coverage import conv_backward_flops

EXPLAINED = Path(__file__).parent / "operator_differences.csv"
CHECKS = ("runs", "shapes", "covered", "macs", "flops", "once", "clean")
SAMPLES = 8
DTYPES = (torch.float32, torch.complex64, torch.bfloat16, torch.int64)
# What FlopCounterMode knows, where attention and recurrent layers are the products that they are
# made of.
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "_scaled_mm", "convolution"}
CLOSED = {"scaled_dot_product_attention", "lstm", "gru", "rnn_tanh", "rnn_relu"}
CLOSED |= {f"{name}_cell" for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")}
KNOWN_TO_TORCH = PRODUCTS | CLOSED | {f"{name}_backward" for name in CLOSED | {"convolution"}}


@dataclass
class Outcome:
    """What became of one sample: which checks it went through, and what each found wrong."""

    name: str
    dtype: str
    number: int
    done: set[str] = field(default_factory=set)
    found: dict[str, str] = field(default_factory=dict)
    refused: str = ""  # why torch does not run it
    ran_on: str = ""
    macs: int = 0
    flops: int = 0

    def check(self, name: str, right: bool, told: str) -> None:
        """Note a check; the first that is wrong is told."""
        self.done.add(name)
        if not right:
            self.found.setdefault(name, told)


# -- one sample ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Real:
    """A real run: what it returned, and torch's count of MACs, forward and backward."""

    returned: list[Any]
    forward: int
    backward: int
    differentiated: bool


def outcome(sample: Sample, dtype: torch.dtype) -> Outcome:
    """Run a sample for real, trace it in every way, and compare."""
    result = Outcome(sample.name, str(dtype).removeprefix("torch."), sample.number)
    sample.model.eval()
    try:
        real = run(sample, training=False)
    except Exception as error:
        result.refused = _told(error)
        return result
    inference = traced(result, sample, "inference")
    if inference is None:
        return result
    result.ran_on, result.macs, result.flops = inference.ran_on, inference.macs, inference.flops
    compare(result, sample, inference, real)
    call = call_of(sample.args, sample.kwargs, real.returned)
    closed = flops(sample.name, sample.kind, call) if call and dtype is torch.float32 else None
    if closed is not None:
        result.check("flops", inference.flops == closed, f"{inference.flops}, closed form {closed}")
    same_counts(result, sample, inference)
    in_training(result, sample, inference)
    return result


def run(sample: Sample, *, training: bool) -> Real:
    """Run a sample on data of its own, and let torch count."""
    inputs = _copies(sample.inputs)
    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten.convolution_backward: conv_backward_flops}
    )
    with torch.set_grad_enabled(training), taken_apart(), counter:
        made = sample.model(*inputs)
        returned, forward = sample.returned, counter.get_total_flops() // 2
        roots = [t for t in tree_leaves(made) if isinstance(t, Tensor) and t.requires_grad]
        if training and roots:
            torch.autograd.backward(roots, list(map(torch.ones_like, roots)))
    total = counter.get_total_flops() // 2
    sample.model.zero_grad()
    return Real(returned, forward, total - forward, bool(roots))


@contextmanager
def taken_apart() -> Iterator[None]:
    """Torch runs attention, encoders and recurrent layers as the products that it knows."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
            torch.backends.mkldnn.flags(enabled=False),
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)


def _copies(tensors: tuple[Tensor, ...]) -> list[Tensor]:
    made = {id(t): t.detach().clone().requires_grad_(t.requires_grad) for t in tensors}
    return [made[id(t)] for t in tensors]


def traced(result: Outcome, sample: Sample, mode: Any, **options: Any) -> Trace | None:
    """Trace a sample, and look at what that left behind."""
    state, versions = torch.get_rng_state(), [t._version for t in sample.inputs]
    model = options.pop("model", sample.model)
    inputs = options.pop("inputs", sample.inputs)
    training = {name: module.training for name, module in model.named_modules()}
    try:
        found = trace(model, tuple(inputs), mode, **options)
    except Exception as error:
        result.check("runs", False, f"{mode}: {_told(error)}")
        return None
    result.check("runs", True, "")
    left = {
        "random state": not torch.equal(state, torch.get_rng_state()),
        "inputs": versions != [t._version for t in sample.inputs],
        "gradients": any(t.grad is not None for t in (*sample.inputs, *model.parameters())),
        "mode": training != {name: module.training for name, module in model.named_modules()},
    }
    result.check("clean", not any(left.values()), f"{mode}: {[k for k, v in left.items() if v]}")
    return found


def compare(result: Outcome, sample: Sample, recorded: Trace, real: Real) -> None:
    """Against the real run."""
    returned = sample.returned
    result.check("shapes", returned == real.returned, f"{returned}, really {real.returned}")
    share = min(coverage(recorded).values())
    result.check("covered", share == 1, f"{recorded.mode}: {recorded.warnings[-1:]}")
    for phase, torchs in (("forward", real.forward), ("backward", real.backward)):
        ours = sum(_torch_macs(op) for op in recorded.ops if op.phase == phase)
        if ours or torchs:
            result.check("macs", ours == torchs, f"{phase} {ours}, torch {torchs}")


def _torch_macs(op: Op) -> int:
    if op.name not in KNOWN_TO_TORCH:
        return 0
    return op.macs // 4 if op.dtype.startswith("complex") else op.macs


def same_counts(result: Outcome, sample: Sample, inference: Trace) -> None:
    """One number, whatever the run."""
    ways: dict[str, dict[str, Any]] = {
        "cpu kernels": {"mode": "inference", "device": "cpu"},
        "as it is": {"mode": None},
    }
    if sample.number == 0 and sample.in_place is not None:
        ways["in place"] = {"mode": "inference", "model": sample.in_place}
    strided = all(t.layout is torch.strided for t in sample.inputs)
    if strided and inference.ran_on == "shapes":
        ways["meta inputs"] = {"mode": "inference", "inputs": list(map(_on_meta, sample.inputs))}
    for way, options in ways.items():
        _same(result, way, inference, traced(Outcome("", "", 0), sample, **options))
    with on_data():
        _same(result, "data", inference, traced(result, sample, "inference"))


def _same(result: Outcome, way: str, one: Trace, other: Trace | None) -> None:
    if other is not None:
        counts = (one.macs, one.flops), (other.macs, other.flops)
        result.check("once", counts[0] == counts[1], f"{way}: {counts[1]}, else {counts[0]}")


def _on_meta(tensor: Tensor) -> Tensor:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return tensor
    return tensor.detach().to("meta").requires_grad_(tensor.requires_grad)


@contextmanager
def on_data() -> Iterator[None]:
    """Whatever is traced inside is run on data."""

    def refuse(value: Any) -> Any:
        raise DataDependent("data is wanted")

    shapes = given.on_meta
    given.on_meta = refuse
    try:
        yield
    finally:
        given.on_meta = shapes


def in_training(result: Outcome, sample: Sample, inference: Trace) -> None:
    """The same with a backward pass."""
    if not sample.differentiable:
        return
    sample.model.train()
    try:
        real = run(sample, training=True)
    except Exception:  # torch has samples that cannot be differentiated
        return
    if not real.differentiated:
        return
    recorded = traced(result, sample, "training")
    if recorded is None:
        return
    compare(result, sample, recorded, real)
    _same(result, "training", inference, recorded)
    with on_data():
        other = traced(result, sample, "training")
    if other is not None:
        counts = [
            tuple(sum(getattr(op, name) for op in t.ops) for name in ("macs", "flops"))
            for t in (recorded, other)
        ]
        result.check("once", counts[0] == counts[1], f"step on data {counts[1]}, else {counts[0]}")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


# -- all of them -----------------------------------------------------------------------------------


def outcomes(pattern: str, samples: int = SAMPLES) -> Iterator[Outcome]:
    """Of every operator and module; in dtypes other than float32 of fewer samples."""
    for dtype in DTYPES:
        most = samples if dtype is torch.float32 else max(samples // 4, 1)
        for sample in operator_samples(dtype, most, pattern):
            yield outcome(sample, dtype)
    for sample in module_samples(torch.float32, samples, pattern):
        yield outcome(sample, torch.float32)


def reasons() -> list[dict[str, str]]:
    """The differences that are understood: operator, check, dtype and why."""
    with EXPLAINED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def unexplained(one: Outcome, known: list[dict[str, str]]) -> dict[str, str]:
    """The checks that failed, without those that are understood."""
    return {
        check: told
        for check, told in one.found.items()
        if not any(
            fnmatchcase(one.name, row["operator"])
            and fnmatchcase(one.dtype, row["dtype"])
            and row["check"] == check
            for row in known
        )
    }


def table(found: list[Outcome]) -> pd.DataFrame:
    """A row per operator and dtype."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        key = (one.name, one.dtype)
        row = rows.setdefault(key, {"operator": one.name, "dtype": one.dtype, "samples": 0})
        row["samples"] += 1
        row["refused"] = row.get("refused", 0) + bool(one.refused)
        row["on_data"] = row.get("on_data", 0) + (one.ran_on == "data")
        row["most_macs"] = max(row.get("most_macs", 0), one.macs)
        row["most_flops"] = max(row.get("most_flops", 0), one.flops)
        for check in CHECKS:
            done, failed = check in one.done, check in one.found
            row[check] = row.get(check, 0) + (done and not failed)
            row[f"{check}_not"] = row.get(f"{check}_not", 0) + failed
    frame = pd.DataFrame(rows.values())
    return frame.drop(columns=[c for c in frame if c.endswith("_not") and not frame[c].any()])


def summary(found: list[Outcome], known: list[dict[str, str]]) -> pd.DataFrame:
    """Of every check: samples that went through it, and those that did not agree."""
    rows = []
    for check in CHECKS:
        failed = [one for one in found if check in one.found]
        left = [one for one in failed if check in unexplained(one, known)]
        rows.append(
            {
                "check": check,
                "samples": sum(check in one.done for one in found),
                "operators": len({one.name for one in found if check in one.done}),
                "differ, explained": len(failed) - len(left),
                "differ": len(left),
            }
        )
    return pd.DataFrame(rows).set_index("check").map(str)


def write(found: list[Outcome], known: list[dict[str, str]]) -> None:
    """The results, with their conditions."""
    ran = [one for one in found if not one.refused]
    frame = table(found)
    free = int((frame.most_flops == 0).sum())
    frame.to_csv(RESULTS / "operators.csv", index=False, lineterminator="\n")
    text = (
        "# Every operator of torch's databases\n\n"
        f"{len(ran):,} samples of {len({one.name for one in ran}):,} operators and modules "
        f"(`op_db`, `module_db`) in {', '.join(str(d).removeprefix('torch.') for d in DTYPES)}, "
        f"traced and run; {sum(one.ran_on == 'data' for one in ran):,} samples read values and "
        f"were traced on data, which their traces say. {free} of {len(frame):,} rows cost "
        "nothing: they make, move or compare data, or compute with whole numbers. What each check "
        "asks is in `../operators.py`, why samples differ in `../operator_differences.csv`, a row "
        f"per operator in `operators.csv`.\n\n{markdown(summary(found, known))}\n"
        f"Conditions: {conditions(['archscope'])}\n"
    )
    (RESULTS / "operators.md").write_text(text, encoding="utf-8")


@click.command()
@click.argument("pattern", default="")
@click.option("--samples", default=SAMPLES, show_default=True, help="Of each operator.")
def main(pattern: str, samples: int) -> None:
    """Check every operator whose name holds PATTERN."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    known = reasons()
    found, wrong = [], 0
    for one in outcomes(pattern, samples):
        found.append(one)
        for check, told in unexplained(one, known).items():
            wrong += 1
            click.echo(f"{one.name} {one.dtype} {one.number} {check}: {told}", err=True)
    if not pattern:
        write(found, known)
    click.echo(summary(found, known).to_string())
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
