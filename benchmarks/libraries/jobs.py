"""Runs one job: models, training steps, and what they compute, with a library.

    python jobs.py NAME RESULT.npz                              under PyTorch
    python -m tinytensor run jobs.py NAME RESULT.npz            under tinytensor

A job returns arrays and numbers. Weights come from NumPy, so that both start equal, and jobs
compute in float64 where the library allows it.
"""

import os
import sys

import numpy as np
import torch

if "tinytensor" not in torch.__version__:
    # The wheel of torchvision on PyPI is built for CUDA. Beside PyTorch for the CPU its operators
    # are not loaded, and it is imported only if they are declared.
    for _name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{_name}",
                             "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", OMP_NUM_THREADS="1", MPLBACKEND="Agg")

import jobs_language
import jobs_measures
import jobs_probability
import jobs_training
import jobs_vision
from jobs_tools import plain

FILES = (jobs_language, jobs_measures, jobs_probability, jobs_training, jobs_vision)

if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    (job,) = (vars(file)[sys.argv[1]] for file in FILES if sys.argv[1] in vars(file))
    np.savez(sys.argv[2], *map(plain, job()))
