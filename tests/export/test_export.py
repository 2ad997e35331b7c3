"""What other tools read."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

import archscope
from archscope.cli import main
from archscope.errors import InvalidInput
from archscope.export import module_graph, node_data, to_dot, to_svg, trace_events
from archscope.sources import resolve


@pytest.fixture(scope="module")
def resnet18() -> archscope.Trace:
    return archscope.analyze("resnet18").trace


def test_slices_of_a_trace_nest_as_the_modules_do(resnet18) -> None:
    events = [e for e in trace_events(resnet18)["traceEvents"] if e["ph"] == "X"]
    open_slices: list[int] = []
    ordered = sorted(events, key=lambda e: (e["ts"], -e["dur"]))
    for event in ordered:
        while open_slices and open_slices[-1] <= event["ts"]:
            open_slices.pop()
        end = event["ts"] + event["dur"]
        assert not open_slices or end <= open_slices[-1]
        open_slices.append(end)
    whole = next(event for event in ordered if event["cat"] == "module")
    assert whole["args"]["macs"] == resnet18.macs
    operators = [e for e in events if e["cat"] == "forward"]
    assert sum(e["args"]["macs"] for e in operators) == resnet18.macs


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_trace_keeps_to_the_trace_event_format(mode: str) -> None:
    """What the format asks of each kind of event, and whole microseconds: readers round others to
    nanoseconds, and drop slices that overlap by one."""
    document = trace_events(archscope.analyze("vgg16", mode=mode).trace)
    read = json.loads(json.dumps(document, allow_nan=False))
    assert read["displayTimeUnit"] in ("ms", "ns")
    for event in read["traceEvents"]:
        assert isinstance(event["name"], str) and isinstance(event["args"], dict)
        assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            continue
        assert isinstance(event["ts"], int) and event["ts"] >= 0
        if event["ph"] == "X":
            assert isinstance(event["dur"], int) and event["dur"] > 0 and event["cat"]
        else:
            assert event["ph"] == "C"
            assert all(isinstance(value, int) for value in event["args"].values())


def test_a_trace_follows_memory(resnet18) -> None:
    counters = [e for e in trace_events(resnet18)["traceEvents"] if e["ph"] == "C"]
    assert len(counters) == len(resnet18.ops)
    peak = archscope.analyze("resnet18").totals["peak_bytes"]
    assert max(e["args"]["bytes"] for e in counters) == peak


@pytest.mark.parametrize("reference", ["resnet18", "lstm"])
def test_the_overlay_has_every_cost_on_a_node_of_the_exported_graph(reference: str) -> None:
    subject = resolve(reference)
    results = node_data(subject)["graph"]["results"]
    sizes = tuple(torch.empty(spec.shape, device="meta") for spec in subject.inputs)
    program = torch.export.export(subject.model.eval(), sizes)
    assert set(results) <= {node.name for node in program.graph.nodes}
    total = sum(result["value"] for result in results.values())
    assert total == archscope.analyze(reference).totals["macs"]
    with pytest.raises(InvalidInput, match="macs, flops"):
        node_data(subject, "price")


def test_the_graph_has_the_shortcuts_and_every_cost(resnet18) -> None:
    graph = module_graph(resnet18, "layer")
    labels = [node.label for node in graph.nodes]
    edge = (labels.index("conv2_x.0.relu") - 1, labels.index("conv2_x.0.relu"))
    assert edge in graph.edges
    shortcut = (labels.index("pool1") if "pool1" in labels else 4, labels.index("conv2_x.0.add"))
    assert shortcut in graph.edges
    assert sum(node.macs for node in graph.nodes) == resnet18.macs
    assert all(i < j for i, j in graph.edges)


def test_a_large_model_is_folded_to_its_blocks() -> None:
    trace = archscope.analyze("resnet152").trace
    graph = module_graph(trace)
    assert len(graph.nodes) <= 80
    assert sum(node.macs for node in graph.nodes) == trace.macs
    assert sum(node.params for node in graph.nodes) == 60_192_808
    assert len(module_graph(trace, "layer").nodes) > 400


def test_the_drawing_is_well_formed_and_the_dot_quotes_its_labels() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    graph = module_graph(archscope.analyze(model, inputs=(1, 3), name='a "<b>" & c').trace)
    root = ElementTree.fromstring(to_svg(graph))
    boxes = root.findall(".//{http://www.w3.org/2000/svg}g")
    assert len(boxes) == len(graph.nodes) == 3
    dot = to_dot(graph)
    assert '\\"<b>\\"' in dot
    assert "n0 -> n1;" in dot


def test_the_commands_write_files(tmp_path: Path) -> None:
    trace, overlay = tmp_path / "trace.json", tmp_path / "overlay.json"
    svg, dot = tmp_path / "graph.svg", tmp_path / "graph.dot"
    for arguments in (
        ["export", "perfetto", "inception-naive", "--mode", "training", "-o", str(trace)],
        ["export", "model-explorer", "inception-naive", "--cost", "flops", "-o", str(overlay)],
        ["plot", "graph", "inception-naive", "-o", str(svg)],
        ["plot", "graph", "inception-naive", "-o", str(dot)],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    assert json.loads(trace.read_text())["traceEvents"]
    assert json.loads(overlay.read_text())["graph"]["results"]
    assert svg.read_text().startswith("<svg")
    assert dot.read_text().startswith("digraph")
