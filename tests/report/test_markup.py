"""Markdown, LaTeX and HTML: well formed, and everything escaped."""

import re
import subprocess
from html.parser import HTMLParser

from archscope.report import markup
from archscope.report.costs import View
from archscope.report.formats import render
from archscope.report.table import Heading, Row, Table

NASTY = Table(
    title=r"50% of #1_net {a} & ~b^c \d",
    headings=(Heading("Layer", "left"), Heading("a | b", "equation")),
    rows=(Row(("[0].x_y <b>*|*", "(3*3)*4 = 36"), ("under & over",)), Row(("z", "7"))),
    footer=("Total", "43"),
    caption=("A $ sign, 100 % of it.",),
)


def test_markdown_keeps_its_columns():
    lines = [line for line in markup.markdown(NASTY).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}
    assert r"(3\*3)\*4 = 36" in lines[2]
    assert len({len(line) for line in lines}) == 1


def test_markdown_of_a_network_is_aligned(report_of):
    text = render(report_of("vgg16"), "markdown")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    assert "**15,237,608**" in lines[-1]


def test_latex_is_balanced_and_escaped(report_of):
    for text in (markup.latex(NASTY), render(report_of("resnet18"), "latex")):
        for environment in ("table", "tabular"):
            assert text.count(rf"\begin{{{environment}}}") == 1
            assert text.count(rf"\end{{{environment}}}") == 1
        bare = re.sub(r"\\[\\&%$#_{}]", "", text)
        assert bare.count("{") == bare.count("}")
        assert not re.search(r"[%$#_~^<>]", bare)
        columns = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", text).group(1))
        body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert rows
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == columns - 1


def test_latex_compiles_as_it_is(report_of, program, tmp_path):
    views = (View(), View(level="block"), View(level="op"))
    tables = markup.latex(NASTY) + "\\clearpage\n".join(
        render(report_of(name), "latex", view=view)
        for name in ("resnet18", "inception-v3", "lstm")
        for view in views
    )
    source = tmp_path / "table.tex"
    source.write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}" + tables + r"\end{document}"
    )
    command = [program("pdflatex"), "-interaction=nonstopmode", "-halt-on-error", source.name]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)


class Outline(HTMLParser):
    """What is open, and the cells of every row."""

    def __init__(self):
        super().__init__()
        self.open, self.rows, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += int(dict(attrs).get("colspan", 1))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_html_is_well_formed_and_escaped():
    outline = Outline()
    outline.feed(markup.html(NASTY))
    assert outline.open == []
    assert set(outline.rows) == {2}
    assert "[0].x_y <b>*|*" in outline.text


def test_a_notebook_shows_the_table(report_of):
    report = report_of("vgg16")
    assert "15,237,608" in report._repr_html_()
    assert "15,237,608" in str(report)
