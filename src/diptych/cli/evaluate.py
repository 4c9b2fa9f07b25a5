"""``diptych evaluate``: judge a model on queries with candidate lists."""

from __future__ import annotations


def evaluate_command() -> None:
    """Measure how well a model ranks candidate structures."""
