"""Commands that answer from the cache where they can, and keep what they printed where they may."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from archscope.cache.entries import Entry, load, save
from archscope.cache.place import bound, directory, is_off
from archscope.cli.errors import remark, write_bytes
from archscope.cli.output import appearance, to_file

Given = Mapping[str, Any]  # a command's options by name

# Options that name a function which makes inputs.
_MAKERS = ("inputs_from",)


def of_one(*refused: str) -> Callable[[Given], Sequence[str] | None]:
    """The references of a command for one MODEL; None where an option of ``refused`` is given.

    Those measure, or write pictures, which are not kept.
    """

    def references(given: Given) -> Sequence[str] | None:
        return None if any(given[name] for name in refused) else [given["model"]]

    return references


def cached(
    references: Callable[[Given], Sequence[str] | None], statuses: Sequence[int] = (0,)
) -> Callable[[click.Command], click.Command]:
    """Give a command ``--no-cache``, and an answer from the cache where there is a valid one.

    Args:
        references: the networks that the options name; None if the output is not to be kept.
        statuses: the exit statuses with which the command has answered.
    """

    def decorate(command: click.Command) -> click.Command:
        answer = command.callback
        assert answer is not None

        def run(**given: Any) -> None:
            off = given.pop("no_cache") or is_off() or not _has_bytes()
            networks = None if off or _is_binary(given) else references(given)
            if networks is None:
                answer(**given)
                return
            try:
                key = _key(command.name or "", given, networks)
            except (OSError, ValueError, RecursionError):  # the run says what is wrong, if it is
                answer(**given)
                return
            entry = load(key)
            if entry is not None and _is_valid(entry):
                _say_again(entry, given)
            else:
                _run_and_keep(Entry(key, _title()), lambda: answer(**given), statuses)

        help = "Neither use nor keep results; see archscope cache info."
        command.params.append(click.Option(["--no-cache"], is_flag=True, help=help))
        command.callback = run
        return command

    return decorate


def _has_bytes() -> bool:
    return all(hasattr(stream, "buffer") for stream in (sys.stdout, sys.stderr))


def _is_binary(given: Given) -> bool:
    return (given["file"] or "").lower().endswith(".parquet")


def _key(command: str, given: Given, networks: Sequence[str]) -> str:
    from archscope.cache.conditions import key

    makers = [given[name] for name in _MAKERS if given.get(name)]
    output = {name: given[name] for name in ("format", "width", "file")}
    # A file's name does not matter, but that it is one, and what its ending tells.
    place = None if given["file"] is None else Path(given["file"]).suffix
    shaping = {**given, **appearance(**output), "file": place}
    return key(command, shaping, [*networks, *makers])


def _title() -> str:
    """The command as it was given."""
    return " ".join(["archscope", *sys.argv[1:]])


def _is_valid(entry: Entry) -> bool:
    from archscope.cache.files import stamps, unchanged

    if entry.refusal or entry.folder not in ("", os.getcwd()):
        return False
    return stamps(entry.installed) == entry.stamp and unchanged(entry.read)


def _say_again(entry: Entry, given: Given) -> None:
    from archscope.cache.transcript import written_again

    for place, text in entry.written:
        if place == "file":
            to_file(given["file"], text)
        else:
            write_bytes(sys.stdout if place == "stdout" else sys.stderr, written_again(text))
    if entry.status:
        raise click.exceptions.Exit(entry.status)


def _run_and_keep(blank: Entry, answer: Callable[[], Any], statuses: Sequence[int]) -> None:
    from archscope.cache.files import stamps
    from archscope.cache.reads import watched
    from archscope.cache.transcript import transcribed

    bound()  # a size that cannot be read is told before the work, and not after it
    status = 0
    with watched() as reads, transcribed() as transcript:
        try:
            answer()
        except click.exceptions.Exit as end:
            status = end.exit_code
    if status in statuses:
        kept = {
            "written": transcript.written,
            "status": status,
            "read": reads.states(),
            "installed": reads.installed(),
            "stamp": stamps(reads.installed()),
            "folder": reads.folder(),
        }
        refusal = reads.refusal()  # after the states, so that no change falls in between
        entry = replace(blank, **({"refusal": refusal} if refusal else kept))
        _keep(entry)
    if status:
        raise click.exceptions.Exit(status)


def _keep(entry: Entry) -> None:
    try:
        save(entry)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remark(f"cannot keep the result in {directory()}: {reason}; --no-cache does not try")
