"""``archscope depth`` as a person runs it."""

import json

import numpy as np
import pytest
import torch

from archscope.cli import main
from archscope.models.catalog import build


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["depth", *arguments])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return call


def test_lengths_are_exact_in_json(run):
    code, out, _ = run("resnet110-cifar", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert (found["longest"], found["shortest"], found["paths"]) == (110, 2, 2**54)
    assert sum(row["paths"] for row in found["distribution"]) == 2**54
    assert found["quantiles"]["0.5"] == 56


def test_a_table_for_the_eye(run):
    code, out, _ = run("resnet50", "--format", "plain")
    assert code == 0
    assert "50" in out and "65,536" in out and "28.00" in out and "19 / 28 / 37" in out


def test_layers_have_distances_and_receptive_fields(run):
    _, out, _ = run("googlenet", "--layers", "--format", "json")
    layers = {row["path"]: row for row in json.loads(out)["layers"]}
    pool = layers["inception_5b.cat"]
    assert (pool["shortest_from_input"], pool["longest_from_input"]) == (12, 21)
    assert pool["receptive_field"] == [715, 715]


@pytest.mark.parametrize(("count", "longest"), [("modules", 16), ("ops", 166), ("macs", None)])
def test_other_counts(run, count, longest):
    code, out, _ = run("resnet50", "--count", count, "--format", "json")
    assert code == 0
    assert longest is None or json.loads(out)["longest"] == longest


def test_the_gradient_and_what_it_needs(run, tmp_path):
    model = build("resnet20-cifar")
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    np.savez(tmp_path / "data.npz", images=np.random.randn(3, 3, 32, 32), labels=[0, 1, 2])
    code, out, err = run(
        *("resnet20-cifar", "--gradient", "--samples", "2", "--format", "json"),
        *("--checkpoint", str(tmp_path / "weights.pt"), "--data", str(tmp_path / "data.npz")),
    )
    found = json.loads(out)["gradient"]
    assert code == 0
    assert "21 slots need about" in err.splitlines()[0]
    assert found["runs"] == 2 and 2 < found["effective_depth"] < 20 and found["error"] < 1e-4
    assert sum(row["share"] for row in found["rows"]) == pytest.approx(1)
    assert "noise of the given data's mean and deviation" in found["notes"][0]


def test_through_time(run):
    code, out, _ = run("rnn", "--seq-len", "8", "--through-time", "--gradient", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert [row["shortest"] for row in found["by_lag"]["rows"]] == list(range(2, 10))
    assert len(found["gradient_by_lag"]["rows"]) == 7
    assert found["by_lag"]["recurrent_depth"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet5",), "did you mean"),
        (("vgg16", "--count", "blocks"), "layers, modules, ops, macs"),
        (("vgg16", "--data", "x.npy"), "are for --gradient"),
        (("vgg16", "--gradient", "--count", "macs"), "counts weight layers"),
        (("vgg16", "--gradient", "--data", "none.npy"), "no file none.npy"),
        (("vgg16", "--gradient", "--data", "x.csv"), "ends in .npy, .npz, .pt"),
        (("vgg16", "--gradient", "--max-memory", "much"), "write 500MiB or 24GiB"),
        (("resnet20-cifar", "--gradient", "--max-memory", "1KiB"), "at least"),
        (("vgg16", "--through-time"), "one step"),
    ],
)
def test_a_wrong_request_gets_one_line(run, arguments, message):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert message in err.splitlines()[-1]


def test_files_that_hold_code_are_refused(run, tmp_path):
    torch.save({"weights": print}, tmp_path / "weights.pt")
    np.save(tmp_path / "data.npy", np.array([print], dtype=object), allow_pickle=True)
    for option, name in (("--checkpoint", "weights.pt"), ("--data", "data.npy")):
        code, _, err = run("resnet20-cifar", "--gradient", option, str(tmp_path / name))
        assert code == 2 and "refused" in err
