"""The sequence examples: models equal to PyTorch's, caches, sampling, the text.

The modules are imported from their folder, as the examples import each other.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import itertools
import json
import math
import sys
import types
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

import tinytensor as tt
from tinytensor import optim
from tinytensor.utils import resume

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))
support = importlib.import_module("support")
trainer = importlib.import_module("trainer")
text = importlib.import_module("text")
rnn = importlib.import_module("05_char_rnn")
gpt = importlib.import_module("06_gpt")
scalar_gpt = importlib.import_module("10_scalar_gpt")
sys.path.remove(str(EXAMPLES))

VOCABULARY, CONTEXT = 11, 8
CONFIG = gpt.Config(VOCABULARY, context=CONTEXT, layers=2, heads=2, width=12)
TOLERANCE = 1e-9  # relative


@pytest.fixture(autouse=True)
def _seeded() -> None:
    tt.manual_seed(0)


def indices(*shape: int, seed: int = 0, vocabulary: int = VOCABULARY) -> Any:
    return numpy.random.default_rng(seed).integers(0, vocabulary, shape)


def trained(model: Any) -> Any:
    """Gives the model large random weights, like those of a trained model."""
    rng = numpy.random.default_rng(1)
    with tt.no_grad():
        for p in model.parameters():
            p += tt.tensor(rng.normal(0, 0.3, tuple(p.shape)), dtype=p.dtype)
    return model


# ---------------------------------------------------------------- the models in PyTorch


class TorchAttention(torch.nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = torch.nn.Linear(width, 3 * width)
        self.project = torch.nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        """Attention by its definition: scores, mask, softmax."""
        n, t, width = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.mT / math.sqrt(width / self.heads)
        scores = scores.masked_fill(torch.ones(t, t).triu(1) > 0, -math.inf)
        return self.project((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, width))


class TorchBlock(torch.nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.attention = TorchAttention(width, heads)
        self.expand = torch.nn.Linear(width, 4 * width)
        self.project = torch.nn.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        inner = torch.nn.functional.gelu(self.expand(self.norm2(x)), approximate="tanh")
        return x + self.project(inner)


class TorchGPT(torch.nn.Module):
    def __init__(self, config: Any):
        super().__init__()
        self.tokens = torch.nn.Embedding(config.vocabulary, config.width)
        self.positions = torch.nn.Embedding(config.context, config.width)
        self.blocks = torch.nn.ModuleList(
            TorchBlock(config.width, config.heads) for _ in range(config.layers))
        self.norm = torch.nn.LayerNorm(config.width)
        self.head = torch.nn.Linear(config.width, config.vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Any) -> Any:
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class TorchCharRNN(torch.nn.Module):
    def __init__(self, cell: str, vocabulary: int, width: int, layers: int):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.rnn = getattr(torch.nn, cell.upper())(width, width, layers, batch_first=True)
        self.head = torch.nn.Linear(width, vocabulary)

    def forward(self, ids: Any, state: Any) -> Any:
        hidden, state = self.rnn(self.embedding(ids), state)
        return self.head(hidden), state


def twin_of(model: Any, twin: Any) -> Any:
    """Copies the model's weights to the PyTorch module, in float64."""
    state = {k: torch.tensor(v.numpy()) for k, v in model.state_dict().items()}
    twin.double().load_state_dict(state)
    return twin


def assert_close(mine: Any, theirs: Any, what: str = "") -> None:
    a, b = (numpy.asarray(x.detach() if hasattr(x, "detach") else x) for x in (mine, theirs))
    numpy.testing.assert_allclose(a, b, TOLERANCE, TOLERANCE * abs(b).max(), err_msg=what)


def test_gpt_equals_pytorchs():
    model = trained(gpt.GPT(CONFIG).double())
    twin = twin_of(model, TorchGPT(CONFIG))
    ids, targets = indices(3, CONTEXT), indices(3, CONTEXT, seed=1)
    assert_close(model(tt.tensor(ids)), twin(torch.tensor(ids)))
    gpt.loss_of(model, tt.tensor(ids), tt.tensor(targets)).backward()
    torch.nn.functional.cross_entropy(
        twin(torch.tensor(ids)).flatten(0, 1), torch.tensor(targets).flatten()).backward()
    grads = dict(twin.named_parameters())
    for name, p in model.named_parameters():
        assert_close(p.grad, grads[name].grad, name)


