"""Predicted latency: what a run asks of a device, and how much of its roof such work reaches."""

from archscope.prediction.predict import Prediction, predict, predict_latency

__all__ = ["Prediction", "predict", "predict_latency"]
