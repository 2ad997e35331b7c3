"""Text for LaTeX: nothing that a name may hold stops pdfLaTeX."""

import subprocess

import pytest

from archscope.report.tex import escaped


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a_b & 50 %", r"a\_b \& 50 \%"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("naïve", r"na\"{i}ve"),
        ("β-VAE ≥ 1", r"$\beta$-VAE $\ge$ 1"),
        ("[0]* | <b>", r"{[}0]{*} \textbar{} \textless{}b\textgreater{}"),
        ("中", "U+4E2D"),
        ("a\nb", "a b"),
    ],
)
def test_what_latex_would_obey_is_printed(text, wanted):
    assert escaped(text) == wanted


def test_every_character_compiles(program, tmp_path):
    signs = [*range(1, 0x250), *range(0x370, 0x530), *range(0x2000, 0x2300), 0x4E2D, 0x1F600]
    body = "\n\n".join(f"x{escaped(chr(sign))}y" for sign in signs)
    source = tmp_path / "signs.tex"
    source.write_text(f"\\documentclass{{article}}\\begin{{document}}\n{body}\n\\end{{document}}")
    command = [program("pdflatex"), "-interaction=nonstopmode", "-halt-on-error", source.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")
