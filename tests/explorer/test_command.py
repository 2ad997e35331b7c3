"""``archscope explore`` as a person runs it."""

import json
import re

import pytest

from archscope.cli import main

LENET = """
import torch
class Net(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 10))
def make_inputs():
    return torch.zeros(1, 1, 8, 8)
class Broken(torch.nn.Module):
    def forward(self, x):
        raise ValueError("broken on purpose")
"""


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(LENET)

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["explore", *arguments])
        return end.value.code, capsys.readouterr().err

    return call


def data_in(file):
    return json.loads(re.search(r'id="data">(.*?)</script>', file.read_text(), re.S)[1])


def test_the_page_has_every_network_and_its_layers(run, tmp_path):
    code, _ = run("inception-*e*", "net.py:Net", "--input", "1x8x8", "-o", "page.html")
    data = data_in(tmp_path / "page.html")
    assert code == 1  # the modules of the zoo refuse such an input, and their rows say so
    assert data["labels"][-1] == "net.py:Net"
    assert data["pack_of"][-1] == 0
    assert set(data["pack_of"][:-1]) == {-1}


def test_the_same_command_writes_the_same_bytes(run, tmp_path):
    for name in ("a.html", "b.html"):
        assert run("inception-naive", "-o", name)[0] == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_layers_can_be_left_out_and_the_page_named(run, tmp_path):
    run("inception-naive", "--no-layers", "--title", "Two <modules>", "-o", "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "<title>Two &lt;modules&gt;</title>" in text
    assert 'id="pack-0"' not in text


def test_a_network_that_fails_is_a_row_and_an_exit_status(run, tmp_path):
    code, said = run("inception-naive", "net.py:Broken", "--input", "1x8x8", "-o", "page.html")
    assert code == 1
    assert "broken on purpose" in said
    status = next(f for f in data_in(tmp_path / "page.html")["fields"] if f["name"] == "status")
    assert "broken on purpose" in " ".join(status["words"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vgg16", "-o", "page.csv"], "ends in .html"),
        (["vgg16", "-o", "nowhere/page.html"], "no directory"),
        (["vgg17", "-o", "page.html"], "did you mean"),
        (["vgg16"], "missing option"),
        (["vgg16", "-o", "page.html", "--where", "prams < 3"], "params"),
    ],
)
def test_a_wrong_request_is_one_line_and_no_file(run, tmp_path, arguments, message):
    code, said = run(*arguments)
    assert code == 2
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("**/*.html"))


def test_a_stored_table_is_explored_without_layers_or_with_those_of_now(run, tmp_path):
    row = "net.py:Net,module,1x1x8x8,1,{macs},1490,float32"
    header = "model,source,input_shape,batch,macs,params,dtype"
    table = tmp_path / "table.csv"
    table.write_text(f"{header}\n{row.format(macs=2736)}\n")
    assert run("--from", "table.csv", "-o", "page.html")[0] == 0
    assert data_in(tmp_path / "page.html")["pack_of"] == [-1]
    code, err = run("--from", "table.csv", "--layers", "-o", "page.html")
    assert (code, err) == (0, "")
    assert data_in(tmp_path / "page.html")["pack_of"] == [0]
    table.write_text(f"{header}\n{row.format(macs=9999)}\n")
    _, err = run("--from", "table.csv", "--layers", "-o", "page.html")
    assert "no layers of net.py:Net: it has 2,736 MACs now, and 9,999 in the stored row" in err
    assert data_in(tmp_path / "page.html")["pack_of"] == [-1]
