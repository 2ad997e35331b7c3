"""What archscope and its peers count, as a ratio to the truth.

    python -m benchmarks.conformance

Every counter runs in a process of its own, so that what it patches disturbs no other, over every
case of `benchmarks.cases`: on the CPU, in eval mode, without gradients. Then archscope alone in
every other condition. Exits 1 unless archscope is exact everywhere.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from typing import Any

import click
import pandas as pd
import torch

from benchmarks import cases, counters
from benchmarks.results import RESULTS, conditions, formatted, markdown, show
from benchmarks.worker import Answer, answers, count, explained

CONDITIONS = {
    f"{device}, {'grad' if grad else 'no grad'}, {'train' if train else 'eval'}": (
        device,
        grad,
        train,
    )
    for device, grad, train in itertools.product(("cpu", "meta"), (True, False), (True, False))
}


def ratios_of_counters(names: list[str], chosen: list[str], seconds: float) -> pd.DataFrame:
    """Cases by counters: count / truth, or the reason why there is no count."""
    columns = {}
    for counter in chosen:
        click.echo(f"counting with {counter}", err=True)
        found = zip(names, answers(counter, names, seconds), strict=True)
        columns[counter] = {name: ratio(answer, name) for name, answer in found}
    return pd.DataFrame(columns, index=pd.Index(names, name="case"), dtype=object)


def ratios_of_conditions(names: list[str]) -> pd.DataFrame:
    """Cases by conditions: archscope's count / truth, or what it raised."""
    adaptor = counters.LOADERS["archscope"]()
    frame = pd.DataFrame(index=pd.Index(names, name="case"), columns=list(CONDITIONS), dtype=object)
    for name, (label, condition) in itertools.product(names, CONDITIONS.items()):
        try:
            frame.loc[name, label] = ratio(count(adaptor, name, *condition), name)
        except Exception as error:
            frame.loc[name, label] = explained(error)
    return frame


def ratio(answer: Answer, name: str) -> Answer:
    return answer if isinstance(answer, str) else answer / cases.build(name).macs


def cell(value: Any) -> str:
    """0 is a silent zero, 1 is exact; what is merely near is never rounded to 1.00."""
    if isinstance(value, str):
        return "absent" if value.startswith("not installed") else "-"
    if value in (0, 1):
        return "0" if value == 0 else "1.00"
    return f"{value:.2f}" if abs(value - 1) >= 0.005 else f"{value:.4f}"


def summary(ratios: pd.DataFrame) -> pd.DataFrame:
    """How many cases each column gets right, of how many."""
    numbers = ratios.apply(pd.to_numeric, errors="coerce")
    rows = {
        "exact": numbers.eq(1),
        "within 5 %": (numbers - 1).abs().le(0.05),
        "zero": numbers.eq(0),
        "failed": numbers.isna(),
    }
    counts = {label: hits.sum().astype(str) for label, hits in rows.items()}
    return pd.DataFrame(counts, index=ratios.columns).T.rename_axis(f"of {len(ratios)} cases")


@click.command()
@click.option("--counter", "chosen", multiple=True, help="Only these counters.")
@click.option("--case", "pattern", default="", help="Only cases whose name contains this.")
@click.option("--seconds", default=60.0, help="The time one case may take.")
@click.option("--failures", is_flag=True, help="Also print why each failed count failed.")
@click.option("--write/--no-write", default=True, help="Write benchmarks/results/conformance.*")
def main(
    chosen: tuple[str, ...], pattern: str, seconds: float, failures: bool, write: bool
) -> None:
    """What archscope and its peers count in small cases whose MACs have a closed form."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    names = [name for name in cases.CASES if pattern in name]
    click.echo("counting with archscope in every condition", err=True)
    alone = ratios_of_conditions(names)
    beside = ratios_of_counters(names, list(chosen or counters.LOADERS), seconds)
    tables = {
        "Count / truth": summary(beside),
        "archscope's count / truth": summary(alone),
        "Count / truth, case by case (CPU, eval, no grad)": formatted(beside, cell),
        "archscope's count / truth, case by case": formatted(alone, cell),
    }
    for title, frame in reversed(tables.items()):
        show(title, frame)
    if failures:
        for label, value in pd.concat([beside, alone], axis=1).stack().items():
            if isinstance(value, str):
                click.echo(f"{label}: {value[:200]}")
    if write:
        RESULTS.mkdir(exist_ok=True)
        about = f"# Conformance\n\n{LEGEND}\nConditions: {conditions(beside.columns)}\n"
        sections = [about, *(f"## {title}\n\n{markdown(f)}" for title, f in tables.items())]
        (RESULTS / "conformance.md").write_text("\n".join(sections), encoding="utf-8")
        everything = beside.join(alone.add_prefix("archscope: "))
        everything.insert(0, "macs", [cases.build(name).macs for name in names])
        everything.to_csv(RESULTS / "conformance.csv")
    exact = beside.filter(items=["archscope"]).join(alone).eq(1).all(axis=None)
    sys.exit(0 if exact else 1)


LEGEND = """\
Each number is a counter's MACs over the true ones: 1.00 is exact, 0 is a silent zero, "-" is a
failure. The cases and their closed forms are in `benchmarks/cases.py`, each counter's own
convention in `benchmarks/counters.py`. Biases, normalisation and activations are no MACs; where a
counter adds them they are under 5 % in almost every case, so "within 5 %" does not punish that.
"""

if __name__ == "__main__":
    main()
