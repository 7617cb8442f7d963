"""`as_torch` and the command `run`: programs that import torch get tinytensor.

PyTorch is imported in the process of the tests, so the programs run in processes of their own. A
folder in front of the others on their path hides that PyTorch is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinytensor

ROOT = Path(__file__).parent.parent


def python(*arguments, cwd=ROOT):
    """What a new process of Python prints, its errors, and its exit status."""
    answer = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    return answer.stdout, answer.stderr, answer.returncode


def printed(*arguments):
    out, errors, status = python(*arguments)
    assert status == 0, errors
    return out.splitlines()


PROGRAM = '''
import importlib.metadata
import pickle
import sys

import torch
import torch.multiprocessing as mp
import torch.nn as nn
import torch.utils._pytree as pytree
from torch import Tensor, optim
from torch.nn.modules.conv import _ConvNd
from torch.nn.parallel.distributed import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset


class Numbers(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        import torch

        return torch.tensor(i), torch.__version__


def main():
    import tinytensor

    print(torch.__version__, importlib.metadata.version("torch"), torch.version.cuda)
    print("1.9" <= torch.__version__ < "3", torch.__version__ > "2.9", torch.__version__ > (2, 13))
    print(Tensor.__module__, nn.Parameter.__module__, torch.float32, torch.ones(2, 3).shape,
          torch.ones(1).type())
    print(nn is torch.nn, nn is tinytensor.nn, nn.__spec__.name, sys.argv)
    print(pickle.loads(pickle.dumps([torch.ones(2), nn.Linear(1, 1), torch.float32])))
    loader = DataLoader(Numbers(), 2, num_workers=1)
    print([batch.tolist() for batch, _ in loader], next(iter(loader))[1])


if __name__ == "__main__":
    main()
'''


def test_a_program_that_imports_torch_runs(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    lines = printed("-m", "tinytensor", "run", program, "--epochs", "3")
    assert lines == [
        "2.13.0+tinytensor 2.13.0+tinytensor None",
        "True True False",
        "torch torch.nn.parameter torch.float32 torch.Size([2, 3]) torch.FloatTensor",
        f"True True tinytensor.nn ['{program}', '--epochs', '3']",
        "[tensor([1., 1.]), Linear(in_features=1, out_features=1, bias=True), torch.float32]",
        "[[0, 1], [2, 3]] ('2.13.0+tinytensor', '2.13.0+tinytensor')"]


def test_a_module_runs_as_a_program(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "train.py").write_text("import sys, torch; print(torch.__version__, sys.argv[1:])")
    out, errors, status = python("-m", "tinytensor", "run", "-m", "package.train", "-x",
                                 cwd=tmp_path)
    assert (out, status) == ("2.13.0+tinytensor ['-x']\n", 0), errors


def test_the_traceback_begins_in_the_program_and_says_what_is_absent(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("def f():\n    import torch.sparse.mm\n\nf()\n")
    _, errors, status = python("-m", "tinytensor", "run", program)
    lines = errors.splitlines()
    assert status == 1
    assert lines[1].strip() == f'File "{program}", line 4, in <module>'
    assert "ModuleNotFoundError: No module named 'torch.sparse'" in lines
    assert lines[-1].startswith("torch.sparse is left out on purpose: sparse and nested layouts")

    for text, expected in (
            ("from torch.optim import SparseAdam", ["SparseAdam is left out on purpose:"]),
            ("import torch\nprint(", [f'File "{program}", line 2', "SyntaxError"])):
        program.write_text(text)
        errors = python("-m", "tinytensor", "run", program)[1]
        assert all(part in errors for part in expected) and "commands" not in errors

    program.write_text("import sys\nsys.exit(7)\n")
    assert python("-m", "tinytensor", "run", program)[2] == 7
    assert python("-m", "tinytensor", "run", tmp_path / "none.py") == (
        "", f"run: {tmp_path / 'none.py'} cannot be read: No such file or directory\n", 1)


def test_as_torch_is_a_context():
    code = """
import sys, tinytensor
with tinytensor.as_torch() as torch:
    import torch as other
    import torch.jit, torch.nn.functional as F
    assert other is torch and F is tinytensor.nn.functional
    with tinytensor.as_torch():
        pass
    assert "torch" in sys.modules
    for absent in ("view_as_real", "randnn"):
        try:
            getattr(torch, absent)
        except AttributeError as error:
            print(error)
    from torch.ao.quantization import QuantStub
    import torch._inductor.config as config
    for refused in (QuantStub, torch.complex, config.patch):
        try:
            refused()
        except RuntimeError as error:
            print(error)
print([name for name in sys.modules if name.partition(".")[0] == "torch"], tinytensor.float32,
      tinytensor.Tensor.__module__)
"""
    assert printed("-c", code) == [
        "torch has no 'view_as_real', on purpose: complex numbers would put conjugates into most "
        "derivative rules",
        "torch has no 'randnn'; close to it: randn, rand, randint",
        "torch.ao.quantization.QuantStub is left out on purpose: quantised arithmetic is not for "
        "training",
        "torch.complex is left out on purpose: complex numbers would put conjugates into most "
        "derivative rules",
        "torch._inductor.config.patch is left out on purpose: programs are run as they are "
        "written, nothing is compiled or traced",
        "[] tinytensor.float32 tinytensor.tensors.tensor"]


def test_as_torch_refuses_beside_pytorch():
    import torch

    with pytest.raises(RuntimeError, match="as_torch: PyTorch is imported already"):
        tinytensor.as_torch()
    assert sys.modules["torch"] is torch and repr(tinytensor.float32) == "tinytensor.float32"


def test_modules_that_adapt_are_there_under_the_own_name_too():
    code = """
import sys, tinytensor
print([name for name in sys.modules if "compat.modules." in name])
import tinytensor.jit
from tinytensor.utils._pytree import tree_map
print(tinytensor.jit.is_scripting(), tree_map(abs, {"a": [-1, (-2,)]}), tinytensor.hub.get_dir())
"""
    shown = printed("-c", code)
    assert shown[0] == "[]"
    assert shown[1].startswith("False {'a': [1, (2,)]} ")


def test_what_libraries_ask_of_modules_that_cannot_work():
    out = printed("-c", """
import tinytensor
tinytensor.as_torch()
import torch
import torch._inductor.config
from torch._subclasses.fake_tensor import FakeTensor
from torch.distributed import rpc
from torch.fx.experimental.proxy_tensor import get_proxy_mode
torch._inductor.config.fallback_random = True
print(rpc.is_available(), hasattr(rpc, "api"), get_proxy_mode(),
      isinstance(torch.ones(1), FakeTensor), torch._subclasses.FakeTensor is not None,
      torch.torch.Tensor is torch.Tensor)
""")
    assert out == ["False False None False True True"]
