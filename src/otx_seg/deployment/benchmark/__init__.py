"""Models measured side by side: each in a process of its own, only one of them working at a time."""

DEFAULT_SECONDS = 4.0
"""How long each model is measured."""
