import pytest

from archscope.cli import main


def offered(words: str, monkeypatch: pytest.MonkeyPatch, capsys) -> list[str]:
    monkeypatch.setenv("_ARCHSCOPE_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        main([])
    return capsys.readouterr().out.splitlines()[1::3]


def test_the_zoo_is_offered(monkeypatch, capsys) -> None:
    found = offered("archscope table vgg16", monkeypatch, capsys)
    assert set(found) == {"vgg16", "vgg16-c"}
    assert "lstm" in offered("archscope check lst", monkeypatch, capsys)


def test_installed_sources_are_offered(monkeypatch, capsys) -> None:
    pytest.importorskip("timm")
    assert offered("archscope audit tim", monkeypatch, capsys) == ["timm:"]
    found = offered("archscope diff vgg16 timm:vit_tiny_patch16_2", monkeypatch, capsys)
    assert "timm:vit_tiny_patch16_224" in found


def test_commands_are_offered(monkeypatch, capsys) -> None:
    assert "diff" in offered("archscope di", monkeypatch, capsys)
