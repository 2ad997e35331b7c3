"""A study as a table: the same as `archscope.compare` makes, a row per network and setting."""

import csv
import importlib
import json
import sys
import tracemalloc
from dataclasses import replace

import pandas as pd
import pytest
from small_studies import Serial, grid

import archscope
from archscope import study
from archscope.comparison.columns import COLUMNS
from archscope.errors import ArchscopeError, InvalidInput
from archscope.report.compare import tables
from archscope.sources import grammar
from archscope.study import results, work
from archscope.study.records import Cell, Limits, Measurement, Result, Setting, Task
from archscope.study.store import PENDING_PAGE, PlannedCell, Store
from archscope.study.work import reason_of, results_of

NETWORKS = ["alexnet", "vgg11", "resnet18", "resnet34", "googlenet"]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "s.db"
    asked = {"models": NETWORKS, "analyses": ["compute", "memory", "depth", "training"]}
    study.run(path, [study.Grid.of(asked)], Serial())
    return path


def test_the_frame_is_that_of_compare(zoo):
    ours, theirs = study.frame(zoo), archscope.compare(NETWORKS)
    assert list(ours["status"]) == ["ok"] * len(NETWORKS)
    assert list(ours.columns[: len(COLUMNS)]) == list(COLUMNS)
    pd.testing.assert_frame_equal(ours[list(COLUMNS)], theirs[list(COLUMNS)])
    assert ours["pareto"].any() and not ours["pareto"].all()


def test_csv_has_the_same_rows(zoo, tmp_path):
    assert study.export(zoo, tmp_path / "out.csv") == len(NETWORKS)
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    for row, ours in zip(rows, study.frame(zoo).to_dict("records"), strict=True):
        assert row["model"] == ours["model"]
        assert int(row["macs"]) == ours["macs"] and int(row["paths"]) == ours["paths"]
        assert row["input_shape"] == "x".join(map(str, ours["input_shape"]))
        assert row["pareto"] == str(ours["pareto"])


def test_parquet_has_the_same_rows(zoo, tmp_path):
    pytest.importorskip("pyarrow")
    study.export(zoo, tmp_path / "out.parquet")
    table, ours = pd.read_parquet(tmp_path / "out.parquet"), study.frame(zoo)
    for name in ("model", "macs", "peak_bytes", "training_peak_bytes", "depth", "top1", "pareto"):
        assert list(table[name]) == list(ours[name])
    assert [int(text) for text in table["paths"]] == list(ours["paths"])


def test_an_export_has_a_known_ending(zoo, tmp_path):
    with pytest.raises(InvalidInput, match=r"\.csv or \.parquet"):
        study.export(zoo, tmp_path / "out.xlsx")


def test_a_network_has_a_row_for_each_setting_and_accuracy_at_its_own_input_only(tmp_path):
    asked = study.Grid.of({"models": "resnet18", "size": [224, 288], "batch": [1, 4]})
    study.run(tmp_path / "s.db", [asked], Serial())
    frame = study.frame(tmp_path / "s.db").set_index(["size", "batch"])
    assert frame.loc[(224, 4), "macs"] == 4 * frame.loc[(224, 1), "macs"]
    assert frame.loc[(288, 1), "input_shape"] == (1, 3, 288, 288)
    assert frame["top1"].notna().to_dict() == {
        (224, 1): True,
        (224, 4): True,
        (288, 1): False,
        (288, 4): False,
    }
    assert frame.loc[224, "pareto"].all()  # a batch is compared with its like


def test_a_row_says_why_figures_are_missing(networks):
    study.run("s.db", [grid("Good", "Raises", analyses=["compute", "training"])], Serial())
    with Store("s.db") as store:
        store.connection.execute(
            "UPDATE cells SET state = 'failed', reason = 'no gradient' WHERE analysis = 'training'"
            " AND setting_id = 1"
        )
        store.connection.execute("UPDATE cells SET state = 'pending' WHERE setting_id = 2")
    frame = study.frame("s.db")
    assert list(frame["status"]) == ["ok", "not done yet"]
    assert list(frame["remarks"]) == ["no training: no gradient", None]


