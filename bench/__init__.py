"""Load, latency and accuracy, measured against a running Starling."""
