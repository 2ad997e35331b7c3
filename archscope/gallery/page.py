"""The report's page: every figure and table under the command that makes it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from archscope.gallery.data import Measured
from archscope.gallery.items import Absent, Item, Listing, Picture, Section, shown
from archscope.gallery.zoo import TABLE

_INTRODUCTION = """\
# The report

What the architectures of the course cost, as tables and pictures. Under each stands the command
that made it, to be run in the folder that holds `{root}/`; all of it is made again by

```sh
archscope report -o {root}
```

and `archscope report --check -o {root}` says whether code and report agree. What is derived needs
no device. What was measured is drawn from the files in [data](#data), with device and date in the
caption; what nobody has measured is said to be missing.

Every network of the zoo, with its axes to choose and its layers to look into:
[explorer.html](explorer.html) (one file that opens offline).
"""


def page(
    root: str, sections: Sequence[Section], tables: Mapping[Listing, str], zoo: str, data: Measured
) -> str:
    """The page as Markdown.

    Args:
        root: the name of the report's folder.
        sections: what is shown.
        tables: what the commands of tables printed.
        zoo: the table of all networks.
        data: what the report is drawn from.
    """
    titles = [*(section.title for section in sections), "The zoo", "Data"]
    contents = "\n".join(f"- [{title}](#{_anchor(title)})" for title in titles)
    parts = [_INTRODUCTION.format(root=shlex.quote(root)), f"{contents}\n"]
    for section in sections:
        parts += [f"## {section.title}\n", f"{section.text}\n" if section.text else ""]
        for item in section.items:
            parts += _item(item, root, tables)
    parts += _zoo(root, zoo, data)
    parts += _data(data)
    return "\n".join(part for part in parts if part)


def _item(item: Item, root: str, tables: Mapping[Listing, str]) -> Iterator[str]:
    yield f"### {item.title}\n"
    if isinstance(item, Absent):
        yield f"> **Not measured**: {item.reason}.\n"
        return
    if item.text:
        yield f"{item.text}\n"
    if isinstance(item, Picture):
        yield f"![{item.title}]({quote(item.file)})\n"
    elif isinstance(item, Listing):
        yield tables[item]
    yield _command(shown(item, root))


def _command(line: str) -> str:
    return f"```sh\n{line}\n```\n"


def _zoo(root: str, table: str, data: Measured) -> Iterator[str]:
    yield "## The zoo\n"
    yield "Each name leads to the network's own tables, by block and by layer.\n"
    yield table
    yield _command(shown(Listing("The zoo", "", TABLE), root))
    yield "The explorer:\n"
    measured = [word for name in data.explored for word in ("--measured", f"{root}/data/{name}")]
    words = ["archscope", "explore", "*", *measured, "-o", f"{root}/explorer.html"]
    yield _command(shlex.join(words))


def _data(data: Measured) -> Iterator[str]:
    yield "## Data\n"
    if not data.about:
        yield "Nothing has been measured.\n"
        return
    yield "| file | what it holds |\n|---|---|"
    for name, told in data.about.items():
        yield f"| [{name}](data/{quote(name)}) | {told} |"
    yield (
        "\nGradients are measured again, on another machine with other last digits, by "
        "`archscope report --measure`; devices by the commands of `benchmarks/`.\n"
    )


def _anchor(title: str) -> str:
    """As GitHub makes it."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")
