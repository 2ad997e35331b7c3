"""``archscope memory`` as a person runs it."""

import json

import pytest

from archscope.cli import main


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["memory", *map(str, arguments)])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return call


def test_the_peak_by_kind_and_where_it_falls(run):
    code, out, _ = run("vgg16", "--format", "plain")
    assert code == 0
    assert "vgg16: peak memory 552.9 MiB" in out
    assert "convolution of block1.conv2" in out
    assert "weights      527.8 MiB" in out


def test_everything_is_in_json(run):
    _, out, _ = run(
        "alexnet", "--mode", "training", "--batch", 2, "--optimizer", "adam", "--format", "json"
    )
    found = json.loads(out)
    weights = 4 * 60_965_224
    assert found["kinds"]["weights"] == weights
    assert found["kinds"]["optimizer"] == 2 * weights
    assert sum(found["kinds"].values()) == found["peak_bytes"] == max(found["curve"]["total"])
    assert found["peak_bytes"] <= found["allocated_bytes"] <= found["reserved_bytes"]
    assert found["execution"]["optimizer"] == "adam"
    assert sum(row["saved_bytes"] for row in found["layers"]) == found["saved_bytes"]


def test_layers_are_the_rows_of_csv(run):
    _, out, _ = run("alexnet", "--format", "csv")
    header, *rows = out.splitlines()
    assert header.startswith("path,kind,call,output_bytes,weight_bytes,saved_bytes")
    assert len(rows) > 10


def test_the_law_is_printed_checked_and_inverted(run):
    code, out, _ = run("vgg16", "--over", "batch=1..256", "--fit", "24GiB", "--format", "plain")
    assert code == 0
    assert "batch 959 fits in 24.0 GiB" in out
    assert "527.8 MiB + 25.1 MiB x batch" in out
    assert "every byte agrees" in out
    _, out, _ = run("vgg16", "--over", "batch=1..256", "--fit", "24GiB", "--format", "json")
    found = json.loads(out)
    assert found["exact"] and found["fit"] == {"budget_bytes": 24 * 2**30, "largest": 959}
    assert found["points"][-1]["batch"] == 256


def test_nothing_fits_in_less_than_the_weights(run):
    code, out, _ = run("vgg16", "--fit", "100MiB", "--format", "plain")
    assert code == 0
    assert "nothing fits in 100.0 MiB" in out


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (("inception-v3", "--over", "size=299..400"), "size^2"),
        (("lstm", "--mode", "training", "--over", "seq_len=10..40"), "x seq_len"),
    ],
)
def test_over_resolution_and_sequence(run, arguments, variable):
    code, out, _ = run(*arguments, "--format", "plain")
    assert code == 0
    assert variable in out


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_timeline_is_drawn(run, tmp_path, ending):
    file = tmp_path / f"timeline.{ending}"
    code, _, _ = run("rnn", "--mode", "training", "--plot", file)
    assert code == 0
    assert file.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg17",), "did you mean"),
        (("vgg16", "--optimizer", "adam"), "training mode only"),
        (("vgg16", "--optimizer", "lion"), "sgd, momentum, adam, adamw"),
        (("vgg16", "--dtype", "int3"), "it is one of"),
        (("vgg16", "--over", "batch"), "write batch=1..256"),
        (("vgg16", "--over", "batch=9..3"), "write batch=1..256"),
        (("vgg16", "--over", "colour=1..3"), "write batch=1..256"),
        (("vgg16", "--fit", "lots"), "write 500MiB or 24GiB"),
        (("vgg16", "--fit", "1GiB", "--layers"), "go without"),
        (("vgg16", "--batch", "2", "--over", "batch=1..4"), "leave --batch out"),
        (("lstm", "--over", "size=32..64"), "no image"),
        (("rnn", "--plot", "x.abc"), "cannot draw into x.abc"),
        (("rnn", "--plot", "/nowhere/x.png"), "cannot draw into"),
    ],
)
def test_a_wrong_request_gets_one_line(run, arguments, message):
    code, out, err = run(*arguments)
    assert code == 2
    assert message in err
    assert out == "" and len(err.splitlines()) == 1
