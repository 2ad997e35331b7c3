"""A key changes with everything that the result depends on, and with nothing else."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from small_studies import ROOT

from archscope.study import keys
from archscope.study.records import Measurement, Setting

SETTING = Setting("resnet50")


def key(setting=SETTING, analysis="compute", device="", title="", how=None, versions=None):
    versions = keys.fingerprint(setting.reference) if versions is None else versions
    return keys.cell_key(setting, analysis, device, title, how or Measurement(), versions).key


@pytest.mark.parametrize(
    "change",
    [
        {"reference": "resnet18"},
        {"batch": 2},
        {"size": 288},
        {"inputs": ("3x288x288",)},
        {"dtype": "bf16"},
        {"mode": "training"},
        {"options": {"num_classes": 10}},
    ],
)
def test_every_part_of_a_setting_counts(change):
    assert key() == key() != key(replace(SETTING, **change))


def test_the_analysis_counts():
    assert key() != key(analysis="depth")


def test_of_a_measurement_the_machine_and_the_rules_count():
    measured = key(analysis="latency", device="cpu", title="EPYC")
    assert measured != key(analysis="latency", device="cpu", title="Xeon")
    assert measured != key(analysis="latency", device="cpu", title="EPYC", how=Measurement(5.0))
    assert key() == key(title="EPYC", how=Measurement(5.0))  # no measurement


@pytest.mark.parametrize(
    ("reference", "package"),
    [
        ("resnet50", "torch"),
        ("timm:resnet50", "timm"),
        ("torchvision:resnet50", "torchvision"),
        ("hf:llama", "transformers"),
    ],
)
def test_versions_count_where_they_matter(reference, package, monkeypatch):
    before = keys.fingerprint(reference)
    known = keys.version
    monkeypatch.setattr(keys, "version", lambda name: "9.9" if name == package else known(name))
    assert keys.fingerprint(reference) == {**before, package: "9.9"} != before


def test_another_package_does_not_count(monkeypatch):
    before = keys.fingerprint("resnet50")
    known = keys.version
    monkeypatch.setattr(keys, "version", lambda name: "9.9" if name == "timm" else known(name))
    assert keys.fingerprint("resnet50") == before


def test_the_version_of_archscope_and_of_its_convention_count(monkeypatch):
    before = keys.fingerprint("resnet50")
    monkeypatch.setattr(keys, "__version__", "99.0")
    later = keys.fingerprint("resnet50")
    monkeypatch.setattr(keys, "CONVENTION", 99)
    assert before != later != keys.fingerprint("resnet50")


def test_two_states_of_the_code_of_one_version_are_told_apart(tmp_path, monkeypatch):
    def code():
        keys.own_code.cache_clear()
        return keys.fingerprint("resnet50")["archscope files"]

    installed = code()
    monkeypatch.setattr(keys, "_OWN", str(tmp_path))
    for name in ("trace", "plots"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "costs.py").write_text("MACS = 1\n")
    first = code()
    (tmp_path / "plots" / "costs.py").write_text("COLOUR = 'red'\n")  # which no result comes from
    assert code() == first != installed
    (tmp_path / "trace" / "costs.py").write_text("MACS = 22\n")
    second = code()
    (tmp_path / "trace" / "costs.py").rename(tmp_path / "trace" / "formulas.py")
    assert len({first, second, code()}) == 3
    keys.own_code.cache_clear()


def test_no_result_comes_from_code_that_does_not_count():
    script = (
        "import sys\n"
        "from archscope.study import Grid, analyses, keys\n"
        "from archscope.study.work import results_of\n"
        "from archscope.study.records import Cell, Setting, Task\n"
        "def task(*names):\n"
        "    cells = tuple(Cell(name, name) for name in names)\n"
        "    return Task(Setting('resnet18', size=32), cells, keys.fingerprint('resnet18'))\n"
        "for names in (('compute', 'memory', 'depth'), ('training',), ('effective_depth',)):\n"
        "    assert all(result.state == 'done' for result in results_of(task(*names)))\n"
        "import archscope.measure.latency, archscope.measure.energy\n"
        "parts = {name.split('.')[1] for name in sys.modules if name.startswith('archscope.')}\n"
        "assert not parts & {name.removesuffix('.py') for name in keys._SHOWING}, parts\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)


def test_the_content_of_a_file_and_of_what_it_imports_counts(networks):
    (networks / "blocks.py").write_text("import torch\nWIDTH = 1\n")
    (networks / "net.py").write_text("from blocks import WIDTH\nimport json\n")
    (networks / "other.py").write_text("WIDTH = 1\n")
    first = keys.fingerprint("net.py:Net")
    (networks / "other.py").write_text("WIDTH = 2, 3\n")
    assert keys.fingerprint("net.py:Net") == first
    (networks / "blocks.py").write_text("import torch\nWIDTH = 22\n")
    second = keys.fingerprint("net.py:Net")
    (networks / "net.py").write_text("from blocks import WIDTH\nimport json, timm\n")
    third = keys.fingerprint("net.py:Net")
    assert first != second != third
    assert "timm" in third and "timm" not in second  # the version of what it imports


def test_a_module_beside_a_package_is_found_through_it(networks):
    (networks / "parts").mkdir()
    (networks / "parts" / "__init__.py").write_text("")
    (networks / "parts" / "head.py").write_text("WIDTH = 1\n")
    (networks / "net.py").write_text("from parts import head\n")
    first = keys.fingerprint("net.py:Net")
    (networks / "parts" / "head.py").write_text("WIDTH = 10\n")
    assert keys.fingerprint("net.py:Net") != first


def test_what_a_module_imports_from_its_own_package_counts(networks):
    parts = networks / "parts"
    parts.mkdir()
    (parts / "__init__.py").write_text("from .blocks import WIDTH\n")
    (parts / "blocks.py").write_text("from . import sizes\nWIDTH = sizes.WIDTH\n")
    (parts / "sizes.py").write_text("WIDTH = 1\n")
    (networks / "net.py").write_text("import parts\n")
    first = keys.fingerprint("net.py:Net")
    (parts / "sizes.py").write_text("WIDTH = 10\n")
    assert keys.fingerprint("net.py:Net") != first


def test_a_package_that_is_not_installed_counts_by_its_files(networks, monkeypatch):
    mine = networks / "mine"
    (mine / "blocks").mkdir(parents=True)
    (mine / "blocks" / "__init__.py").write_text("")
    (mine / "blocks" / "wide.py").write_text("WIDTH = 1\n")
    (networks / "net.py").write_text("from blocks.wide import WIDTH\n")
    monkeypatch.syspath_prepend(str(mine))
    first = keys.fingerprint("net.py:Net")
    (mine / "blocks" / "wide.py").write_text("WIDTH = 10\n")
    assert keys.fingerprint("net.py:Net") != first


def test_an_installed_package_counts_by_its_version_whatever_it_is_called(networks):
    (networks / "net.py").write_text("import yaml\n")
    assert keys.fingerprint("net.py:Net").keys() >= {"PyYAML"}


def test_a_configuration_and_an_exported_program_count_by_content(networks):
    (networks / "llama").mkdir()
    file = networks / "llama" / "config.json"
    file.write_text(json.dumps({"model_type": "llama"}))
    (networks / "net.pt2").write_bytes(b"one")
    before = keys.fingerprint("hf:llama"), keys.fingerprint("net.pt2")
    file.write_text(json.dumps({"model_type": "llama", "hidden_size": 8}))
    (networks / "net.pt2").write_bytes(b"another")
    after = keys.fingerprint("hf:llama"), keys.fingerprint("net.pt2")
    assert before[0] != after[0] and before[1] != after[1]


def test_a_package_counts_by_the_content_of_its_files(networks, monkeypatch):
    (networks / "mynets").mkdir()
    (networks / "mynets" / "__init__.py").write_text("raise RuntimeError('never imported')")
    (networks / "mynets" / "small.py").write_text("WIDTH = 1\n")
    monkeypatch.syspath_prepend(str(networks))
    before = keys.fingerprint("mynets.small:Net")
    (networks / "mynets" / "small.py").write_text("WIDTH = 10\n")
    assert keys.fingerprint("mynets.small:Net") != before
