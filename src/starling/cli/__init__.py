"""The ``starling`` command: one module per subcommand, nothing heavy imported before it is needed.

``starling --help`` and ``starling version`` answer in a fraction of a second, so the modules here import at their top only what
describes the command line; what does the work is imported inside the command.
"""

from starling.cli.entry import app, main

__all__ = ["app", "main"]
