"""Audio from gateways to recognizers, results back, and what both know of sessions and load: behind the ports of ``core``."""