def test_measurements_stand_in_a_row_per_device(networks):
    study.run("s.db", [grid("Good")], Serial())
    setting = replace(Setting("networks.py:Good"), inputs=("8",))
    with Store("s.db") as store:
        store.add_grids(["{}"])
        cells = [Cell(device, "latency", device) for device in ("cpu", "cuda:0")]
        store.plan("{}", "", [PlannedCell(setting, cell, {}, Measurement()) for cell in cells])
        for cell, latency in zip(cells, (3.0, 1.0), strict=True):
            row = {"latency_ms_p50": latency, "device": cell.device, "flops": 1, "status": "ok"}
            store.write(Result(cell.key, "done", row))
    frame = study.frame("s.db")
    assert list(frame["device"]) == ["cpu", "cuda:0"]
    assert list(frame["latency_ms_p50"]) == [3.0, 1.0]
    assert list(frame["flops"]) == [2 * 8 * 8 + 8] * 2 and set(frame["status"]) == {"ok"}


def test_a_real_latency_is_measured_on_the_cpu(networks):
    asked = grid("Good", analyses=["compute", "latency"], measure={"max_seconds": 0.05})
    study.run("s.db", [asked], Serial())
    (row,) = study.frame("s.db").to_dict("records")
    assert row["remarks"] is None and row["device"] == "cpu" and row["latency_ms_p50"] > 0


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """20,000 cells of 10,000 settings, done."""
    path = tmp_path_factory.mktemp("large") / "s.db"
    with Store(path, create=True) as store:
        store.add_grids(["{}"])
        cells = [
            PlannedCell(
                Setting("resnet18", batch=batch),
                Cell(f"{batch}{analysis}", analysis),
                {"torch": "2"},
                Measurement(),
            )
            for batch in range(1, 10_001)
            for analysis in ("compute", "depth")
        ]
        store.plan("{}", "", cells)
        values = json.dumps({"macs": 10**9, "paths": 2**200, "params": 11, "input_shape": [1, 8]})
        store.connection.execute("UPDATE cells SET state = 'done', result = ?", [values])
        store.connection.execute("UPDATE cells SET state = 'pending' WHERE id > 19990")
    return path


def test_what_is_missing_is_found_without_reading_what_is_there(large):
    with Store(large) as store:
        explained = store.connection.execute(
            f"EXPLAIN QUERY PLAN {PENDING_PAGE}", [0, 0, "", "", 9]
        )
        plan = [row["detail"] for row in explained]
        tasks = list(store.pending(Limits()))
    assert "SEARCH cells USING INDEX cells_pending" in plan[0]
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan)
    assert [len(task.cells) for task in tasks] == [2] * 5


def test_an_export_holds_no_whole_table_in_memory(large, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "_CHUNK", 500)
    study.export(large, tmp_path / "warm.csv")
    tracemalloc.start()
    assert study.export(large, tmp_path / "out.csv") == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 << 20 < (tmp_path / "out.csv").stat().st_size * 4
    with (tmp_path / "out.csv").open() as file:
        assert next(csv.DictReader(file))["paths"] == str(2**200)


