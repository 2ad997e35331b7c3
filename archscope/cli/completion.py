"""What the shell offers for a model: names of the zoo and, when installed, of the other sources."""

from __future__ import annotations

from importlib.util import find_spec

import click
from click.shell_completion import CompletionItem

from archscope.errors import ArchscopeError

PACKAGES = {"torchvision": "torchvision", "timm": "timm", "hf": "transformers"}


def references(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The references that begin so; files where none does."""
    prefix, colon, _ = incomplete.partition(":")
    found = _names(prefix) if colon else [*_names(""), *_prefixes()]
    matching = [CompletionItem(name) for name in found if name.startswith(incomplete)]
    return matching or [CompletionItem(incomplete, type="file")]


def _prefixes() -> list[str]:
    return [f"{prefix}:" for prefix, package in PACKAGES.items() if find_spec(package)]


def _names(prefix: str) -> list[str]:
    from archscope.sources.grammar import LISTED, names

    if prefix not in LISTED:
        return []
    try:
        return names(prefix)
    except ArchscopeError:  # not installed, or broken: there is nothing to offer
        return []
