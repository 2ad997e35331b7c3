"""A report takes the place of an older one, and of nothing else."""

import json
from pathlib import Path

import pytest

from archscope.errors import ArchscopeError, InvalidInput
from archscope.gallery.folder import MANIFEST, read_manifest, refuse_foreign, write

OLD = {"README.md": b"old", "figures/a.svg": b"a", "tables/deep/b.md": b"b"}
NEW = {"README.md": b"new", "figures/c.svg": b"c"}


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def test_the_new_report_replaces_the_old_one_and_leaves_the_rest(tmp_path):
    root = tmp_path / "report"
    write(root, OLD)
    (root / "data").mkdir()
    (root / "data" / "measured.csv").write_bytes(b"mine")
    (root / "figures" / "own.txt").write_bytes(b"mine too")
    write(root, NEW)
    assert contents(root) == {
        **NEW,
        "data/measured.csv": b"mine",
        "figures/own.txt": b"mine too",
    }
    assert not (root / "tables").exists()
    assert set(read_manifest(root).files) == set(NEW)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("name", ["README.md", "figures/c.svg", MANIFEST])
def test_a_file_of_somebody_else_is_not_overwritten(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(InvalidInput, match="no "):
        write(tmp_path, NEW)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


def test_a_file_that_appeared_beside_a_report_is_not_overwritten(tmp_path):
    write(tmp_path, OLD)
    (tmp_path / "figures" / "c.svg").write_bytes(b"mine")
    with pytest.raises(InvalidInput, match=r"c\.svg' is none of the report's"):
        write(tmp_path, NEW)
    assert contents(tmp_path) == {**OLD, "figures/c.svg": b"mine"}


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "data/measured.csv", ""])
def test_a_manifest_cannot_have_other_files_removed(tmp_path, name):
    manifest = {"matplotlib": "", "files": {name: "0"}}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InvalidInput, match="no file of a report"):
        write(tmp_path, NEW)


def test_a_failure_while_writing_leaves_the_old_report(tmp_path, monkeypatch):
    root = tmp_path / "report"
    write(root, OLD)

    def refuse(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    with pytest.raises(ArchscopeError, match="No space left"):
        write(root, NEW)
    assert contents(root) == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_report_cut_short_while_its_files_were_moved_can_be_written_again(tmp_path, monkeypatch):
    root, real = tmp_path / "report", Path.replace
    write(root, OLD)

    def interrupted(self, target):
        if self.name == "c.svg":
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(root, NEW)
    write(root, NEW)
    assert contents(root) == NEW


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    with pytest.raises(InvalidInput, match="there is no directory"):
        write(tmp_path / "no" / "where", NEW)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInput, match="is a file"):
        write(tmp_path / "file", NEW)


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda place, mode: False)
    with pytest.raises(InvalidInput, match="permission denied"):
        refuse_foreign(tmp_path / "report", read_manifest(tmp_path / "report"), NEW)


def test_nothing_is_moved_from_outside_of_the_folder(tmp_path, monkeypatch):
    """It may be a file system of its own, a mounted volume for instance."""
    root, real = tmp_path / "report", Path.replace

    def within(self, target):
        assert self.is_relative_to(root)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", within)
    write(root, OLD)
    write(root, NEW)
    assert contents(root) == NEW and not list(root.glob(".*"))


def test_a_report_that_could_not_be_written_leaves_no_empty_folder(tmp_path, monkeypatch):
    def refuse(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    with pytest.raises(ArchscopeError, match="No space left"):
        write(tmp_path / "report", NEW)
    assert not list(tmp_path.iterdir())
