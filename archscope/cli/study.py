"""``archscope study``: grids of networks and settings, kept in one file."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archscope.cli.errors import remark
from archscope.cli.options import Number, Size, WholeNumber, settings_of
from archscope.cli.output import refuse_unwritable
from archscope.cli.tables import output_options, show_tables
from archscope.errors import InvalidInput

if TYPE_CHECKING:
    from archscope.study import Engine, Limits

_ENDING = (signal.SIGTERM, signal.SIGHUP)

Command = TypeVar("Command", bound=Callable[..., Any])


class Listed(click.ParamType):
    """Several values with commas between them."""

    name = "A,B,..."

    def __init__(self, numbers: bool = False):
        self.numbers = numbers
        self.name = "N,N,..." if numbers else "A,B,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Any]:
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        if not self.numbers:
            return parts
        if not parts or not all(part.isascii() and part.isdecimal() for part in parts):
            option = param.opts[0] if param else "it"
            raise InvalidInput(f"{option} '{value}' is no list of whole numbers; write 1,32")
        return [int(part) for part in parts]


@click.group()
def study() -> None:
    """Analyse many networks at many settings, and keep every result in one file.

    A study that was stopped, however it was, goes on with `archscope study resume`.
    """


def _engine_options(command: Command) -> Command:
    for option in reversed(
        [
            click.option(
                "--engine",
                "kind",
                default="local",
                metavar="local|ray",
                help="Processes here, or a Ray cluster.",
            ),
            click.option("--address", metavar="ADDRESS", help="Of the Ray cluster; auto."),
            click.option("--workers", type=WholeNumber(), help="Processes; the cores if absent."),
            click.option(
                "--timeout",
                type=Number(),
                metavar="SECONDS",
                help="At most, for one result; 600 if absent.",
            ),
            click.option(
                "--memory",
                type=Size(),
                metavar="SIZE",
                help="At most, of one process; an equal share of what is free if absent.",
            ),
        ]
    ):
        command = option(command)
    return command


@study.command("run")
@click.argument("grid", required=False, type=click.Path(path_type=Path))
@click.option("--models", type=Listed(), multiple=True, help="References and patterns: timm:vit_*")
@click.option("--size", type=Listed(True), help="Heights and widths of images: 224,288")
@click.option("--input", "inputs", multiple=True, metavar="SHAPE", help="One sample, 3x320x320.")
@click.option("--batch", type=Listed(True), help="Batch sizes: 1,32")
@click.option("--analyses", type=Listed(), help="compute,memory,depth if absent.")
@click.option("--mode", type=Listed(), help="inference,training")
@click.option("--dtype", type=Listed(), help="fp32,bf16; the networks' own if absent.")
@click.option("--device", type=Listed(), help="Of measurements: cpu,cuda:0")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of the networks.")
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="The store; GRID.db.")
@_engine_options
@click.pass_context
def run_study(
    ctx: click.Context,
    grid: Path | None,
    settings: tuple[str, ...],
    models: tuple[list[str], ...],
    inputs: tuple[str, ...],
    file: Path | None,
    kind: str,
    address: str | None,
    workers: int | None,
    timeout: float | None,
    memory: int | None,
    **axes: Any,
) -> None:
    """Analyse what GRID asks for, a .toml file, or what the options say.

    Analyses are compute, memory, depth, training (the memory of a step), effective_depth, latency
    and energy. Results go to a file that other commands read: `archscope compare --from study.db`.
    """
    from archscope import study as studies

    asked = {name: value for name, value in axes.items() if value is not None}
    asked |= {"models": [model for part in models for model in part]} if models else {}
    asked |= {"input": list(inputs)} if inputs else {}
    asked |= {"options": settings_of("a study", settings, None)} if settings else {}
    if grid is not None and asked:
        option = next(iter(asked)).replace("options", "set")
        raise InvalidInput(f"give {grid} or options such as --{option}, not both")
    plan = studies.read_plan(grid) if grid else studies.Plan((studies.Grid.of(asked),))
    limits = replace(studies.Limits(), **(plan.limits | _given(timeout, memory)))
    store = file or (grid.with_suffix(".db") if grid else Path("study.db"))
    engine = studies.engine(kind, workers=workers, address=address)
    _carried_out(
        ctx, store, lambda told: studies.run(store, plan.grids, engine, limits=limits, told=told)
    )


@study.command()
@click.argument("store", type=click.Path(path_type=Path))
@_engine_options
@click.pass_context
def resume(ctx: click.Context, store: Path, **how: Any) -> None:
    """Do what is missing in STORE.

    What was never begun, and what has changed since: a file, a version, a device.
    """
    from archscope.study import run

    engine, limits = _engine(store, **how)
    _carried_out(ctx, store, lambda told: run(store, (), engine, limits=limits, told=told))


@study.command("retry")
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--failed", is_flag=True, help="Those that failed; there are no others.")
@_engine_options
@click.pass_context
def retry_failed(ctx: click.Context, store: Path, failed: bool, **how: Any) -> None:
    """Try again what has failed in STORE."""
    from archscope.study import retry

    if not failed:
        raise InvalidInput(f"say what to retry: archscope study retry --failed {store}")
    engine, limits = _engine(store, **how)
    _carried_out(ctx, store, lambda told: retry(store, engine, limits=limits, told=told))


@study.command("export")
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
def export_study(store: Path, file: Path) -> None:
    """Write the results in STORE to FILE, .csv or .parquet.

    A row per network, setting and device, with the columns of `archscope compare`.
    """
    from archscope.study import export

    export(store, file)


@study.command()
@click.argument("store", type=click.Path(path_type=Path))
@output_options
def status(store: Path, format: str | None, width: int | None, file: str | None) -> None:
    """Show how far STORE is, and why what failed has failed."""
    refuse_unwritable(file, format)
    from archscope.report.study import status_tables
    from archscope.study import Store
    from archscope.study.lock import owner_of

    with Store(store) as opened:
        counts, failures = opened.counts_by_analysis(), opened.failures()
        taken, owner = opened.taken(), owner_of(store)
    tables = status_tables(str(store), counts, failures, taken, owner)
    rows = [{"analysis": analysis, **found} for analysis, found in counts.items()]
    data = {"analyses": counts, "failures": failures, "taken": taken, "owner": owner}
    show_tables(tables, data=data, rows=rows, format=format, width=width, file=file)


@study.command("diff")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@output_options
def diff_studies(
    before: Path, after: Path, format: str | None, width: int | None, file: str | None
) -> None:
    """Show in which results the stores BEFORE and AFTER differ.

    Values that changed, and cells that only one of them has. Times are not results; latencies
    differ where their intervals have nothing in common.
    """
    refuse_unwritable(file, format)
    from archscope.report.study import difference_tables
    from archscope.study import Store
    from archscope.study.difference import differences, row_of

    with Store(before) as old, Store(after) as new:
        rows = [row_of(difference) for difference in differences(old, new)]
    tables = difference_tables((str(before), str(after)), rows)
    show_tables(tables, data=rows, rows=rows, format=format, width=width, file=file)


def _engine(
    store: Path,
    kind: str,
    address: str | None,
    workers: int | None,
    timeout: float | None,
    memory: int | None,
) -> tuple[Engine, Limits]:
    """The engine, and the limits of the study but for those that are given."""
    from archscope.study import engine, limits_of

    limits = replace(limits_of(store), **_given(timeout, memory))
    return engine(kind, workers=workers, address=address), limits


def _given(timeout: float | None, memory: int | None) -> dict[str, Any]:
    if memory == 0:
        raise InvalidInput("--memory must be a size of more than nothing: 4GiB")
    given = {"seconds": timeout, "memory_bytes": memory}
    return {name: value for name, value in given.items() if value is not None}


def _carried_out(
    ctx: click.Context, store: Path, action: Callable[[Callable[..., None]], dict[str, int]]
) -> None:
    """Run a study with its progress; exit 1 if a row failed."""
    from archscope.study.progress import Progress

    progress = Progress()
    try:
        with _ended_by_signals():
            counts = action(progress)
    except KeyboardInterrupt:
        progress.end()
        remark(f"stopped; what was done is kept: archscope study resume {quote(str(store))}")
        raise
    progress.end()
    if counts["failed"]:
        status = f"archscope study status {quote(str(store))}"
        remark(f"{counts['failed']:,} failed; `{status}` says why")
        ctx.exit(1)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """What a scheduler or a terminal that closes sends ends a study as an interrupt does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # Under nohup the terminal's signal stays ignored.
    heard = [one for one in _ENDING if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, interrupt) for one in heard}
    try:
        yield
    finally:
        for one, known in before.items():
            signal.signal(one, known)
