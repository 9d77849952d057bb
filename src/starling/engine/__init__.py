"""Engines: what turns the samples of one utterance into text, behind ``starling.core.ports.Engine``.

``scripted`` is the deterministic twin without a model; ``moonshine`` is the embedded model.
"""
