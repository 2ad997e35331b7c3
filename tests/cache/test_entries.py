"""Entries are whole or they are none, and no more of them stay than there is room for."""

import hashlib
import json
import os
import pwd
from dataclasses import replace

import pytest

from archscope.cache import entries, place
from archscope.errors import InvalidInput

ENTRY = entries.Entry("0" * 32, "archscope table vgg16", (("stdout", "16 layers\udcff\n"),))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSCOPE_CACHE_DIR", str(tmp_path))
    return tmp_path


def keyed(digit, size=0):
    return replace(ENTRY, key=str(digit) * 32, written=(("stdout", "x" * size),))


def test_an_entry_is_read_as_it_was_written():
    whole = replace(ENTRY, status=1, read={"/a": "content 1"}, installed=("/b",), stamp="2")
    entries.save(whole)
    assert entries.load(whole.key) == whole


def test_an_entry_that_is_damaged_anywhere_is_none(folder):
    entries.save(ENTRY)
    file = folder / f"{ENTRY.key}.json"
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at])
        assert entries.load(ENTRY.key) is None
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert entries.load(ENTRY.key) is None
    file.write_bytes(whole)
    assert entries.load(ENTRY.key) == ENTRY


@pytest.mark.parametrize("content", ["5", "[]", "{}", '{"key": 1, "color": 2}', "nothing"])
def test_what_is_whole_and_no_entry_is_none(folder, content):
    checksum = hashlib.sha256(content.encode()).hexdigest()
    (folder / f"{ENTRY.key}.json").write_text(f"{checksum}\n{content}")
    assert entries.load(ENTRY.key) is None


def test_an_entry_of_another_key_is_none(folder):
    entries.save(ENTRY)
    (folder / f"{ENTRY.key}.json").rename(folder / f"{'1' * 32}.json")
    assert entries.load("1" * 32) is None


def test_nothing_in_an_entry_is_executed():
    entries.save(ENTRY)
    content = (place.directory() / f"{ENTRY.key}.json").read_bytes().partition(b"\n")[2]
    assert json.loads(content)["command"] == ENTRY.command  # JSON, of which nothing can be run


def test_the_least_recently_used_goes_first(folder, monkeypatch):
    for digit in range(5):
        entries.save(keyed(digit, 1000))
        os.utime(folder / f"{str(digit) * 32}.json", (digit, digit))
    assert entries.load("0" * 32)  # which uses it
    size = entries.kept()[0].bytes
    monkeypatch.setenv("ARCHSCOPE_CACHE_SIZE", str(5 * size))
    entries.save(keyed(5, 1000))
    left = {kept.path.name[0] for kept in entries.kept()}
    assert left == {"0", "3", "4", "5"}  # 9 tenths of the room, so that not every write evicts
    assert sum(kept.bytes for kept in entries.kept()) <= 0.9 * 5 * size


def test_what_is_larger_than_all_room_is_not_kept_and_evicts_nothing(monkeypatch):
    entries.save(ENTRY)
    monkeypatch.setenv("ARCHSCOPE_CACHE_SIZE", "1KB")
    entries.save(keyed(1, 2000))
    assert [kept.path.stem for kept in entries.kept()] == [ENTRY.key]


def test_a_size_that_is_none_is_told(monkeypatch):
    monkeypatch.setenv("ARCHSCOPE_CACHE_SIZE", "much")
    with pytest.raises(InvalidInput, match="ARCHSCOPE_CACHE_SIZE"):
        place.bound()


def test_a_write_that_fails_leaves_nothing(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        entries.save(ENTRY)
    assert not list(folder.iterdir())


def test_abandoned_parts_go_and_fresh_ones_stay(folder):
    old, new = (folder / f".{digit * 32}.x.partial" for digit in "12")
    for file in (old, new):
        file.write_text("")
    os.utime(old, (1, 1))
    entries.save(ENTRY)
    assert new.exists() and not old.exists()


def test_clear_removes_results_and_nothing_else(folder):
    entries.save(ENTRY)
    other = folder / "thesis.json"
    other.write_text("{}")
    assert len(entries.clear()) == 1
    assert list(folder.iterdir()) == [other] and not entries.kept()


def test_results_are_where_they_are_said_to_be(monkeypatch, tmp_path):
    assert place.directory() == tmp_path
    monkeypatch.delenv("ARCHSCOPE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert place.directory() == tmp_path / "archscope" / "results"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place.directory() == tmp_path / ".cache" / "archscope" / "results"


def test_without_a_home_directory_nothing_is_kept(monkeypatch):
    def nobody(_):
        raise KeyError

    for name in ("ARCHSCOPE_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert place.is_off()
    with pytest.raises(InvalidInput, match="ARCHSCOPE_CACHE_DIR"):
        place.directory()
