"""Audio from gateways to recognizers and results back, behind the ports AudioLog and ResultBus."""