def test_gpt_trains_as_in_pytorch():
    """The losses of eight steps with parameter groups, warm-up, clipping and tied weights."""
    model = gpt.GPT(CONFIG).double()
    twin = twin_of(model, TorchGPT(CONFIG))
    mine = gpt.optimizer_for(model, 0.02)
    matrices = [p for p in twin.parameters() if p.dim() > 1]
    theirs = torch.optim.AdamW([
        {"params": matrices, "weight_decay": 0.1},
        {"params": [p for p in twin.parameters() if p.dim() == 1], "weight_decay": 0.0}],
        lr=0.02, betas=(0.9, 0.95))
    rates = [0.01, 0.02, *(0.011 + 0.009 * math.cos(math.pi * i / 6) for i in range(6))]
    scheduler = optim.lr_scheduler.LambdaLR(mine, lambda step: gpt.schedule(step, 8, 2))
    for step, rate in enumerate(rates):
        ids, targets = indices(4, CONTEXT, seed=step), indices(4, CONTEXT, seed=step + 50)
        loss = gpt.loss_of(model, tt.tensor(ids), tt.tensor(targets))
        reference = torch.nn.functional.cross_entropy(
            twin(torch.tensor(ids)).flatten(0, 1), torch.tensor(targets).flatten())
        assert loss.item() == pytest.approx(reference.item(), rel=TOLERANCE), step
        for lib, optimizer, module, value in ((tt, mine, model, loss),
                                              (torch, theirs, twin, reference)):
            optimizer.zero_grad()
            value.backward()
            lib.nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        for group in theirs.param_groups:
            group["lr"] = rate
        mine.step()
        theirs.step()
        scheduler.step()
    assert loss.item() < 2.6  # a uniform guess costs ln 11 = 2.4


def test_the_schedule_rises_and_falls():
    factors = [gpt.schedule(step, 100, 10) for step in range(101)]
    assert factors[:10] == [i / 10 for i in range(1, 11)]
    assert factors[10] == 1.0 and factors[100] == pytest.approx(0.1)
    assert all(a > b for a, b in itertools.pairwise(factors[10:]))
    assert gpt.schedule(0, 1, 1) == 1.0


def test_how_the_weights_of_a_gpt_begin():
    model = gpt.GPT(gpt.Config(60, context=20, layers=8, heads=5, width=50))
    assert model.head.weight is model.tokens.weight
    for name, p in model.named_parameters():
        values = p.numpy(force=True)
        std = 0.1 / 4 if name.endswith("project.weight") else 0.1  # 1 / √(2 · 50), 8 layers
        if "norm" in name or name.endswith("bias"):
            assert (values == float(name.endswith("weight"))).all(), name
        else:
            assert abs(values.std() / std - 1) < 0.1, name


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_char_rnn_trains_as_in_pytorch(cell):
    """The losses of five windows, with the state carried from window to window."""
    model = rnn.CharRNN(cell, VOCABULARY, width=6, layers=2).double()
    twin = twin_of(model, TorchCharRNN(cell, VOCABULARY, 6, 2))
    mine = optim.Adam(model.parameters(), lr=0.03)
    theirs = torch.optim.Adam(twin.parameters(), lr=0.03)
    ids = indices(3 * 20 + 1)
    strips = rnn.Strips(tt.tensor(ids), 3, 4)
    rows, targets = (torch.tensor(x.reshape(3, 20)) for x in (ids[:-1], ids[1:]))
    state = None
    for step in range(5):
        x, y = strips.next()
        logits, mine_state = model(x, strips.state)
        loss = rnn.loss_of(logits, y)
        place = slice(4 * step, 4 * step + 4)
        expected, state = twin(rows[:, place], state)
        state = tuple(s.detach() for s in state) if cell == "lstm" else state.detach()
        reference = torch.nn.functional.cross_entropy(
            expected.flatten(0, 1), targets[:, place].flatten())
        assert_close(logits, expected)
        assert loss.item() == pytest.approx(reference.item(), rel=TOLERANCE)
        strips.state = rnn.detached(mine_state)
        for optimizer, value in ((mine, loss), (theirs, reference)):
            optimizer.zero_grad()
            value.backward()
            optimizer.step()


def on_pytorch(name: str, monkeypatch: Any) -> Any:
    """The example's own source, with its imports changed to PyTorch's."""
    source = (EXAMPLES / f"{name}.py").read_text()
    source = source.replace("import tinytensor as tt", "import torch as tt")
    module: Any = types.ModuleType(f"{name}_on_pytorch")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look it up
    exec(compile(source.replace("from tinytensor", "from torch"), name, "exec"), vars(module))
    return module


