"""Property tests try the same examples in every run, however slow the machine. ``HYPOTHESIS_PROFILE=explore`` tries new ones."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
