"""The CPU: which of PyTorch's kernels would run."""


def get_cpu_capability() -> str:
    """"DEFAULT": PyTorch's kernels for AVX2 and AVX512 are not there."""
    return "DEFAULT"
