"""``archscope explore``: many networks as one page to look around in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.compare import Progress, of_study, refuse_rows_of_nothing, tell_warnings
from archscope.cli.compare import compare as compare_command
from archscope.cli.errors import INTERRUPTED, models_print_to_stderr, remark
from archscope.cli.options import settings_of
from archscope.cli.output import refuse_unwritable
from archscope.errors import ArchscopeError, InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_OF_COMPARE = (
    *("models", "stored", "batch", "inputs", "dtype", "settings", "seq_len", "effective_depth"),
    *("accuracy", "protocol", "measured", "measured_where", "relative_to", "where", "sort"),
)


def _with_options_of_compare(command: click.Command) -> click.Command:
    command.params[:0] = [option for option in compare_command.params if option.name in _OF_COMPARE]
    return command


@_with_options_of_compare
@click.command()
@click.option(
    "--layers/--no-layers",
    default=None,
    help="Whether a click shows a network's layers; with --from, they are counted now.",
)
@click.option("--title", default="", metavar="TEXT", help="Of the page.")
@click.option(
    "-o", "--output", "file", required=True, metavar="FILE", help="A name that ends in .html."
)
@models_print_to_stderr()
@click.pass_context
def explore(
    ctx: click.Context,
    models: tuple[str, ...],
    stored: str | None,
    inputs: tuple[str, ...],
    dtype: str | None,
    settings: tuple[str, ...],
    seq_len: int | None,
    layers: bool | None,
    title: str,
    file: str,
    **how: Any,
) -> None:
    """Write a page in which to explore MODELS: one file that opens without a network.

    A plot with any two figures as axes, filters, a table, the layers of each network. MODELS and
    options are those of `archscope compare`. A study or a table (--from) has no layers: --layers
    counts them now, of networks that still cost what the row says. A network that fails is a row
    that says why, and the exit status is 1.
    """
    refuse_rows_of_nothing(how)
    refuse_unwritable(file, None, ("html",))
    if not Path(file).resolve().parent.is_dir():
        raise InvalidInput(f"cannot write '{file}': there is no directory {Path(file).parent}")
    from archscope.comparison.compare import INTERRUPTED as LEFT
    from archscope.comparison.compare import compare
    from archscope.explorer import page
    from archscope.report.files import write_text
    from archscope.sources.inputs import parse_input

    built: dict[str, Any] = {
        "input": [parse_input(text) for text in inputs] or None,
        "execution": {} if dtype is None else {"dtype": dtype},
        "batch": how.pop("batch"),
        **settings_of("explore", settings, seq_len),
    }
    say = Progress()
    if stored is not None:
        frame = of_study(ctx, stored, models, how)
        wanted, conditions = bool(layers), _as_in_row
    else:
        frame = compare(models, progress=say, **how, **built)
        tell_warnings(frame)
        wanted, conditions = layers is not False, lambda row: built
    failed: Mapping[str, str] = frame.attrs["failed"]
    for model, status in failed.items():
        remark(f"warning: {model}: {status}")
    interrupted = LEFT in failed.values()
    tables = _layers(frame, conditions, say) if wanted and not interrupted else {}
    write_text(file, page(frame, tables, title=title))
    if interrupted:
        ctx.exit(INTERRUPTED)
    if failed:
        ctx.exit(1)


def _layers(
    frame: pd.DataFrame,
    conditions: Callable[[Mapping[str, Any]], dict[str, Any]],
    say: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    """The layers of each network that could be analysed, under the conditions of its first row."""
    from archscope.analysis import analyze
    from archscope.comparison.columns import records
    from archscope.explorer.layers import SHOWN

    found = {}
    analysed = records(frame[frame["params"].notna()].drop_duplicates("model"))
    for place, row in enumerate(analysed):
        model = row["model"]
        say(f"layers of {place + 1} of {len(analysed)}: {model}")
        try:
            report = analyze(model, mode="inference", **conditions(row))
            _refuse_another(report.totals, row)
            # A thousand whole tables take a gigabyte.
            found[model] = report.layers.filter(items=SHOWN)
        except ArchscopeError as error:
            remark(f"warning: no layers of {model}: {error}")
    return found


def _as_in_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """How the network of a stored row ran, as far as the row says."""
    shape, dtype = row.get("input_shape"), row.get("dtype")
    return {
        "batch": row.get("batch"),
        "input": None if shape is None else shape[1:],
        "execution": {} if dtype in (None, "float32") else {"dtype": dtype},
    }


def _refuse_another(totals: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """A row of other options, or of another version of the network, has other layers.

    Raises:
        InvalidInput: parameters or MACs are not those of the row.
    """
    for name, title in (("params", "parameters"), ("macs", "MACs")):
        if row.get(name) is not None and totals[name] != row[name]:
            raise InvalidInput(
                f"it has {totals[name]:,} {title} now, and {row[name]:,} in the stored row"
            )
