"""Towers from structures to vectors: fingerprints, graphs, SMILES."""