def test_the_examples_text_runs_on_pytorch(monkeypatch):
    drawing, their_gpt, their_rnn = (
        on_pytorch(name, monkeypatch) for name in ("text", "06_gpt", "05_char_rnn"))
    their_gpt.text = drawing
    ids = indices(200)
    mine, theirs = tt.tensor(ids), torch.tensor(ids)

    model = trained(gpt.GPT(CONFIG).double())
    twin = twin_of(model, their_gpt.GPT(their_gpt.Config(**dataclasses.asdict(CONFIG))))
    assert gpt.evaluate(model, mine, 3) == pytest.approx(their_gpt.evaluate(twin, theirs, 3), 1e-9)
    best = [module.generate(m, x[None, :3], 20, top_k=1).tolist()
            for module, m, x in ((gpt, model, mine), (their_gpt, twin, theirs))]
    assert best[0] == best[1]

    network = trained(rnn.CharRNN("lstm", VOCABULARY, 6, 1).double())
    twin = twin_of(network, their_rnn.CharRNN("lstm", VOCABULARY, 6, 1))
    losses = [module.evaluate(m, module.Strips(x, 3, 4))
              for module, m, x in ((rnn, network, mine), (their_rnn, twin, theirs))]
    assert losses[0] == pytest.approx(losses[1], 1e-9)

    rows = numpy.random.default_rng(0).normal(size=(4, 9))
    for restrictions in ({"top_k": 3}, {"top_p": 0.7}, {"temperature": 0.5, "top_p": 0.5}):
        assert_close(text.restrict(tt.tensor(rows), **restrictions).softmax(-1),
                     drawing.restrict(torch.tensor(rows), **restrictions).softmax(-1))


# ---------------------------------------------------------------- the cache


@pytest.mark.parametrize("pieces", [[8], [1] * 8, [3, 1, 4], [2, 6], [5, 1, 1]])
def test_reading_in_pieces_gives_the_same_logits(pieces):
    model = trained(gpt.GPT(CONFIG).double()).eval()
    ids = tt.tensor(indices(3, sum(pieces)))
    with tt.no_grad():
        whole, caches = model(ids), model.caches(3)
        read = [model(piece, caches) for piece in ids.split(pieces, dim=1)]
    assert_close(tt.cat(read, dim=1), whole)
    assert caches[0].length == sum(pieces)


@pytest.mark.parametrize("length", [3, 30])  # 30: several times the context
@pytest.mark.parametrize("context", [1, 2, CONTEXT])
def test_writing_with_and_without_the_cache_gives_the_same(length, context):
    model = trained(gpt.GPT(dataclasses.replace(CONFIG, context=context)).double())
    ids = tt.tensor(indices(2, 12 if length == 30 else 1))
    texts = []
    for cached in (True, False):
        tt.manual_seed(3)
        texts.append(gpt.generate(model, ids, length, cached, temperature=5.0).tolist())
    assert texts[0] == texts[1]
    assert len(texts[0][0]) == ids.shape[1] + length
    assert length < 30 or len(set(texts[0][0][12:])) > 2  # the text varies
    assert [row[:ids.shape[1]] for row in texts[0]] == ids.tolist()


def test_with_the_cache_each_position_is_computed_once():
    model = gpt.GPT(CONFIG)
    seen: dict[bool, list[int]] = {True: [], False: []}
    for cached in (True, False):
        handle = model.blocks[0].register_forward_pre_hook(
            lambda module, inputs, to=seen[cached]: to.append(inputs[0].shape[1]))
        gpt.generate(model, tt.tensor(indices(2, 3)), 9, cached)
        handle.remove()
    # 3 to 8 positions fit into the context. Then the last half context is read again.
    assert seen[True] == [3, 1, 1, 1, 1, 1, 4, 1, 1]
    assert seen[False] == [3, 4, 5, 6, 7, 8, 4, 5, 6]


def test_writing_leaves_the_model_in_training_mode_and_records_nothing():
    model = gpt.GPT(dataclasses.replace(CONFIG, dropout=0.5))
    out = gpt.generate(model, tt.tensor(indices(1, 2)), 2)
    assert model.training and not out.requires_grad
    caches = model.caches(1)
    with pytest.raises(ValueError, match="9 positions, but its context is 8"):
        model(tt.tensor(indices(1, 9)), caches)
    assert caches[0].length == 0


