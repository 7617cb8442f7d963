"""Benchmarks against the peers: `python -m benchmarks`. See README.md beside this file."""
