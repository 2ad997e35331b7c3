"""Files: the ending tells the format, and a file is whole or not there."""

import json
import os
import stat

import pytest

from archscope.errors import ArchscopeError
from archscope.report.files import ENDINGS, write_whole


@pytest.mark.parametrize("ending", [e for e in ENDINGS if e != ".parquet"])
def test_the_ending_tells_the_format(report_of, tmp_path, ending):
    path = tmp_path / f"table{ending}"
    report_of("lstm").save(path)
    assert "recurrence" in path.read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_parquet_is_written_or_what_it_needs_is_said(report_of, tmp_path):
    path = tmp_path / "table.parquet"
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        with pytest.raises(ArchscopeError, match="pyarrow"):
            report_of("lstm").save(path)
        assert list(tmp_path.iterdir()) == []
    else:
        report_of("lstm").save(path)
        assert path.stat().st_size > 0


def test_an_unknown_ending_names_the_known_ones(report_of, tmp_path):
    with pytest.raises(ArchscopeError, match=r"\.csv"):
        report_of("lstm").save(tmp_path / "table.pdf")


def test_a_missing_directory_is_named(report_of, tmp_path):
    with pytest.raises(ArchscopeError, match="there is no directory"):
        report_of("lstm").save(tmp_path / "nowhere" / "table.csv")


def test_a_directory_is_no_file(report_of, tmp_path):
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(ArchscopeError, match="directory"):
        report_of("lstm").save(tmp_path / "table.csv")


def test_a_failure_midway_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.json"
    path.write_text("old")

    def fail(place):
        place.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ArchscopeError, match="No space left"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.json"]


def test_a_link_stays_a_link_and_permissions_stay(report_of, tmp_path):
    target = tmp_path / "real.json"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(target)
    report_of("lstm").save(link)
    assert link.is_symlink()
    assert json.loads(target.read_text())["model"] == "lstm"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_device_is_written_to_and_not_replaced(report_of):
    from archscope.report.files import write_text

    write_text(os.devnull, "nothing")
    assert not os.path.isfile(os.devnull)
