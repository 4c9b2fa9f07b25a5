"""Towers that learn from structures alone, before they meet a spectrum."""
