"""What other tools read: Perfetto and Chrome, model-explorer, Graphviz, and a drawing in SVG."""

from archscope.export.graph import ModuleGraph, module_graph, to_dot, to_svg
from archscope.export.model_explorer import node_data
from archscope.export.perfetto import trace_events

__all__ = ["ModuleGraph", "module_graph", "node_data", "to_dot", "to_svg", "trace_events"]
