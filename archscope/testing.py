"""For tests: an assertion on what a model costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archscope.budgets import Workload, check, measured, parse_bound

if TYPE_CHECKING:
    from torch import nn

    from archscope.measure.devices import Device
    from archscope.report import Report


def assert_cost(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    params: str | None = None,
    macs: str | None = None,
    flops: str | None = None,
    activations: str | None = None,
    weights: str | None = None,
    peak: str | None = None,
    depth: str | None = None,
    coverage: str | None = None,
    latency_ms: str | None = None,
    device: str | Device = "cpu",
    **settings: Any,
) -> Report:
    """Fail unless a model keeps its bounds; the message names the layers that spend most.

    >>> assert_cost("resnet50", macs="<=4.2G", params="<26M", depth="==50", coverage=">=1")

    Args:
        model: a module, or a reference.
        inputs: as for ``archscope.analyze``.
        params, macs, flops, activations, depth: a comparison and a number: "<=4.2G".
        weights, peak: a comparison and bytes: "<=200MiB".
        coverage: the share of operators and elements whose cost is known: ">=1".
        latency_ms: a comparison and milliseconds: "<=15". It is measured, on ``device``, and the
            end of its 95 % interval counts that is worse for the model.
        device: where to measure: "cpu", "cuda" or "cuda:N".
        settings: further arguments of ``archscope.analyze``.

    Returns:
        The report, for further assertions.

    Raises:
        AssertionError: a bound is missed.
        InvalidInput: a bound that cannot be read, or none.
    """
    from archscope.analysis import analyze
    from archscope.errors import InvalidInput

    given = {
        "params": params,
        "macs": macs,
        "flops": flops,
        "activations": activations,
        "weights": weights,
        "peak": peak,
        "depth": depth,
        "coverage": coverage,
        "latency_ms": latency_ms,
    }
    bounds = [parse_bound(cost, text) for cost, text in given.items() if text is not None]
    if not bounds:
        raise InvalidInput("there is nothing to assert; give a bound such as macs='<=4.2G'")
    report = analyze(model, inputs, **settings)
    timed = measured(Workload(model, inputs, settings, device)) if latency_ms else None
    missed = [finding.message for finding in check(report, bounds, timed) if not finding.kept]
    if missed:
        raise AssertionError("\n".join([f"{report.trace.model} costs too much:", *missed]))
    return report