def test_greedy_text_of_the_rnn_is_the_argmax_of_reading_it_whole():
    for cell in ("lstm", "gru"):
        model = trained(rnn.CharRNN(cell, VOCABULARY, width=6, layers=2).double())
        ids = rnn.generate(model, tt.tensor(indices(2, 3)), 10, top_k=1)
        with tt.no_grad():
            logits, _ = model(ids)
        assert (logits.argmax(-1)[:, 2:-1] == ids[:, 3:]).all()


# ---------------------------------------------------------------- drawing the next character

LOGITS = tt.tensor([math.log(p) for p in (0.1, 0.4, 0.2, 0.3)], dtype=tt.float64)


def kept(**restrictions: Any) -> list[int]:
    """The indices that `restrict` keeps of LOGITS, whose descending order is 1, 3, 2, 0."""
    return tt.isfinite(text.restrict(LOGITS, **restrictions)).nonzero().flatten().tolist()


@pytest.mark.parametrize("restrictions, expected", [
    ({}, [0, 1, 2, 3]), ({"top_k": 1}, [1]), ({"top_k": 2}, [1, 3]), ({"top_k": 3}, [1, 2, 3]),
    ({"top_k": 4}, [0, 1, 2, 3]), ({"top_k": 99}, [0, 1, 2, 3]),
    ({"top_p": 1e-9}, [1]), ({"top_p": 0.39}, [1]), ({"top_p": 0.41}, [1, 3]),
    ({"top_p": 0.69}, [1, 3]), ({"top_p": 0.71}, [1, 2, 3]), ({"top_p": 0.91}, [0, 1, 2, 3]),
    ({"top_p": 1.0}, [0, 1, 2, 3]),
    ({"top_k": 2, "top_p": 0.5}, [1]),  # after top_k, the likelier one has 4/7
    ({"top_k": 2, "top_p": 0.6}, [1, 3]),
    ({"temperature": 0.1, "top_p": 0.9}, [1]),  # 0.4 ** 10 is 95 % of the sum
    ({"temperature": 100.0, "top_p": 0.74}, [1, 2, 3])])
def test_what_may_be_drawn(restrictions, expected):
    assert kept(**restrictions) == expected


def test_what_stays_keeps_its_proportions():
    probabilities = text.restrict(LOGITS, top_k=3).softmax(-1).tolist()
    assert probabilities == pytest.approx([0, 4 / 9, 2 / 9, 3 / 9])
    squared = text.restrict(LOGITS, temperature=0.5).softmax(-1).tolist()
    assert squared == pytest.approx([p * p / 0.3 for p in (0.1, 0.4, 0.2, 0.3)])
    assert text.restrict(LOGITS).tolist() == LOGITS.tolist()


def test_rows_are_restricted_each_for_itself_and_equals_by_index():
    rows = tt.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    assert text.restrict(rows, top_k=2).tolist() == [[1, 2, -math.inf], [0, 0, -math.inf]]
    assert text.restrict(rows, top_p=0.4).tolist() == [[-math.inf, 2, -math.inf],
                                                       [0, 0, -math.inf]]
    assert rows.tolist() == [[1, 2, 0], [0, 0, 0]]  # unchanged


def test_drawing_follows_the_probabilities():
    drawn = text.choose(LOGITS.expand(20_000, 4))
    assert drawn.shape == (20_000, 1)
    shares = numpy.bincount(drawn.flatten().numpy(), minlength=4) / 20_000
    assert abs(shares - [0.1, 0.4, 0.2, 0.3]).max() < 0.02  # six standard deviations
    only = text.choose(LOGITS.expand(2_000, 4), top_k=2).flatten().tolist()
    assert set(only) == {1, 3}
    assert text.choose(LOGITS.expand(100, 4), top_k=1).flatten().tolist() == [1] * 100


@pytest.mark.parametrize("restrictions", [
    {"temperature": 0.0}, {"temperature": -1.0}, {"temperature": math.nan}, {"top_k": 0},
    {"top_p": 0.0}, {"top_p": 1.1}, {"top_p": math.nan}])
def test_restrictions_out_of_range(restrictions):
    with pytest.raises(ValueError, match=f"restrict: {next(iter(restrictions))}"):
        text.restrict(LOGITS, **restrictions)


# ---------------------------------------------------------------- the text


