"""Energy from counters of known joules."""

import pytest
from fake import Fake, Watts
from torch import nn

import archscope
from archscope.errors import ArchscopeError, InvalidInput
from archscope.measure.energy import Window, busy_windows, columns, energy, idle_window
from archscope.measure.meters import NoMeter, meter_of_cpu
from archscope.report.drawing import draw
from archscope.report.energy import energy_table


def test_known_joules_are_reported_gross_and_net_of_idle():
    device = Fake(())
    meter = Watts(device)
    idle = idle_window(device, meter, 5)
    windows = list(busy_windows(meter.run, device, meter, 5, 3))
    row = columns(windows, idle, batch=4)
    assert idle.power == pytest.approx(10)
    assert [one.runs for one in windows] == [10, 10, 10]
    assert row["power_w"] == pytest.approx(14)  # 10 W, and 2 J every half second
    assert row["energy_mj"] == pytest.approx(1e3 * 7 / 4)  # 7 J a run of 4 samples
    assert row["net_energy_mj"] == pytest.approx(1e3 * 2 / 4)
    assert row["energy_mj_low"] == row["energy_mj_high"] == row["energy_mj"]


def test_a_network_has_a_row_per_batch_size():
    device = Fake(())
    device.each_wait = 0.25
    found = energy("rnn", device=device, batch=[1, 2], seq_len=3)
    assert list(found.batch) == [1, 2] and set(found.status) == {"ok"}
    assert found.power_w.tolist() == pytest.approx([10, 10])  # it counts no runs of the network
    assert found.net_energy_mj.tolist() == pytest.approx([0, 0])
    assert (found.window_s >= 5).all() and set(found.windows) == {3}


def test_a_module_is_measured_as_a_reference_is():
    device = Fake(())
    device.each_wait = 0.25
    model = nn.Linear(4, 4)
    (row,) = energy(model, ((3, 4),), device=device).to_dict("records")
    assert (row["model"], row["batch"], row["status"]) == ("Linear", 3, "ok")
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_the_machine_has_no_memory_for_is_a_row_and_is_not_run():
    device = Fake(())
    device.each_wait, device.memory = 0.25, 6_000_000
    found = energy("resnet20-cifar", device=device, batch=[1024, 1])
    assert list(found.status) == ["out of memory", "ok"]
    caption = " ".join(energy_table(found.to_dict("records")).caption)
    assert "most of 3 windows" in caption


def test_a_remark_stands_below_its_row_and_leaves_the_columns_their_names():
    device = Fake(())
    device.each_wait = 0.25
    rows = energy("rnn", device=device, seq_len=3).to_dict("records")
    rows[0]["disturbed"] = "other processes took 3.4 of 4 CPUs"
    drawn = draw([energy_table(rows)], "plain", data=rows, rows=rows, width=80, colour=False)
    assert "batch  mJ/sample" in drawn and "took 3.4 of 4 CPUs" in " ".join(drawn.split())


def test_a_window_is_never_shorter_than_asked():
    device = Fake(())
    meter = Watts(device)
    assert all(one.seconds >= 5.2 for one in busy_windows(meter.run, device, meter, 5.2, 3))


def test_the_spread_is_that_of_the_windows():
    windows = [Window(10, 5, 10), Window(30, 5, 10), Window(20, 5, 10)]
    row = columns(windows, Window(0, 5, 0), batch=1)
    assert (row["energy_mj_low"], row["energy_mj"], row["energy_mj_high"]) == (1e3, 2e3, 3e3)


class Interrupted(Fake):
    """Ctrl-C at the given second."""

    def __init__(self, at):
        super().__init__(())
        self.each_wait, self.at = 0.25, at

    def wait(self):
        super().wait()
        if self.clock >= self.at:
            self.at = float("inf")
            raise KeyboardInterrupt


def test_an_interrupt_keeps_the_full_windows():
    found = energy("rnn", device=Interrupted(18), batch=[1, 2], seq_len=3)
    assert list(found.status) == ["partial"] and found.windows[0] == 2
    assert found.energy_mj[0] > 0


def test_an_interrupt_between_batch_sizes_keeps_those_before():
    found = energy("rnn", device=Interrupted(27), batch=[1, 2], seq_len=3)
    assert list(found.batch) == [1] and list(found.status) == ["partial"]
    assert found.windows[0] == 3


