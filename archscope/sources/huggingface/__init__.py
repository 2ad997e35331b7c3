"""transformers' models from their configuration alone: no weights, no network."""

from archscope.sources.huggingface.model import configuration, model_inputs, names, resolve

__all__ = ["configuration", "model_inputs", "names", "resolve"]