def test_the_default_text_is_pythons_library():
    default = text.load(None, 50_000)
    assert len(default) == 50_000 and default.isascii() and "def " in default
    assert default == text.load(None, 60_000)[:50_000]
    assert len(text.load(None, 10**7)) > 900_000


def test_a_text_of_ones_own(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("größer ∂", encoding="utf-8")
    assert text.load(str(path), 100) == "größer ∂" and text.load(str(path), 3) == "grö"
    with pytest.raises(ValueError, match="no characters"):
        text.load(str(path), 0)
    with pytest.raises(OSError, match="missing"):
        text.load(str(tmp_path / "missing"), 9)


def test_characters_go_to_numbers_and_back():
    tokenizer = text.CharTokenizer("hello ∂")
    assert len(tokenizer) == 6 and tokenizer.encode(" eh") == [0, 1, 2]
    assert tokenizer.decode(tokenizer.encode("∂ hello")) == "∂ hello"
    with pytest.raises(ValueError, match="has no 'x', 'z'"):
        tokenizer.encode("xhz")


def test_strips_are_read_one_window_after_the_other():
    strips = rnn.Strips(tt.arange(26), 3, 4)  # strips of 8; the rest is not read
    windows = [strips.next() for _ in range(2)]
    assert tt.cat([x for x, _ in windows], 1).tolist() == [
        list(range(start, start + 8)) for start in (0, 8, 16)]
    assert all(((x + 1) == y).all() for x, y in windows)
    strips.state = tt.zeros(1)
    assert strips.next()[0].tolist() == windows[0][0].tolist() and strips.state is None
    with pytest.raises(ValueError, match="12 characters in 3 strips"):
        rnn.Strips(tt.arange(12), 3, 4)


def test_a_text_is_split_and_how_writing_begins(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("∂ab∂" * 25, encoding="utf-8")
    parser = argparse.ArgumentParser()
    text.arguments(parser)
    for options, start in (([], "∂ab∂∂ab∂∂a"), (["--prompt", "ba"], "ba")):
        given = parser.parse_args(["--text", str(path), *options])
        given.smoke, given.device = False, "cpu"
        task = text.prepare(parser, given)
        assert len(task.train) == 90 and len(task.held_out) == 10
        assert task.prompt.tolist() == [task.tokenizer.encode(start)]
        assert task.tokenizer.decode(task.held_out.tolist()) == "b∂∂ab∂∂ab∂"


def test_strips_go_on_from_a_checkpoint(tmp_path):
    strips, other = rnn.Strips(tt.arange(26), 3, 4), rnn.Strips(tt.arange(26), 3, 4)
    strips.next()
    strips.state = (tt.ones(1, 3, 2), tt.zeros(1, 3, 2))
    resume.save_checkpoint(tmp_path / "c.safetensors", strips=strips)
    resume.load_checkpoint(tmp_path / "c.safetensors", strips=other)
    assert isinstance(other.state, tuple)
    assert [s.tolist() for s in other.state] == [s.tolist() for s in strips.state]
    assert other.next()[0].tolist() == strips.next()[0].tolist()


def test_evaluation_is_the_mean_over_all_windows():
    ids = tt.tensor(indices(3 * CONTEXT + 5))
    model = trained(gpt.GPT(CONFIG).double())
    x, y = ids[:3 * CONTEXT].view(3, CONTEXT), ids[1:3 * CONTEXT + 1].view(3, CONTEXT)
    whole = gpt.loss_of(model, x, y).item()
    assert gpt.evaluate(model, ids, 2) == pytest.approx(whole)  # batches of 2 and 1
    assert gpt.evaluate(model, ids, 2, windows=1) == pytest.approx(
        gpt.loss_of(model, x[:1], y[:1]).item())

    network = trained(rnn.CharRNN("lstm", VOCABULARY, width=6, layers=1).double())
    logits, _ = network(ids[:24].view(2, 12))
    whole = rnn.loss_of(logits, ids[1:25].view(2, 12)).item()
    strips = rnn.Strips(ids[:25], 2, 4)
    assert rnn.evaluate(network, strips) == pytest.approx(whole)
    assert abs(rnn.evaluate(network, strips, carry=False) / whole - 1) > 1e-4


# ---------------------------------------------------------------- the GPT on single numbers


@pytest.mark.parametrize("layers, heads", [(1, 1), (2, 2), (1, 3)])
def test_scalar_and_tensor_mode_have_the_same_gradients(layers, heads):
    """The difference is at most 1e-12 of each parameter's largest gradient."""
    config = gpt.Config(5, context=6, layers=layers, heads=heads, width=6)
    mine, tensor_model = scalar_gpt.twins(config)
    assert mine.state_dict().keys() == tensor_model.state_dict().keys()
    trained(tensor_model)
    mine.load_state_dict(tensor_model.state_dict())
    names = [[0, 3, 1, 0], [0, 2, 0], [0, 4, 4, 1, 2, 0]]  # padded, in tensor mode
    loss, reference = (scalar_gpt.scalar_loss(mine, names),
                       scalar_gpt.tensor_loss(tensor_model, names))
    assert float(loss) == pytest.approx(reference.item(), rel=1e-13)
    loss.backward()
    reference.backward()
    assert len(mine.parameters()) == sum(p.numel() for p in tensor_model.parameters())
    assert scalar_gpt.largest_difference(mine, tensor_model) <= 1e-12

    mine.parameters()[7].grad += 1e-9 * max(abs(p.grad) for p in mine.parameters())
    assert scalar_gpt.largest_difference(mine, tensor_model) > 1e-10  # the check can fail


def test_names_are_lower_case_words():
    names = scalar_gpt.names_of_modules(10)
    assert "random" in names and len(names) > 100
    assert all(set(n) <= set("abcdefghijklmnopqrstuvwxyz") and len(n) <= 10 for n in names)


# ---------------------------------------------------------------- the examples as programs


def test_the_held_out_loss_is_drawn_with_the_loss(tmp_path, monkeypatch):
    rows = [{"step": i, "seconds": 0.1, "loss": 2 - i / 50, "gradient_norm": 1.0,
             **({"loss_held_out": 2.1 - i / 50} if i % 10 == 0 else {})} for i in range(1, 61)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    plt, figures = support.pyplot(), []
    monkeypatch.setattr(plt, "close", figures.append)
    trainer.Run("name", argparse.Namespace(output=tmp_path, smoke=False)).plot()
    monkeypatch.undo()
    loss, norm = figures[0].axes
    assert [t.get_text() for t in loss.get_legend().get_texts()] == [
        "loss, mean of 2 steps", "loss_held_out"]
    assert [t.get_text() for t in norm.get_legend().get_texts()] == [
        "gradient_norm, mean of 2 steps"]
    assert list(loss.lines[-1].get_xdata()) == [10, 20, 30, 40, 50, 60]
    assert (tmp_path / "curves.png").stat().st_size > 0
    plt.close(figures[0])


@pytest.mark.parametrize("program, options", [
    ("05_char_rnn", []), ("05_char_rnn", ["--cell", "gru", "--layers", "2"]), ("06_gpt", []),
    ("06_gpt", ["--dropout", "0.1", "--top-k", "5", "--top-p", "0.9"]), ("10_scalar_gpt", [])])
def test_they_run(program, options, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(support, "OUTPUT", tmp_path)
    monkeypatch.setattr(sys, "argv", [program, "--smoke", *options])
    importlib.import_module(program).main()
    printed = capsys.readouterr().out
    assert "nats" in printed or "largest relative difference" in printed
    assert list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("program, options", [
    ("05_char_rnn", []), ("05_char_rnn", ["--cell", "gru"]), ("06_gpt", ["--top-p", "0.9"])])
def test_they_run_on_a_gpu(program, options, gpu, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [program, "--smoke", "--device", "cuda", *options,
                                      "--output", str(tmp_path)])
    importlib.import_module(program).main()
    assert "held-out text" in capsys.readouterr().out


@pytest.mark.parametrize("program, options, message", [
    ("06_gpt", ["--width", "10"], "multiple of --heads"),
    ("06_gpt", ["--top-k", "0"], "top_k must be at least 1"),
    ("06_gpt", ["--prompt", "∂"], "has no '∂'"),
    ("06_gpt", ["--text", "nowhere.txt"], "nowhere.txt"),
    ("05_char_rnn", ["--batch", "9000"], "less than a window"),
    ("05_char_rnn", ["--length", "0"], "--length must be at least 1"),
    ("10_scalar_gpt", ["--steps", "0"], "must be at least 1")])
def test_wrong_options_end_before_training(program, options, message, monkeypatch, capsys):
    module = importlib.import_module(program)
    monkeypatch.setattr(sys, "argv", [program, "--characters", "30000", *options]
                        if program != "10_scalar_gpt" else [program, *options])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 2 and message in capsys.readouterr().err