def test_an_interrupt_before_the_first_window_has_nothing_to_keep():
    with pytest.raises(KeyboardInterrupt):
        energy("rnn", device=Interrupted(7), seq_len=3)


def test_a_counter_that_stands_still_is_refused():
    class Stuck(Watts):
        def joules(self):
            return 7.0

    device = Fake(())
    meter = Stuck(device)
    with pytest.raises(ArchscopeError, match="did not move"):
        list(busy_windows(meter.run, device, meter, 5, 3))


def test_progress_says_which_window_and_how_long():
    device, lines = Fake(()), []
    device.each_wait = 0.25
    energy("rnn", device=device, seq_len=3, progress=lines.append)
    assert "building, then 20 s" in lines[0]
    assert any("window 2 of 3" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "says"), [({"window": 1}, "too short"), ({"repeats": 2}, "3 or more")]
)
def test_what_cannot_be_trusted_is_refused(arguments, says):
    with pytest.raises(InvalidInput, match=says):
        energy("rnn", device=Fake(()), **arguments)


def test_without_a_counter_there_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("archscope.measure.devices.meter_of_cpu", lambda: NoMeter("no counter"))
    with pytest.raises(ArchscopeError, match="cannot be measured here: no counter"):
        archscope.energy("rnn", device="cpu")


def test_rapl_goes_on_where_its_counter_begins_again(tmp_path):
    for name, start in (("intel-rapl:0", 900), ("intel-rapl:1", 0)):
        package = tmp_path / name
        package.mkdir()
        (package / "max_energy_range_uj").write_text("1000\n")
        (package / "energy_uj").write_text(f"{start}\n")
    meter = meter_of_cpu(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("100\n")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("50\n")
    assert meter.joules() == pytest.approx(250e-6)


def test_a_long_window_holds_more_than_the_counter_does(tmp_path):
    """At 1 kW a counter of 65.5 kJ begins again every 65 seconds."""
    device, around = Fake(()), 65_532_610_987
    package = tmp_path / "intel-rapl:0"
    package.mkdir()
    (package / "max_energy_range_uj").write_text(f"{around}\n")

    def counting(seconds=0.0):
        device.clock += seconds
        (package / "energy_uj").write_text(f"{int(1e9 * device.clock) % around}\n")

    counting()
    device.idle = counting
    meter = meter_of_cpu(tmp_path)
    assert idle_window(device, meter, 600).power == pytest.approx(1000)
    one = next(busy_windows(lambda: counting(5), device, meter, 600, 3))
    assert one.power == pytest.approx(1000)


def test_counters_that_cannot_be_read_say_why(tmp_path):
    package = tmp_path / "intel-rapl:0"
    package.mkdir()
    (package / "energy_uj").write_text("0\n")
    with pytest.raises(ArchscopeError, match=r"cannot be read .*max_energy_range_uj"):
        meter_of_cpu(tmp_path).joules()
    (package / "max_energy_range_uj").write_text("1000\n")
    meter = meter_of_cpu(tmp_path)
    (package / "energy_uj").unlink()
    with pytest.raises(ArchscopeError, match="any more"):
        meter.joules()


def test_counters_for_root_only_say_so(tmp_path, monkeypatch):
    (tmp_path / "intel-rapl:0").mkdir()

    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("archscope.measure.meters._number", refused)
    with pytest.raises(ArchscopeError, match="for root only"):
        meter_of_cpu(tmp_path).joules()


def test_parts_of_a_package_and_the_whole_platform_are_not_counted_again(tmp_path):
    for place, name in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:1", "psys"),
    ):
        (tmp_path / place).mkdir()
        (tmp_path / place / "name").write_text(f"{name}\n")
        (tmp_path / place / "max_energy_range_uj").write_text("1000000\n")
        (tmp_path / place / "energy_uj").write_text("0\n")
    meter = meter_of_cpu(tmp_path)
    for path in tmp_path.glob("*/energy_uj"):
        path.write_text("500\n")
    assert meter.joules() == pytest.approx(500e-6)


def test_a_processor_without_counters_says_so(tmp_path):
    with pytest.raises(ArchscopeError, match="RAPL"):
        meter_of_cpu(tmp_path).joules()
