"""What Starling says about itself: numbers (``metrics``), readiness (``health``) and events (``logs``); and its ``clock``."""
