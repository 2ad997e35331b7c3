"""Options and output of the commands that print tables other than a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from archscope.cli.errors import remark, write
from archscope.cli.options import OneOf, WholeNumber
from archscope.cli.output import PIPED_WIDTH, draws_colour, draws_rules, terminal_width
from archscope.report.drawing import FORMATS
from archscope.report.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])
