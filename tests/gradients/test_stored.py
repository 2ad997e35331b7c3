"""Gradients that were measured once are drawn from their file."""

import json

import pandas as pd
import pytest

from archscope.cli import main
from archscope.errors import InvalidInput
from archscope.gradients import gradient_flow, gradient_paths
from archscope.gradients.stored import load, save

ABOUT = {"device": "Some CPU", "date": "2026-11-20", "torch": "2.13.0"}


@pytest.fixture(scope="module")
def paths():
    return gradient_paths("plain20-cifar", samples=2)


def test_a_table_comes_back_as_it_was_measured(tmp_path, paths):
    file = tmp_path / "paths.json"
    save(file, "gradient-paths", [paths], ABOUT)
    (found,) = load(file, "gradient-paths", ["plain20-cifar"])
    pd.testing.assert_frame_equal(found, paths, check_dtype=False, rtol=1e-8)
    assert found.attrs["effective_depth"] == pytest.approx(20)
    assert found.attrs["conditions"].endswith("measured on Some CPU, 2026-11-20, torch 2.13.0")


def test_numbers_of_paths_stay_exact(tmp_path, paths):
    many = paths.assign(paths=pd.Series([2**200 + 1] * len(paths), dtype=object))
    many.attrs = paths.attrs
    save(tmp_path / "paths.json", "gradient-paths", [many], ABOUT)
    (found,) = load(tmp_path / "paths.json", "gradient-paths", ["plain20-cifar"])
    assert set(found["paths"]) == {2**200 + 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no measured gradients"),
        (json.dumps({"kind": "gradient-flow", "about": {}, "tables": []}), "holds gradient-flow"),
        (json.dumps({"kind": "gradient-paths", "about": {}, "tables": []}), "no gradient of rnn"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, content, message):
    file = tmp_path / "paths.json"
    file.write_text(content)
    with pytest.raises(InvalidInput, match=message):
        load(file, "gradient-paths", ["rnn"])


def test_a_picture_is_drawn_from_the_file_and_nothing_is_measured(tmp_path, monkeypatch):
    flow = gradient_flow("plain20-cifar", samples=1)
    save(tmp_path / "flow.json", "gradient-flow", [flow], ABOUT)
    monkeypatch.setattr("archscope.gradients.gradient_flow", None)
    words = ["gradient-flow", "plain20-cifar", "--measured", str(tmp_path / "flow.json")]
    with pytest.raises(SystemExit) as end:
        main(["plot", *words, "-o", str(tmp_path / "flow.svg")])
    assert end.value.code == 0
    assert "Measured on Some CPU, torch 2.13.0, 2026-11-20." in (tmp_path / "flow.svg").read_text(
        "utf-8"
    )
