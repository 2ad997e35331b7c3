"""The comparison with a GPU's allocator, on a GPU that allocates on paper."""

import json
from time import monotonic

import pytest
import torch
from click.testing import CliRunner

from archscope.analyzers.allocator import allocator
from archscope.trace import trace
from benchmarks import memory_truth
from benchmarks.memory_truth import (
    FITTED,
    Peak,
    Setting,
    _apart,
    answer_of_fit,
    answers,
    compare,
    fits,
    summary,
    write,
)


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
        kernels = 4096  # as a convolution's workspace
        held_now = int((held.allocated + self.workspace()) * (1 + self.more))
        return Peak(held_now + kernels, held.reserved, kernels)

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
    rows = [*answers(device, "resnet20-cifar"), *answers(device, "lstm")]
    assert all(row["error"] == pytest.approx(1 / 1.1 - 1, abs=1e-6) for row in rows)
    assert "10 runs" in summary(rows) and "worst 9.09 %" in summary(rows)
    fitted = answer_of_fit(PaperDevice(total_bytes=2**28), "resnet20-cifar")
    assert (fitted["setting"], fitted["status"]) == (FITTED, "ok")
    write(device, [*rows, fitted], tmp_path)
    written = json.loads((tmp_path / "memory_truth.json").read_text())
    assert written["device"] == "paper" and len(written["fit"]) == 1
    assert len((tmp_path / "memory_truth.csv").read_text().splitlines()) == 1 + len(rows)


def test_what_fails_is_a_row_and_the_other_settings_go_on():
    class Small(PaperDevice):
        def peak_of_step(self, model, inputs, setting):
            if setting.mode == "training":
                raise torch.OutOfMemoryError("no more paper")
            if setting.amp:
                raise ValueError("odd\nmore")
            return super().peak_of_step(model, inputs, setting)

    rows = list(answers(Small(), "resnet20-cifar"))
    assert [row["status"] for row in rows] == ["ok", "failed: ValueError: odd"] + 3 * [
        "out of memory"
    ]
    assert summary(rows).endswith("; 4 failed")
    assert summary(rows[1:]) == "no run was measured; 4 failed"


@pytest.mark.skipif(torch.cuda.is_available(), reason="it is to fail without a GPU")
def test_a_process_that_dies_is_a_row_for_each_setting():
    rows = _apart("--one", "resnet20-cifar", monotonic() + 60)
    assert [row["setting"] for row in rows] == [setting.label for setting in memory_truth.SETTINGS]
    assert all("no GPU here" in row["status"] for row in rows)
    assert _apart("--one", "resnet20-cifar", monotonic() + 1) == []


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
