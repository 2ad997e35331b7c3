"""Several tools count one model, each in a process of its own; what differs is explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from archscope.analysis import analyze
from archscope.audit.counters import COUNTERS
from archscope.audit.explain import Difference, closed_forms, differences, modules
from archscope.audit.worker import counted
from archscope.errors import UnknownName
from archscope.trace.records import Trace

DEFAULT = ("fvcore", "torch")
PROCESSES = 2


@dataclass(frozen=True)
class Verdict:
    """One tool's count beside archscope's."""

    counter: str
    macs: int | None  # None: it failed
    error: str = ""
    differences: tuple[Difference, ...] | None = None  # None: it gives a total only
    agreeing: int = 0  # modules of the same count
    beside: int = 0  # operations that it adds to its total beside products

    def unexplained(self, ours: int) -> int:
        """What the differences do not add up to."""
        if self.macs is None or self.differences is None:
            return 0
        return self.macs - ours - sum(difference.macs for difference in self.differences)


@dataclass(frozen=True)
class Audit:
    """What archscope and other tools count in one model, in MACs."""

    model: str
    macs: int
    verdicts: tuple[Verdict, ...]
    verified: float  # share of the MACs that follow from weight and output shapes alone
    conditions: str

    @property
    def conclusion(self) -> tuple[str, ...]:
        """Which counts are right, and why."""
        right = [verdict.counter for verdict in self.verdicts if verdict.macs == self.macs]
        twice = (
            f"; {100 * self.verified:.1f} % of them follow a second time from the shapes of "
            "weight and output alone"
        )
        lines = [
            f"archscope's {self.macs:,} MACs are right: every operator by its closed form"
            f"{twice if self.verified else ''}."
        ]
        if right:
            lines.append(f"{', '.join(right)} {'agrees' if len(right) == 1 else 'agree'} exactly.")
        for verdict in self.verdicts:
            if verdict.macs is not None and verdict.macs != self.macs:
                lines.append(_against(verdict, self.macs))
            elif verdict.macs is None:
                lines.append(f"{verdict.counter} gave no count: {verdict.error}")
        return tuple(lines)


def audit(
    reference: str,
    inputs: str | None = None,
    *,
    batch: int | None = None,
    input: Any = None,
    counters: Sequence[str] | None = None,
    **options: Any,
) -> Audit:
    """Count a model with several tools and explain where they differ.

    Args:
        reference: as for ``analyze``; each tool builds the model for itself, in its own process.
        inputs: the function that makes the inputs, as "net.py:make_inputs".
        batch: the batch size, 1 by default.
        input: the shape of one sample, as for ``analyze``.
        counters: any of "fvcore", "torch" (FlopCounterMode), "torchinfo", "ptflops", "thop";
            fvcore and torch by default.
        options: options of the reference.

    Raises:
        UnknownName: an unknown counter.
        ArchscopeError: as ``analyze``. A tool that fails raises nothing: its verdict says why.
    """
    chosen = tuple(counters) if counters is not None else DEFAULT
    for name in chosen:
        if name not in COUNTERS:
            raise UnknownName("counter", name, COUNTERS, see="archscope audit --help")
    report = analyze(reference, inputs, batch=batch, input=input, **options)
    request = {
        "reference": reference,
        "inputs": inputs,
        "batch": batch,
        "input": _as_text(input),
        "options": options,
    }
    with ThreadPoolExecutor(PROCESSES) as pool:
        answers = list(pool.map(lambda name: counted(name, request), chosen))
    return Audit(
        model=report.trace.model,
        macs=report.trace.macs,
        verdicts=tuple(
            _verdict(name, answer, report.trace)
            for name, answer in zip(chosen, answers, strict=True)
        ),
        verified=_verified(report.trace),
        conditions=report.conditions,
    )


def installed() -> list[str]:
    """The counters whose packages are here."""
    return [name for name, (package, _) in COUNTERS.items() if find_spec(package) is not None]


def _verdict(name: str, answer: Mapping[str, Any], trace: Trace) -> Verdict:
    if "error" in answer:
        return Verdict(name, None, answer["error"])
    beside = sum(answer["beside"].values())
    if answer["by_module"] is None:
        return Verdict(name, answer["total"], beside=beside)
    found, agreeing = differences(modules(trace), answer["by_module"])
    return Verdict(name, answer["total"], "", tuple(found), agreeing, beside)


def _verified(trace: Trace) -> float:
    """The share of products that a second formula gives: outputs x weights / output features.

    A weight of shape (Cout, ...) meets each of its output elements with numel / Cout products. It
    holds for linear layers and for convolutions, grouped or not, that are not transposed.
    """
    sizes = {parameter.name: parameter for parameter in trace.parameters}
    agreeing = 0
    for op in trace.forward:
        weights = [sizes[name] for name in op.parameters if len(sizes[name].shape) > 1]
        if op.macs and len(weights) == 1 and op.output_shapes:
            weight = weights[0]
            outputs = op.output_elements
            if op.macs in (
                outputs * weight.elements // weight.shape[0],
                outputs * weight.elements // weight.shape[-1],  # (in, out), as GPT-2 has it
            ):
                agreeing += op.macs
    return agreeing / trace.macs if trace.macs else 1.0


def _against(verdict: Verdict, ours: int) -> str:
    assert verdict.macs is not None
    off = verdict.macs - ours
    if not verdict.differences:
        return f"{verdict.counter} is off by {off:+,}; it gives a total only."
    operators = {
        name
        for difference in verdict.differences
        for name in difference.reason.replace(",", " ").split()
    }
    why = "; ".join(closed_forms(sorted(operators)))
    reasons = "; ".join(f"it {difference.reason}" for difference in verdict.differences[:3])
    return f"{verdict.counter} is off by {off:+,}: {reasons}." + (
        f" In truth, {why}." if why else ""
    )


def _as_text(input: Any) -> Any:
    """The input in a form that crosses to another process."""
    from archscope.sources.inputs import specs

    written = []
    for spec in specs(input):
        parts = [spec.name, spec.dtype, "x".join(map(str, spec.shape))]
        written.append(":".join(filter(None, parts)))
    return written or None
