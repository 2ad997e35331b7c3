"""``archscope compare``: many networks, a row each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from archscope.cache.transcript import unnoted
from archscope.cli.cached import Given, cached
from archscope.cli.completion import references
from archscope.cli.errors import INTERRUPTED, models_print_to_stderr, remark
from archscope.cli.options import WholeNumber, given_options, names_of, settings_of
from archscope.cli.output import deliver
from archscope.cli.tables import output_options
from archscope.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    import pandas as pd

_BETWEEN_REMARKS = 2.0  # s
_RUNNING = (
    *("batch", "inputs", "dtype", "settings", "seq_len", "analyses", "effective_depth"),
    *("measured", "measured_where", "inputs_from", "mode", "optimizer", "over", "samples"),
    *("seeds", "device", "level"),
)


def _networks(given: Given) -> Sequence[str] | None:
    """Effective depth is measured, and a study is a store of its own."""
    measured = given["effective_depth"] or "effective_depth" in (given["analyses"] or "")
    return None if measured or given["stored"] else given["models"]


@cached(_networks)
@click.command()
@click.argument("models", nargs=-1, shell_complete=references)
@click.option("--from", "stored", metavar="FILE", help="A study, or a table of rows; nothing runs.")
@click.option("--batch", type=WholeNumber(), help="Batch size; 1 if absent.")
@click.option("--input", "inputs", multiple=True, metavar="SHAPE", help="One sample: 3x320x320.")
@click.option("--dtype", metavar="DTYPE", help="Of weights and inputs: fp32, bf16, fp16.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="num_classes=10.")
@click.option("--seq-len", type=WholeNumber(), help="Steps of a sequence.")
@click.option(
    "--analyses", metavar="NAMES", help="Some of compute,memory,training,depth; all if absent."
)
@click.option("--effective-depth", is_flag=True, help="Measure it too, with random weights.")
@click.option("--accuracy", metavar="FILE", help="A CSV table with the columns model, top1.")
@click.option(
    "--protocol",
    default="single-crop",
    metavar="NAME",
    help="Of accuracies, others are marked: single-crop, 10-crop, multi-crop, dense, other.",
)
@click.option(
    "--measured",
    multiple=True,
    metavar="FILE",
    help="What archscope latency or energy wrote, .csv or .json.",
)
@click.option("--measured-where", metavar="CONDITION", help="Its rows: \"device == 'cuda:0'\".")
@click.option("--relative-to", metavar="MODEL", help="Costs in multiples of this network's, too.")
@click.option("--where", metavar="CONDITION", help='"params < 30M and top1 > 75".')
@click.option("--sort", multiple=True, metavar="COLUMN[,desc]", help="As often as needed.")
@click.option("--columns", metavar="NAMES", help="model,macs,top1: exactly these.")
@output_options
@models_print_to_stderr()
@click.pass_context
def compare(
    ctx: click.Context,
    models: tuple[str, ...],
    stored: str | None,
    inputs: tuple[str, ...],
    dtype: str | None,
    settings: tuple[str, ...],
    seq_len: int | None,
    analyses: str | None,
    columns: str | None,
    format: str | None,
    width: int | None,
    file: str | None,
    **how: Any,
) -> None:
    """Compare MODELS: what each costs, how well it classifies, and what was measured.

    MODELS are references as for `archscope table`, or patterns: 'resnet*', 'timm:resnet*'; with
    --from those of the study's networks that are wanted.
    Accuracies are as published, of one protocol; * marks those that no other beats both in MACs
    and in top-1 accuracy. A network that fails is a row that says why, and the exit status is 1.

    CONDITION compares columns, numbers and quoted texts: family == 'resnet' and macs < 4.2G.
    Columns: model family source year batch input_shape dtype params trainable_params macs flops
    activations weight_bytes peak_bytes training_peak_bytes depth shortest_path paths mean_path
    effective_depth coverage top1 top5 protocol accuracy_source top1_per_mparams device
    latency_ms_p50 throughput_per_s energy_mj power_w pareto status remarks; with --relative-to also
    params_relative and so on.
    """
    names = names_of("--columns", columns)
    refuse_rows_of_nothing(how)
    if stored is not None:
        frame = of_study(ctx, stored, models, how)
        _deliver(ctx, frame, names, format, width, file)
        return

    from archscope.comparison import ANALYSES
    from archscope.comparison.compare import compare as compared
    from archscope.comparison.compare import known_columns
    from archscope.sources.inputs import parse_input

    for name in names:
        if name not in (known := known_columns(relative=how["relative_to"] is not None)):
            raise UnknownName("column", name, known, see="archscope compare --help")
    frame = compared(
        models,
        input=[parse_input(text) for text in inputs] or None,
        analyses=names_of("--analyses", analyses) or ANALYSES[:-1],
        execution={} if dtype is None else {"dtype": dtype},
        progress=Progress(),
        **how,
        **settings_of("compare", settings, seq_len),
    )
    tell_warnings(frame)
    _deliver(ctx, frame, names, format, width, file)


def _deliver(
    ctx: click.Context,
    frame: pd.DataFrame,
    names: list[str],
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Write a comparison, and end as its rows did."""
    from archscope.comparison.compare import INTERRUPTED as LEFT
    from archscope.report.compare import render

    failed = frame.attrs["failed"]
    remarks = dict(zip(frame["model"], frame["remarks"], strict=True))
    for model, reason in (remarks | failed).items():
        if reason:
            remark(f"warning: {model}: {reason}")
    deliver(partial(render, frame, columns=names), format=format, width=width, file=file)
    if LEFT in failed.values():
        ctx.exit(INTERRUPTED)
    if failed:
        ctx.exit(1)


def of_study(
    ctx: click.Context, stored: str, models: tuple[str, ...], how: dict[str, Any]
) -> pd.DataFrame:
    """The comparison that a study has, by those options of ``compare`` that run nothing.

    Raises:
        ArchscopeError: an option that says how to run a network, or no such study.
    """
    from archscope.accuracy import unmatched, with_accuracy
    from archscope.comparison.columns import comparison_frame
    from archscope.comparison.compare import arranged
    from archscope.study import frame

    for name, option in given_options(ctx).items():
        if name in _RUNNING:
            raise InvalidInput(f"{option} is for networks that run now, not for --from")
    found = frame(stored, models, accuracy=how["accuracy"], protocol=how["protocol"])
    if how["protocol"] not in set(found["protocol"]):  # the table may have some of its own
        with_accuracy(comparison_frame([]), how["accuracy"], protocol=how["protocol"])
    found.attrs["warnings"] = unmatched(found, how["accuracy"])
    tell_warnings(found)
    wanted = {name: how[name] for name in ("relative_to", "where", "sort") if name in how}
    return arranged(found, **wanted)


def refuse_rows_of_nothing(how: dict[str, Any]) -> None:
    """Refuse --measured-where without a file whose rows it chooses."""
    if how["measured_where"] is not None and not how["measured"]:
        raise InvalidInput("--measured-where is for the rows of a --measured file; give one")


def tell_warnings(frame: pd.DataFrame) -> None:
    """On stderr, what looks like a mistake in the request."""
    for line in frame.attrs["warnings"]:
        remark(f"warning: {line}")


class Progress:
    """Where the comparison is, on stderr, now and then."""

    def __init__(self) -> None:
        self.said = time.monotonic()

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if now - self.said >= _BETWEEN_REMARKS:
            self.said = now
            with unnoted():
                remark(line)