def test_parquet_without_its_package_is_told_in_one_line(zoo, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ArchscopeError, match="pip install pyarrow"):
        study.export(zoo, tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_one_network_are_told_apart_by_their_settings(tmp_path):
    asked = study.Grid.of({"models": ["resnet18", "alexnet"], "batch": [1, 4]})
    study.run(tmp_path / "s.db", [asked], Serial())
    table = next(tables(study.frame(tmp_path / "s.db")))
    titles = [heading.title for heading in table.headings]
    assert table.title == "2 networks" and titles[:3] == ["model", "batch", "input"]
    assert "mode" not in titles


def test_a_row_says_where_its_network_comes_from_whatever_was_asked_of_it(tmp_path):
    for analysis in ("training", "effective_depth", "latency"):
        store = tmp_path / f"{analysis}.db"
        asked = {"models": "resnet20-cifar", "batch": 2, "analyses": analysis}
        asked["measure"] = {"max_seconds": 0.05}
        study.run(store, [study.Grid.of(asked)], Serial())
        (row,) = study.frame(store).to_dict("records")
        assert row["status"] == "ok" and row["family"] == "resnet-cifar" and row["year"] == 2015
        assert row["input_shape"] == (2, 3, 32, 32) and row["batch"] == 2 and row["top1"] > 90


def test_energy_is_measured_at_the_size_or_input_that_is_asked_for(networks, monkeypatch):
    def rows(model, inputs, *, batch, **_):
        shape = [batch, *inputs.specs[0].shape] if inputs else None
        return [{"status": "ok", "energy_mj": 1.0, "input_shape": shape}]

    def measured(reference, **settings):
        setting = Setting(reference, batch=2, **settings)
        cells = (Cell("a", "energy", "cuda:0"),)
        (result,) = results_of(Task(setting, cells, {}, "cuda:0"))
        assert result.state == "done", result.reason
        return result.values["input_shape"]

    energy = importlib.import_module("archscope.measure.energy")  # whose name a function has too
    monkeypatch.setattr(energy, "energy_rows", rows)
    assert measured("resnet18") is None
    assert measured("resnet18", size=64) == [2, 3, 64, 64]
    assert measured("networks.py:Good", inputs=("8",)) == [2, 8]


def test_effective_depth_is_measured_once_for_an_input_and_stands_in_all_its_rows(
    networks, monkeypatch
):
    measured = []

    def depth(setting):
        measured.append((setting.batch, setting.inputs))
        return {"batch": setting.batch, "input_shape": [setting.batch, 8], "effective_depth": 1.5}

    monkeypatch.setattr(work, "_effective_depth", depth)
    asked = {"models": ["networks.py:Good"], "input": ["8", "2x8"], "dtype": ["fp32", "bf16"]}
    study.run("s.db", [study.Grid.of({**asked, "batch": [4], "analyses": ["compute"]})], Serial())
    whole = {**asked, "batch": [2, 4], "mode": ["training", "inference"]}
    whole["analyses"] = ["compute", "effective_depth"]
    study.run("s.db", [study.Grid.of(whole)], Serial())
    assert measured == [(2, ("8",)), (2, ("2x8",))]
    frame = study.frame("s.db")
    assert len(frame) == 2 * 2 * 2 * 2
    assert frame["effective_depth"].notna().equals(frame["mode"] == "inference")
    assert all(
        shape[0] == batch for shape, batch in zip(frame["input_shape"], frame["batch"], strict=True)
    )


@pytest.mark.parametrize(
    "reference", ["resnet18", "torchvision:resnet18", "timm:vit_tiny_patch16_224"]
)
def test_a_size_is_set_without_building_the_network_for_its_image(reference, monkeypatch):
    built = []
    known = grammar.resolve

    def counted(*args, **kwargs):
        built.append(args)
        return known(*args, **kwargs)

    for module in ("archscope.analysis", "archscope.sources", "archscope.sources.grammar"):
        monkeypatch.setattr(importlib.import_module(module), "resolve", counted)
    work._image.cache_clear()
    setting = Setting(reference, size=64)
    task = Task(setting, (Cell("a", "compute"),), {})
    (result,) = results_of(task)
    assert result.values["input_shape"] == [1, 3, 64, 64] and len(built) == 1
    known_unbuilt = grammar.own_sample(reference, {})
    assert known_unbuilt == work._built_sample(reference, "{}")


@pytest.mark.parametrize(
    "error", [RuntimeError("not enough memory: you tried to allocate 8 bytes"), MemoryError()]
)
def test_lack_of_memory_is_told_by_whatever_words_torch_has(error):
    assert reason_of(error, 1 << 30).startswith("needs more memory than 1.0 GiB")


def test_a_reason_is_one_line_that_no_terminal_obeys():
    assert reason_of(ValueError("bad\n\udcff \0\x1b[31mred")) == "ValueError: bad ? ??[31mred"
