"""Benchmarks frozen into a folder with a digest, and rankers asked on them."""
