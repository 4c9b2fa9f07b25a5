"""Towers from spectra to vectors, each with its batch and its featurisation."""
