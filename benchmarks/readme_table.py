"""The table of the README: archscope beside its peers, from the results of the other benchmarks.

python -m benchmarks.readme_table          # writes it between its two marks
python -m benchmarks.readme_table --check  # exit 1 if the README says something else
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from benchmarks.results import RESULTS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- benchmarks.readme_table -->", "<!-- end -->"

# Name in the conformance results -> the row of the peers' times.
COUNTERS = {
    "archscope": "archscope analyze",
    "FlopCounterMode": "FlopCounterMode, cpu",
    "torchlens": "torchlens",
    "torchprofile": "torchprofile",
    "fvcore": "fvcore",
    "calflops": "calflops",
    "thop": "thop",
    "ptflops aten": "ptflops aten",
    "torchinfo": "torchinfo",
}
NOTE = (
    "MACs on small cases whose truth is a closed form, each tool as its documentation has it; a "
    "silent zero is a layer that costs something and is counted as nothing. Time: the first "
    "analysis of resnet152 in a process of its own (archscope's with memory and depth too), as "
    "a multiple of archscope's."
)


def table() -> str:
    """Markdown: a row per counter, the most exact ones first."""
    ratios = pd.read_csv(RESULTS / "conformance.csv", index_col="case")
    times = pd.read_csv(RESULTS / "peers.csv").set_index(["subject", "way"])["seconds"]
    own = times["resnet152", COUNTERS["archscope"]]
    rows = []
    for counter, way in COUNTERS.items():
        found = pd.to_numeric(ratios[counter], errors="coerce")  # a failure is a text
        rows.append(
            (
                counter,
                int((found == 1).sum()),
                int((abs(found - 1) <= 0.05).sum()),
                int((found == 0).sum()),
                int(found.isna().sum()),
                times["resnet152", way] / own,
            )
        )
    rows.sort(key=lambda row: -row[1])
    lines = [
        f"| of {len(ratios)} cases | exact | within 5 % | silent zero | failed | time |",
        "|---|---:|---:|---:|---:|---:|",
        *(f"| {' | '.join(map(str, row[:-1]))} | {row[-1]:.1f} |" for row in rows),
    ]
    return "\n".join([BEGIN, *lines, "", NOTE, END])


def with_table(text: str) -> str:
    """A README with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise click.ClickException(f"README.md has no {BEGIN} ... {END}")
    return before + table() + after


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the README differs.")
def main(check: bool) -> None:
    """Put the table into the README."""
    text = README.read_text(encoding="utf-8")
    if check:
        raise SystemExit(0 if with_table(text) == text else 1)
    README.write_text(with_table(text), encoding="utf-8")


if __name__ == "__main__":
    main()
