"""Puts ``benchmarks/results`` and ``reports`` into the site: one file for two readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
_REPORT = Path(__file__).parents[2] / "reports"
_IN_THE_REPOSITORY, _ON_THE_SITE = "](../benchmarks/results/", "](benchmarks/"


def on_files(files: Files, *, config: Any) -> Files:
    """Add every table of results as a page, and the report with all that it links to."""
    for page in sorted(_RESULTS.glob("*.md")):
        content = page.read_text(encoding="utf-8")
        files.append(File.generated(config, f"benchmarks/{page.name}", content=content))
    for path in sorted(path for path in _REPORT.rglob("*") if path.is_file()):
        place = f"report/{path.relative_to(_REPORT).as_posix()}"
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Lead links to a result to its page; write "<" as Python's Markdown knows it, not GitHub's."""
    if page.file.src_uri.startswith("report/"):
        return markdown.replace("\\<", "&lt;")
    return markdown.replace(_IN_THE_REPOSITORY, _ON_THE_SITE)
