"""Protocols beyond a ranked list: library search, few-shot, robustness, whole libraries, absent answers."""
