"""The notebooks run from top to bottom, and their figures show."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path):
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output.data for output in outputs if output.output_type == "execute_result"]
    assert any("text/html" in data for data in shown)
    assert any("image/png" in data for data in shown)


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == [
        "choosing_a_backbone",
        "course",
        "your_own_model",
    ]
