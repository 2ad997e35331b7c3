"""``archscope plot`` writes a picture, or says in one line why not."""

import pytest

from archscope.cli import main


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["plot", *map(str, arguments)])
    return end.value.code


@pytest.mark.parametrize(
    ("kind", "models"),
    [
        ("depth", ["plain20-cifar", "resnet20-cifar"]),
        ("gradient-flow", ["plain20-cifar", "resnet20-cifar"]),
        ("through-time", ["rnn", "lstm"]),
    ],
)
def test_a_picture_is_written(kind, models, tmp_path, capsys):
    file = tmp_path / "picture.png"
    assert run(kind, *models, "-o", file, "--samples", 1) == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pie", "vgg16", "-o", "x.png"), "depth, gradient-flow, through-time"),
        (("depth", "vgg16", "-o", "x.txt"), "a .png, .pdf or .svg file"),
        (("depth", "resnet21", "-o", "x.png"), "did you mean"),
        (("through-time", "lstm", "-o", "/nowhere/x.png", "--seq-len", "3"), "cannot write"),
        (("depth", "vgg16"), "missing option"),
    ],
)
def test_a_wrong_request_gets_one_line(arguments, message, capsys):
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
