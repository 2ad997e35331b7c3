"""Predictions with the efficiencies that are shipped, and where there must be none."""

import csv
import importlib
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

import archscope
from archscope.devices import Device, find_device
from archscope.errors import InvalidInput, UnknownName
from archscope.prediction import predict, predict_latency
from archscope.prediction.efficiency import efficiencies, written
from archscope.prediction.work import KINDS

DATA = Path(__file__).parents[2] / "reports" / "data" / "latency-cpu-amd-epyc.csv"
LEARNED = find_device("cpu-amd-epyc-1t")


def small():
    return nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 30 * 30, 10))


def trace(**settings):
    return archscope.trace(small().eval(), ((4, 3, 32, 32),), device="cpu", **settings)


def measured(model, batch):
    """Milliseconds of the process on one thread, of the rounds the quickest."""
    with DATA.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == model]
    return min(
        float(row["cpu_ms_p50"])
        for row in rows
        if (row["batch"], row["threads"]) == (str(batch), "1")
    )


@pytest.mark.parametrize("model", ["resnet18", "alexnet", "torchvision:mobilenet_v2"])
def test_what_was_measured_is_predicted(model):
    row = predict_latency(model, device="cpu-amd-epyc-1t").iloc[0]
    assert row.basis == "measured"
    assert row.latency_ms_low < measured(model, 1) < row.latency_ms_high
    assert row.least_ms < row.latency_ms_p50


def test_what_is_shipped_says_where_it_is_from_and_how_wrong_it_is():
    for one in efficiencies():
        assert set(one.kinds) == set(KINDS)
        assert {"title", "torch", "date", "method"} <= set(one.conditions)
        assert one.held_out.families >= 10 and one.held_out.rows >= 60
        assert 0 < one.held_out.median < one.held_out.p90
        assert one.held_out.low < 1 < one.held_out.high


def test_what_is_written_is_read_again():
    assert all(f'"{kind}"' in written(efficiencies()) for kind in KINDS)


def test_no_prediction_for_a_kind_of_device_that_was_never_measured():
    if any(one.device.kind == "gpu" for one in efficiencies()):
        pytest.skip("a GPU was measured")
    found = predict(trace(), find_device("h100"))
    assert (found.seconds, found.low, found.high) == (None, None, None)
    assert found.basis == "least time" and "GPU" in found.remark
    assert found.least > 0


def test_published_peaks_of_a_whole_processor_are_not_those_that_were_learned_against():
    found = predict(trace(), find_device("epyc-9654"))
    assert found.seconds is None and "published peaks" in found.remark


def test_another_dtype_and_training_are_not_predicted():
    found = predict(trace(dtype="bf16"), LEARNED)
    assert found.seconds is None and "bf16" in found.remark
    training = archscope.trace(small(), ((4, 3, 32, 32),), "training", device="cpu")
    assert predict(training, LEARNED).seconds is None


def test_another_device_of_the_kind_has_the_efficiency_transferred_and_says_so():
    twice = replace(
        LEARNED,
        name="cpu",
        title="another",
        peaks={dtype: 2 * rate for dtype, rate in LEARNED.peaks.items()},
        bandwidth=2 * LEARNED.bandwidth,
        cache_bandwidth=2 * LEARNED.cache_bandwidth,
    )
    here, there = predict(trace(), LEARNED), predict(trace(), twice)
    assert there.basis == "transferred" and "not known" in there.remark
    assert here.seconds / 2 < there.seconds < here.seconds  # launches are as slow as before


def test_one_thread_says_nothing_of_three():
    found = predict(trace(), replace(LEARNED, threads=3))
    assert found.seconds is None and "threads" in found.remark


def test_a_prediction_beyond_what_was_measured_says_so():
    found = predict(archscope.trace(nn.ReLU(), ((1, 4),), device="cpu"), LEARNED)
    assert "outside" in found.remark


def test_operators_that_no_measured_network_has_are_not_predicted(monkeypatch):
    module = importlib.import_module("archscope.prediction.predict")
    (first, *_) = efficiencies()
    unseen = {kind: replace(c, families=0) for kind, c in first.kinds.items()}
    monkeypatch.setattr(module, "efficiencies", lambda: (replace(first, kinds=unseen),))
    found = predict(trace(), LEARNED)
    assert found.seconds is None and "100 %" in found.remark


def test_rows_are_by_batch_and_grow():
    frame = predict_latency("resnet18", device="cpu-amd-epyc-1t", batch=[1, 2, 4])
    assert list(frame.batch) == [1, 2, 4]
    assert frame.latency_ms_p50.is_monotonic_increasing
    assert (frame.throughput_per_s * frame.latency_ms_p50 / 1e3).tolist() == pytest.approx(
        [1, 2, 4]
    )


def test_a_module_is_predicted_as_it_is():
    row = predict_latency(small(), ((4, 3, 32, 32),), device=LEARNED).iloc[0]
    assert row.batch == 4
    assert row.latency_ms_p50 == pytest.approx(1e3 * predict(trace(), LEARNED).seconds)


def test_wrong_requests_are_refused():
    with pytest.raises(UnknownName, match="h100"):
        predict_latency("resnet18", device="h101")
    with pytest.raises(InvalidInput, match="batch"):
        predict_latency("resnet18", device=LEARNED, batch=0)
    with pytest.raises(InvalidInput, match="threads"):
        predict_latency("resnet18", device="h100", threads=2)
    assert isinstance(LEARNED, Device)
