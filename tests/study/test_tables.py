"""Exported results and stored comparisons, read again: nothing is lost, nothing is guessed."""

import pandas as pd
import pytest

import archscope
from archscope import study
from archscope.errors import InvalidInput, UnknownName
from archscope.study.tables import is_table, read_rows

NETWORKS = ["alexnet", "resnet18", "resnet110-cifar"]


@pytest.fixture(scope="module")
def compared():
    return archscope.compare(NETWORKS)


@pytest.fixture
def table(compared, tmp_path):
    """A comparison as a file, with a column that no comparison has."""
    shapes = ["x".join(map(str, shape)) for shape in compared["input_shape"]]
    path = tmp_path / "table.csv"
    compared.assign(input_shape=shapes, cpu_ms=[1.5, 2.5, None]).to_csv(path, index=False)
    return path


def write(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stored_comparison_comes_back_as_it_was(compared, table):
    found = study.frame(table)
    pd.testing.assert_frame_equal(found[list(compared.columns)], compared)
    assert found["paths"].iloc[2] == 2**54 and isinstance(found["paths"].iloc[2], int)
    assert list(found["cpu_ms"][:2]) == [1.5, 2.5] and pd.isna(found["cpu_ms"][2])
    assert found.attrs["failed"] == {}


def test_a_compressed_table_is_one_too(compared, table, tmp_path):
    pd.read_csv(table, dtype=str).to_csv(tmp_path / "table.csv.gz", index=False)
    assert list(study.frame(tmp_path / "table.csv.gz")["macs"]) == list(compared["macs"])


def test_an_exported_study_is_what_the_study_was(tmp_path):
    from small_studies import Serial

    asked = {"models": NETWORKS, "analyses": ["compute", "depth"]}
    study.run(tmp_path / "s.db", [study.Grid.of(asked)], Serial())
    stored = study.frame(tmp_path / "s.db")
    study.export(tmp_path / "s.db", tmp_path / "s.csv")
    found = study.frame(tmp_path / "s.csv")
    pd.testing.assert_frame_equal(found[list(stored.columns)], stored, check_dtype=False)


def test_accuracies_are_those_of_the_table_or_of_the_file_that_is_given(table, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("model,top1\nresnet18,12.5\n")
    assert study.frame(table)["top1"].notna().all()
    found = study.frame(table, accuracy=own)
    assert found["top1"].tolist()[1] == 12.5 and found["top1"].isna().sum() == 2
    assert found["top1_per_mparams"][1] == pytest.approx(12.5 / 11.689512)


def test_the_networks_that_are_wanted(table):
    assert list(study.frame(table, ["resnet*"])["model"]) == NETWORKS[1:]
    with pytest.raises(UnknownName, match="vgg16"):
        study.frame(table, ["vgg16"])


def test_a_row_may_have_next_to_nothing_and_a_failed_one_says_why(tmp_path):
    path = write(tmp_path, 'model,macs,status\na,1000.0,ok\nb,,"no, it failed"\n')
    found = study.frame(path)
    assert found["macs"].tolist()[0] == 1000 and pd.isna(found["macs"][1])
    assert found.attrs["failed"] == {"b": "no, it failed"}
    assert study.frame(write(tmp_path, "model,macs\na,7\n"))["status"].tolist() == ["ok"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model,macs\na,12\nb,many\n", "line 3: macs is 'many', not a whole number"),
        ("model,macs\na,1.5\n", "macs is '1.5', not a whole number"),
        ("model,top1\na,good\n", "top1 is 'good', not a number"),
        ("model,input_shape\na,large\n", "not a shape such as 1x3x224x224"),
        ("model,pareto\na,perhaps\n", "not true or false"),
        ("model,macs\n,1\n", "line 2: there is no model"),
        ("name,macs\na,1\n", "no column 'model'"),
        ("model,macs\n", "has no row"),
        ("", "cannot be read"),
    ],
)
def test_what_is_no_table_of_networks_is_refused(tmp_path, text, says):
    with pytest.raises(InvalidInput, match=says):
        study.frame(write(tmp_path, text))


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(InvalidInput, match=r"there is no table .*absent\.csv"):
        read_rows(tmp_path / "absent.csv")


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.csv.gz", "b/a.parquet"])
def test_a_table_is_known_by_its_name(name):
    assert is_table(name) and not is_table("study.db")


def test_a_parquet_table_is_read(compared, tmp_path):
    pytest.importorskip("pyarrow")
    shapes = ["x".join(map(str, shape)) for shape in compared["input_shape"]]
    plain = compared.assign(input_shape=shapes, paths=compared["paths"].map(str))
    plain.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(study.frame(tmp_path / "t.parquet")[plain.columns], compared)
