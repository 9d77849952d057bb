"""Which utterances are decoded next, and together."""
