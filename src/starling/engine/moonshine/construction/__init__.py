"""Graphs rebuilt from the shipped weights. The only place that imports ``onnx``, which is slow to import."""
