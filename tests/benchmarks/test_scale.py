import json
from pathlib import Path

import pytest

from archscope import study
from archscope.study.records import Result
from benchmarks.scale_driver import Replay, fill, read_recorded, record, resume
from benchmarks.scale_report import rates
from benchmarks.scale_store import write_grid

ANSWERS = {name: [Result("", "done", {"macs": 7})] for name in ("compute", "memory", "depth")}


@pytest.fixture
def recorded(tmp_path):
    """A file of recorded results, of a study of one network."""
    engine = Replay(ANSWERS)
    study.run(tmp_path / "one.db", [study.Grid.of({"models": ["vgg16"]})], engine)
    record(tmp_path / "one.db", tmp_path / "recorded.json")
    return str(tmp_path / "recorded.json")


def test_results_are_recorded_by_analysis(recorded) -> None:
    found = read_recorded(Path(recorded))
    assert {name: [one.values for one in results] for name, results in found.items()} == {
        name: [{"macs": 7}] for name in ANSWERS
    }


def test_an_interrupted_study_of_recorded_results_goes_on(tmp_path, recorded) -> None:
    grid = tmp_path / "grid.json"
    grid.write_text(json.dumps({"models": ["vgg16", "alexnet"], "batch": [1, 2, 3, 4]}))
    store = str(tmp_path / "study.db")
    filled = fill(store, str(grid), recorded, most=20)
    assert filled["cells_written"] == 20
    with study.Store(store) as opened:
        assert opened.counts() == {"pending": 4, "done": 20, "failed": 0}
    resumed = resume(store, recorded)
    assert resumed["cells_written"] == 4
    assert min(filled["to_first_task_s"], resumed["to_first_task_s"]) > 0
    assert min(*filled["driver_bytes"], filled["driver_peak_bytes"]) > 1 << 20


def test_a_hub_has_a_configuration_of_its_own_for_every_setting(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_grid(tmp_path / "hub.json", "hub", 30) == 30
    models = json.loads((tmp_path / "hub.json").read_text())["models"]
    contents = {(tmp_path / model.removeprefix("hf:")).read_bytes() for model in models}
    assert len(models) == len(contents) == 10


def test_efficiency_is_the_rate_by_that_of_one_worker() -> None:
    rows = [
        {"case": "alone", "size": n, "cells": 3, "failed": 0, "rate_per_s": rate}
        for n, rate in ((1, 10.0), (1, 12.0), (2, 18.7))
    ]
    assert list(rates(rows)["efficiency"]) == ["1.00", "0.85"]
