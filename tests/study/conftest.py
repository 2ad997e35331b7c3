"""Small studies are found beside the tests."""

import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """A directory with networks.py, in which the test runs; their log is built.txt."""
    shutil.copy(HERE / "networks.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUILT", str(tmp_path / "built.txt"))
    return tmp_path
