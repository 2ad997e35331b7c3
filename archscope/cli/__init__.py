"""The command line: parse, call the API, render. A command's module is imported when it runs."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

import click
from click.shell_completion import shell_complete

from archscope._version import __version__
from archscope.cli.errors import guarded
from archscope.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives, "module:function", and the line that ``--help`` has for it."""

    place: str
    summary: str


COMMANDS = {
    "list": Entry("archscope.cli.listing:list_architectures", "List the architectures."),
    "table": Entry("archscope.cli.table:table", "Show what every layer of a model costs."),
    "memory": Entry("archscope.cli.memory:memory", "Show what a run holds at its peak."),
    "depth": Entry("archscope.cli.depth:depth", "Show the lengths of all paths to the output."),
    "plot": Entry("archscope.cli.plot:plot", "Draw a picture of one model or several."),
    "generate": Entry("archscope.cli.generate:generate", "Show what generating text costs."),
    "compare": Entry("archscope.cli.compare:compare", "Put networks beside each other."),
    "explore": Entry("archscope.cli.explore:explore", "Write a page to explore models in."),
    "diff": Entry("archscope.cli.diff:diff", "Show what changes from one model to another."),
    "check": Entry("archscope.cli.check:check", "Hold models to their budgets; exit 1 if missed."),
    "roofline": Entry("archscope.cli.roofline:roofline", "Show least times on any device."),
    "latency": Entry("archscope.cli.latency:latency", "Measure how long a run takes."),
    "energy": Entry("archscope.cli.energy:energy", "Measure what a run takes in joules."),
    "device": Entry("archscope.cli.device:device", "Show what devices can do at most."),
    "env": Entry("archscope.cli.env:env", "Show what measurements here depend on."),
    "export": Entry("archscope.cli.export:export", "Write files for Perfetto, model-explorer."),
    "report": Entry("archscope.cli.report:report", "Write tables and figures as a folder."),
    "study": Entry("archscope.cli.study:study", "Analyse whole grids of models, resumably."),
    "cache": Entry("archscope.cli.cache:cache", "Show or clear the results that are kept."),
    "audit": Entry("archscope.cli.audit:audit", "Compare the counts of several tools."),
}


class Commands(click.Group):
    """Commands by name. ``--help`` shows them without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            raise UnknownName("command", cmd_name, COMMANDS, "archscope --help")
        module, _, name = COMMANDS[cmd_name].place.partition(":")
        return getattr(importlib.import_module(module), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.version_option(__version__, "-V", "--version", prog_name="archscope")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """What a PyTorch architecture costs, from one run on shapes alone."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a check failed, 2 the request was wrong.

    Args:
        arguments: those of the process by default.
    """
    completing = os.environ.get("_ARCHSCOPE_COMPLETE")
    if completing:  # set by the script that a shell has sourced
        raise SystemExit(shell_complete(cli, {}, "archscope", "_ARCHSCOPE_COMPLETE", completing))
    # Importing torch and tracing make many objects, nearly all of which stay: looking through them
    # for garbage as often as Python does by default takes a fifth of a short command.
    gc.set_threshold(200_000, 20, 20)
    raise SystemExit(guarded(cli, arguments))
