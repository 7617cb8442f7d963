"""Libraries written for PyTorch, unmodified: what they compute here and under PyTorch."""
