"""Every number Starling counts, declared once, by what it is about. ``docs/metrics.md`` is written from these classes."""
