"""The README's table is the one that the committed results give."""

import pandas as pd
import pytest
from click import ClickException

from benchmarks import readme_table
from benchmarks.results import RESULTS


def test_the_readme_has_the_table_of_the_results():
    text = readme_table.README.read_text(encoding="utf-8")
    assert readme_table.with_table(text) == text


def test_a_changed_number_is_seen(monkeypatch, tmp_path):
    results = pd.read_csv(RESULTS / "conformance.csv")
    results.loc[0, "fvcore"] = "0.0"
    results.to_csv(tmp_path / "conformance.csv", index=False)
    (tmp_path / "peers.csv").write_text((RESULTS / "peers.csv").read_text())
    before = readme_table.table()
    monkeypatch.setattr(readme_table, "RESULTS", tmp_path)
    assert readme_table.table() != before


def test_a_readme_without_marks_is_refused():
    with pytest.raises(ClickException, match="has no <!--"):
        readme_table.with_table("# archscope\n")
