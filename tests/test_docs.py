"""What the pages tell a reader to type exists: commands, options, functions and their arguments."""

import ast
import importlib
import inspect
import re
import shlex
import textwrap
from pathlib import Path

import click
import pytest

import archscope
from archscope.cli import cli
from archscope.errors import ArchscopeError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(archscope [^`]+)`")
_SHELL = ("sh", "bash", "yaml", "")
_Z = "alexnet resnet18"  # docs/figures.md abbreviates a list of networks


def blocks(page, *languages):
    text = page.read_text(encoding="utf-8")
    return [code for language, code in _FENCED.findall(text) if language in languages]


def lines(page):
    """Every command of archscope on a page, without what a shell does around it."""
    indented = re.findall(r"^    (archscope .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    found = [*indented, *(" ".join(one.split()) for one in _INLINE.findall(page.read_text()))]
    for block in blocks(page, *_SHELL):
        for line in block.replace("\\\n", " ").splitlines():
            start = re.search(r"(?:^|[\s/])archscope (?=[a-z])", line)
            printed = line.startswith((" ", "|")) and "run: " not in line
            if start and not printed and not re.match(r"\s*(#|pip|import|from)\b", line):
                found.append("archscope " + line[start.end() :])
    return list(dict.fromkeys(found))


def words(line):
    """As a shell splits it; README.md explains its commands in a column of their own."""
    line = re.sub(r"\$\(.*?\)", "", line.replace("$Z", _Z)).partition(";")[0]
    line = re.split(r"\s{2,}(?![-\\\\])", line)[0].replace("...", "")
    return shlex.split(line, comments=True)[1:]


COMMANDS = [(page.name, line) for page in PAGES for line in lines(page)]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda value: value[:60])
def test_a_command_of_the_pages_is_understood(page, line):
    """Its options exist and take such values; nothing runs."""
    names = words(line)
    command, context = cli, cli.make_context("archscope", names, resilient_parsing=True)
    while isinstance(command, click.Group):
        assert names, f"{page}: {line}"
        name, command, names = command.resolve_command(context, names)
        try:
            context = command.make_context(name, list(names), parent=context)
        except click.MissingParameter:
            break  # a page may name a command without its model
        except (click.UsageError, ArchscopeError) as error:
            pytest.fail(f"{page}: {line}: {error}")


SNIPPETS = [
    pytest.param(textwrap.dedent(code), id=f"{page.name}-{place}")
    for page in PAGES
    for place, code in enumerate(blocks(page, "python"))
]


def known(tree):
    """The names of a snippet that are archscope's, and what they stand for."""
    found = {"archscope": archscope}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("archscope"):
            module = importlib.import_module(node.module)
            found |= {one.asname or one.name: getattr(module, one.name) for one in node.names}
    return found


def meant(node, names):
    """What an expression of names and dots stands for; None if it is not archscope's."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    owner = meant(node.value, names) if isinstance(node, ast.Attribute) else None
    return None if owner is None else getattr(owner, node.attr)


@pytest.mark.parametrize("code", SNIPPETS)
def test_a_snippet_of_the_pages_names_what_there_is(code):
    """It is Python; its functions exist and take the arguments that it gives."""
    tree = ast.parse(code)
    names = known(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            meant(node, names)
        if isinstance(node, ast.Call) and (called := meant(node.func, names)) is not None:
            given = {one.arg: None for one in node.keywords if one.arg}
            inspect.signature(called).bind_partial(*[None] * len(node.args), **given)


def test_every_figure_of_archscope_has_its_reference():
    """The page of the API has every function of ``archscope.plots``."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert [
        name for name in archscope.plots.__all__ if f"archscope.plots.{name}\n" not in page
    ] == []
