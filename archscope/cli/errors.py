"""What happens when a command cannot do what was asked: one line on stderr, and an exit status."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click

from archscope.errors import ArchscopeError

WRONG_REQUEST = 2
INTERRUPTED = 130


def guarded(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Run a command and return its exit status; a wrong request is told in one line.

    A reader that closes the pipe early, such as ``head``, has what it wanted: status 0. This is
    what ``click.Command.main`` does, but for the statuses.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if sys.stdout is None:  # closed by the caller, who wants nothing of it
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        with _warnings_in_a_line(), command.make_context("archscope", given) as context:
            command.invoke(context)
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except ArchscopeError as error:
        return _refuse(str(error))
    except click.ClickException as error:
        return _refuse(_usage(error))
    except SystemExit as end:  # no command ends so: the code that a person gave did
        return _refuse(f"the model's own code ended the program, with exit({end.code!r})")
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return 0


_kept_for_data: list[TextIO] = []


def stdout() -> TextIO:
    """Where data goes, also while models print to stderr."""
    return _kept_for_data[-1] if _kept_for_data else sys.stdout


@contextmanager
def models_print_to_stderr() -> Iterator[None]:
    """Keep stdout for data: what a model's own code prints is no part of a command's answer."""
    _kept_for_data.append(sys.stdout)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = _kept_for_data.pop()


def write(text: str) -> None:
    """Data to stdout; what its encoding does not have becomes a question mark.

    Raises:
        ArchscopeError: it cannot be written, to a full disk for instance.
    """
    stream = stdout()
    encoding = stream.encoding or "utf-8"
    with _written():
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()


def write_bytes(stream: TextIO, data: bytes) -> None:
    """What was encoded before, to stdout or stderr.

    Raises:
        ArchscopeError: it cannot be written.
    """
    with _written():
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        raise ArchscopeError(f"cannot write the output: {error.strerror}") from error


def remark(text: str) -> None:
    """A warning or progress, on stderr."""
    click.echo(f"archscope: {_one_line(text)}", err=True)


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Tell Python's warnings, of a model's code for instance, without source and whole paths."""

    def tell(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        remark(f"warning: {os.path.basename(filename)}:{lineno}: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = tell
        yield


def _refuse(message: str) -> int:
    remark(f"error: {message}")
    return WRONG_REQUEST


def _usage(error: click.ClickException) -> str:
    """Click's message, and what would be right or where to find it."""
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        near = ", ".join(error.possibilities)
        return f"no such option {error.option_name}; did you mean {near}?"
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and error.ctx:
        group = error.ctx.command
        words = ", ".join(group.list_commands(error.ctx)) if isinstance(group, click.Group) else ""
        return f"{error.ctx.command_path} needs a command: {words}"
    message = error.format_message().strip().rstrip(".").replace(". Did you", "; did you")
    if isinstance(error, click.UsageError) and error.ctx and not message.endswith("?"):
        message += f"; see {error.ctx.command_path} --help"
    return message[:1].lower() + message[1:]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _discard_output() -> None:
    """Python flushes stdout once more when it ends; let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout().fileno())
