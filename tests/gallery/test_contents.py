"""What the report says of what was measured, and of what was not."""

import json

import pytest

from archscope.errors import InvalidInput
from archscope.gallery.contents import sections
from archscope.gallery.data import read
from archscope.gallery.items import Absent, Picture, shown
from archscope.gallery.page import _anchor


def items(root):
    return [item for section in sections(read(root / "data")) for item in section.items]


def absent(root):
    return {item.title: item.reason for item in items(root) if isinstance(item, Absent)}


def test_without_data_every_measured_figure_is_said_to_be_missing(tmp_path):
    titles = absent(tmp_path)
    assert {title.partition(":")[0] for title in titles} >= {
        *("Figure 3", "Figure 4", "Figure 7", "Figure 8", "Figure 9"),
        *("The gradient at every layer", "Paths, and the gradient along them"),
    }
    assert not any("--measured" in item.words for item in items(tmp_path) if is_picture(item))


def test_a_device_has_figures_of_what_it_measured_and_the_reason_for_the_rest(device):
    found = {item.name: shown(item, "small") for item in items(device) if is_picture(item)}
    assert found["some-cpu-time-vs-batch"] == (
        "archscope plot time-vs-batch alexnet resnet18 --measured small/data/some-cpu.json "
        "-o small/figures/some-cpu-time-vs-batch.svg"
    )
    assert "some-cpu-power-vs-batch" not in found
    assert absent(device)["Figure 4: power over the batch"] == "no counter"


def test_every_device_has_its_own_section(device):
    content = json.loads((device / "data" / "some-cpu.json").read_text())
    content["conditions"]["title"] = "Other GPU"
    (device / "data" / "other-gpu.json").write_text(json.dumps(content))
    titles = [section.title for section in sections(read(device / "data"))]
    assert [title.rpartition(", ")[2] for title in titles if "measured" in title] == [
        "Other GPU",
        "Some CPU",
    ]


def test_figures_have_files_of_their_own(device):
    files = [item.file for item in items(device) if is_picture(item)]
    assert len(files) == len(set(files))


def test_data_that_cannot_be_read_is_refused_in_one_line(device):
    (device / "data" / "broken.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"broken\.json cannot be read"):
        read(device / "data")


def test_an_anchor_is_as_github_makes_it():
    assert _anchor("Canziani's ten figures: what is measured, AMD EPYC") == (
        "canzianis-ten-figures-what-is-measured-amd-epyc"
    )


def is_picture(item):
    return isinstance(item, Picture)


def test_a_table_of_whole_zoos_is_shown_where_it_has_conditions(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "zoo-study.csv.gz").write_bytes(b"")
    assert "torchvision and timm" not in " ".join(s.title for s in sections(read(data)))
    content = {"kind": "times", "networks": 1492, "about": {"device": "Some CPU", "threads": 1}}
    (data / "zoo-study.json").write_text(json.dumps(content))
    measured = read(data)
    assert measured.about["zoo-study.json"] == "times, 1,492 networks, Some CPU, 1 thread"
    (section,) = [s for s in sections(measured) if s.title == "All of torchvision and timm"]
    explore = shown(section.items[-1], "report")
    assert explore == "archscope explore --from report/data/zoo-study.csv.gz -o zoos.html"
