"""What `python -m tinytensor COMMAND` runs, one module each."""
