"""What ``archscope report --measure`` writes is what the figures of gradients are drawn from."""

from archscope.gallery import measuring
from archscope.gallery.contents import sections
from archscope.gallery.data import read
from archscope.gallery.items import Absent
from archscope.gradients.stored import KINDS, load


def test_measured_gradients_are_files_that_the_report_reads(tmp_path, monkeypatch):
    small = {"PATHS": ("plain20-cifar",), "EFFECTIVE": (), "FLOW": ("plain20-cifar",)}
    for name, networks in {**small, "RECURRENT": ("rnn",)}.items():
        monkeypatch.setattr(measuring, name, networks)
    monkeypatch.setattr(measuring, "_SEEDS", 1)
    told = []
    measuring.measure(tmp_path / "data", told.append)
    assert len(told) == 3
    for kind, model in zip(KINDS, ("plain20-cifar", "plain20-cifar", "rnn"), strict=True):
        (table,) = load(tmp_path / "data" / f"{kind}.json", kind, [model])
        assert table.attrs["date"]
    missing = [
        item.title
        for section in sections(read(tmp_path / "data"))
        for item in section.items
        if isinstance(item, Absent)
    ]
    assert all(title.startswith("Figure ") for title in missing)
