"""The comparison with a GPU's allocator, on a GPU that allocates on paper."""

import json

import pytest
import torch
from click.testing import CliRunner

from archscope.analyzers.allocator import allocator
from archscope.trace import trace
from benchmarks import memory_truth
from benchmarks.memory_truth import Setting, compare, fits, summary, write


class PaperDevice:
    """Holds exactly what archscope predicts, a workspace, and a share more."""

    name = "paper"

    def __init__(self, more=0.0, total_bytes=2**30):
        self.more, self.total_bytes = more, total_bytes

    def peak_of_step(self, model, inputs, setting):
        recorded = trace(model, inputs, setting.mode, optimizer=setting.optimizer, amp=setting.amp)
        held = allocator(recorded)
        if held.allocated + self.workspace() > self.total_bytes:
            raise torch.OutOfMemoryError("no more paper")
        return int((held.allocated + self.workspace()) * (1 + self.more)), held.reserved

    def workspace(self):
        return 8 * 2**20

    def conditions(self):
        return {"device": self.name}


@pytest.mark.parametrize("setting", memory_truth.SETTINGS, ids=lambda setting: setting.label)
def test_a_device_that_is_as_predicted_has_no_error(setting):
    row = compare(PaperDevice(), "resnet20-cifar", setting, batch=2)
    assert row.error == 0
    assert row.requested <= row.allocated <= row.reserved


def test_a_device_that_holds_more_shows_it_and_is_written_with_its_conditions(tmp_path):
    device = PaperDevice(more=0.1)
    rows = [compare(device, name, Setting("inference")) for name in ("resnet20-cifar", "lstm")]
    assert all(row.error == pytest.approx(1 / 1.1 - 1, abs=1e-6) for row in rows)
    assert "worst 9.09 %" in summary(rows)
    write(device, rows, [], tmp_path)
    assert json.loads((tmp_path / "memory_truth.json").read_text())["device"] == "paper"
    assert len((tmp_path / "memory_truth.csv").read_text().splitlines()) == 3


def test_the_largest_batch_runs_and_a_tenth_more_does_not():
    device = PaperDevice(total_bytes=2**28)
    found = fits(device, "resnet20-cifar", Setting("training", "sgd"))
    (largest, ran), (more, failed) = found["outcome"].items()
    assert (ran, failed) == ("runs", "out of memory")
    assert largest == found["largest"] < more


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_nothing_is_measured_or_written():
    result = CliRunner().invoke(memory_truth.main, [])
    assert result.exit_code == 1
    assert "nothing is measured" in result.output
