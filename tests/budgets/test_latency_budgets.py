"""A bound on the latency, held on a device whose times are known."""

import json
from itertools import cycle, repeat

import pytest
import torch
from fake import Fake
from torch import nn

from archscope.budgets import latency
from archscope.budgets.configuration import bound_named, read_budgets
from archscope.cli import main
from archscope.errors import ArchscopeError, InvalidInput
from archscope.testing import assert_cost

MODEL = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))


@pytest.fixture(autouse=True)
def known_layers(monkeypatch):
    """The profiler needs a real device."""
    spent = {"0": 0.5, "1": 1.25, "(outside modules)": 0.0}
    monkeypatch.setattr(latency, "time_of_layers", lambda workload: spent)


def assert_latency(bound, seconds, **settings):
    return assert_cost(MODEL, (1, 4), latency_ms=bound, device=Fake(seconds), **settings)


def test_a_latency_within_its_bound_is_kept():
    assert assert_latency("<=2", repeat(0.004)).totals["macs"] == 32
    assert_latency(">=2", repeat(0.004))
    assert_latency("<2.001", repeat(0.004), params="==40")


def test_a_latency_over_its_bound_says_by_how_much_and_where():
    with pytest.raises(AssertionError) as caught:
        assert_latency("<=1.6", repeat(0.004))
    assert (
        "latency_ms <= 1.6 ms is missed by 0.4 ms (25.0 %): 2 ms (upper end of the 95 % interval, "
        "median 2 ms on cuda:0); most in 1 1.25 ms, 0 0.5 ms"
    ) in str(caught.value)


def test_the_worse_end_of_the_interval_counts():
    moody = [*repeat(0.020, 100), *repeat(0.024, 100)]  # longer than the turn of a build
    with pytest.raises(AssertionError, match=r": 12 ms \(upper end .* median"):
        assert_latency("<=11.5", cycle(moody))
    with pytest.raises(AssertionError, match=r": 10 ms \(lower end"):
        assert_latency(">=10.5", cycle(moody))
    assert_latency("<=12", cycle(moody))


def test_a_measurement_is_never_exact():
    with pytest.raises(InvalidInput, match="latency_ms='<=2'"):
        assert_latency("==2", repeat(0.004))


def test_what_could_not_be_measured_is_an_error_and_not_kept():
    with pytest.raises(ArchscopeError, match="was not measured: out of memory"):
        assert_latency("<=2", [MemoryError()])


def test_keyword_inputs_stand_beside_others():
    class Scales(nn.Linear):
        def forward(self, x, *, scale):
            return super().forward(x) * scale

    settings = {"kwargs": {"scale": torch.ones(1)}, "device": Fake(repeat(0.004))}
    assert_cost(Scales(4, 4), (1, 4), latency_ms="<=2", **settings)
    assert_cost(Scales(4, 4), input=(4,), batch=2, latency_ms="<=2", **settings)


def test_nothing_is_measured_unless_asked():
    assert_cost(MODEL, (1, 4), macs="==32", device=Fake([AssertionError("it ran")]))


@pytest.mark.parametrize("limit", ["15", "15ms", "15 ms", 15])
def test_a_limit_is_in_milliseconds(limit):
    assert bound_named("max-latency-ms", limit).limit == 15


@pytest.mark.parametrize("limit", ["15M", "15MiB", "15s"])
def test_another_unit_is_refused(limit):
    with pytest.raises(InvalidInput, match=r"max-latency-ms: .* write 15"):
        bound_named("max-latency-ms", limit)


def test_check_measures_on_the_cpu(capsys, monkeypatch):
    monkeypatch.setattr(latency, "_SECONDS", 0.2)
    with pytest.raises(SystemExit) as ended:
        main(["check", "rnn", "--seq-len", "2", "--max-latency-ms", "1e-6", "--format", "json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert row["value"] > 1e-6 and not row["kept"]
    assert "most in" in row["message"] and "on cpu" in row["message"]


def test_a_project_says_where_to_measure(tmp_path):
    file = tmp_path / "pyproject.toml"
    file.write_text(
        "[tool.archscope.budgets.nin]\nmax-latency-ms = 15\ndevice = 'cuda:1'\n"
        "[tool.archscope.budgets.vgg16]\nmax-macs = '16G'\n"
    )
    timed, derived = read_budgets(file)
    assert (timed.device, timed.is_measured, derived.is_measured) == ("cuda:1", True, False)
    file.write_text("[tool.archscope.budgets.nin]\nmax-macs = '1G'\ndevice = 'cpu'\n")
    with pytest.raises(InvalidInput, match="no max-latency-ms"):
        read_budgets(file)


@pytest.mark.parametrize("arguments", [["--max-macs", "1G", "--device", "cpu"], ["--batch", "2"]])
def test_options_without_their_bound_are_refused(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(["check", "nin", *arguments])
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""
