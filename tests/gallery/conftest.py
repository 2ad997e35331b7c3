"""A small report: the real sections without most of their items would not be the report's."""

import json

import pytest


@pytest.fixture
def device(tmp_path):
    """The folder of a report with a device that was measured, its numbers made up."""
    data = tmp_path / "small" / "data"
    data.mkdir(parents=True)
    rows = [
        {
            "kind": "latency",
            "model": model,
            "batch": batch,
            "status": "ok",
            "latency_ms_p50": 2.0 * batch + place,
            "throughput_per_s": 1e3 * batch / (2.0 * batch + place),
            "disturbed": "",
        }
        for place, model in enumerate(("alexnet", "resnet18", "lstm"))
        for batch in (1, 4)
    ]
    rows.append(
        {"kind": "energy", "model": "alexnet", "batch": 1, "status": "not measured: no counter"}
    )
    conditions = {
        **{"device": "cpu", "title": "Some CPU", "date": "2026-11-20T10:00:00+00:00"},
        **{"dtype": "fp32", "threads": 1, "torch": "2.13.0"},
    }
    (data / "some-cpu.json").write_text(json.dumps({"conditions": conditions, "rows": rows}))
    return data.parent
