"""`python -m benchmarks.gpu`: tests, examples and measurements on a machine with a GPU."""
