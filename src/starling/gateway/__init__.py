"""Where clients meet Starling: HTTP and WebSocket in, records of the audio log out. It never imports an engine."""
