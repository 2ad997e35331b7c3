"""From tables of measured latencies to what is shipped."""

import csv
import json

import pytest

from archscope.devices import find_device
from archscope.errors import ArchscopeError
from benchmarks import prediction_fit, prediction_measure
from benchmarks.prediction_fit import learn
from benchmarks.prediction_measure import COLUMNS, Plan
from benchmarks.prediction_networks import NETWORKS
from benchmarks.prediction_report import reported

SMALL = {
    "resnet-cifar": ("resnet20-cifar", "plain20-cifar"),
    "squeezenet": ("torchvision:squeezenet1_1",),
    "recurrent": ("lstm", "gru"),
}
CEILINGS = {
    "device": "cpu",
    "title": "A processor",
    "threads": 1,
    "date": "2026-11-23T00:00:00+00:00",
    "torch": "2.13",
    "tflops": {"fp32": 0.25},
    "bandwidth_gb_s": 40.0,
    "cache_gb_s": 200.0,
    "cache_bytes": 1 << 25,
}


def rows(threads, **columns):
    found = []
    for family, models in SMALL.items():
        for at, model in enumerate(models):
            found.append(
                {
                    **dict.fromkeys(COLUMNS),
                    "round": 1,
                    "family": family,
                    "model": model,
                    "batch": 1,
                    "threads": threads,
                    "status": "ok",
                    "latency_ms_p50": 2.0 + at,
                    "cpu_ms_p50": 1.0 + at,
                    "busy": 1.0,
                    **columns,
                }
            )
    return found


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_fit, "DATA", tmp_path)

    def write(name, lines, **about):
        path = tmp_path / f"latency-{name}.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(lines)
        facts = {
            "device": "cpu",
            "title": "A processor",
            "processor": "A processor (family 1)",
            "method": "made up",
            "environment": {"torch": "2.13", "system": "none"},
            "ceilings": [CEILINGS],
            **about,
        }
        path.with_suffix(".json").write_text(json.dumps(facts))

    return write


def learned():
    return learn(lambda _: None)


def test_every_network_is_in_one_family():
    models = [model for family in NETWORKS.values() for model in family]
    assert len(models) == len(set(models)) >= 60
    assert {"vgg16", "torchvision:vgg16_bn"} <= set(NETWORKS["vgg"])


def test_on_one_thread_the_process_s_time_counts_and_the_quickest_round(table):
    again = [{**row, "round": 2, "cpu_ms_p50": row["cpu_ms_p50"] / 2} for row in rows(1)]
    table("cpu-some", rows(1) + again)
    (one,) = learned()
    assert one.efficiency.device.name == "cpu-some-1t"
    assert "1 thread" in one.efficiency.device.title
    assert {latency.seconds for latency in one.latencies} == {0.5e-3, 1e-3}
    assert {latency.rounds for latency in one.latencies} == {2}
    assert one.efficiency.held_out.families == 3


def test_on_two_threads_disturbed_rows_are_not_used(table):
    disturbed = [{**row, "round": 2, "busy": 0.5, "latency_ms_p50": 0.1} for row in rows(2)]
    table("cpu-some", rows(2) + disturbed, ceilings=[{**CEILINGS, "threads": 2}])
    (one,) = learned()
    assert one.disturbed == 5
    assert min(latency.seconds for latency in one.latencies) == 2e-3


def test_a_gpu_is_learned_against_its_card(table):
    ceilings = {**CEILINGS, "device": "cuda:0", "title": "NVIDIA H100 80GB HBM3", "threads": None}
    about = {"device": "cuda:0", "title": ceilings["title"], "processor": ceilings["title"]}
    table("h100", rows(None, cpu_ms_p50=None, busy=None), ceilings=[ceilings], **about)
    (one,) = learned()
    assert one.efficiency.device == find_device("h100")


def test_failed_rows_are_not_used(table):
    table("cpu-some", [*rows(1), {**rows(1)[0], "model": "rnn", "status": "out of memory"}])
    (one,) = learned()
    assert "rnn" not in {latency.model for latency in one.latencies}


def test_the_page_has_every_family_and_its_conditions(table):
    table("cpu-some", rows(1))
    page = reported(learned())
    assert all(f"| {family} |" in page for family in SMALL)
    assert "A processor (family 1), 1 thread" in page and "torch 2.13" in page


def test_rounds_are_apart_in_the_plan_and_what_is_done_is_not_done_again():
    plan = Plan(threads=(1, 2), batches=(1,), rounds=2)
    turns = [turn for turn, *_ in plan.cells()]
    assert turns == sorted(turns)
    row = {"round": "1", "family": "nin", "model": "nin", "batch": "1", "threads": ""}
    assert prediction_measure._cell(row) == ("1", "nin", "nin", "1", "None")


def test_a_network_that_fails_is_a_row_and_time_that_is_up_ends_it(tmp_path, monkeypatch):
    def refused(model, **how):
        raise ArchscopeError("it does not run here")

    monkeypatch.setattr(prediction_measure, "latency", refused)
    monkeypatch.setattr(prediction_measure, "_calibrate", lambda *given: None)
    monkeypatch.setattr(prediction_measure, "NETWORKS", {"one": ("nin-bn", "vgg11")})
    monkeypatch.setattr(prediction_measure, "UNSEEN", ("timm:dla34",))
    plan, lines = Plan(threads=(1,), batches=(1,), rounds=1), []
    found = prediction_measure.measure("x", "cpu", plan, lines.append, tmp_path)
    rows = prediction_measure.read(found)
    assert [row["model"] for row in rows] == ["nin-bn", "vgg11", "timm:dla34"]
    assert len(lines) == 3
    assert {row["status"] for row in rows} == {"it does not run here"}
    found.unlink()
    prediction_measure.measure("x", "cpu", plan, lines.append, tmp_path, budget=-1)
    assert prediction_measure.read(found) == [] and lines[-1].startswith("no time for")
