"""Benchmarks against other libraries: `python -m benchmarks`. README.md describes the method."""
