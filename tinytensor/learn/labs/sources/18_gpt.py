# %% [markdown]
# # 18 A GPT
#
# All parts are there. From here on they are taken from `tinytensor.nn`, which has the same as you
# wrote, on arrays, with gradients. A GPT is a stack of blocks. In each block the positions exchange
# what they know (attention), then each thinks for itself (a small network). Both add to what is
# there: x = x + change. So the gradient has a straight way back through the sums.
#
# The model reads characters. Each has an embedding, a row of numbers, and so has each position.

# %%
from __future__ import annotations

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F


class Block(nn.Module):
    """x + attention(norm1(x)), then x + network(norm2(x)). Shapes: (N, T, width) -> the same."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.network = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(),
                                     nn.Linear(4 * width, width))

    def attention(self, x):
        """Attention with several heads, each on its part of the width."""
        n, t, width = x.shape
        q, k, v = (part.view(n, t, self.heads, width // self.heads).transpose(1, 2)
                   for part in self.qkv(x).split(width, 2))
        # <todo> set y to F.scaled_dot_product_attention of q, k, v; none may see later positions
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        # </todo>
        return self.out(y.transpose(1, 2).reshape(n, t, width))

    def forward(self, x):
        # <todo> add the attention of norm1 to x, then the network of norm2 to that; return it
        x = x + self.attention(self.norm1(x))
        return x + self.network(self.norm2(x))
        # </todo>


class GPT(nn.Module):
    """Logits of the next character at each position. Shapes: (N, T) -> (N, T, characters)."""

    def __init__(self, characters: int, context: int, width: int = 32, heads: int = 2,
                 layers: int = 2):
        super().__init__()
        self.context = context
        self.characters = nn.Embedding(characters, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters)

    def forward(self, ids):
        # <todo> add both embeddings (tt.arange(T) numbers the positions); then blocks, norm, head
        x = self.characters(ids) + self.positions(tt.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x)))
        # </todo>


# %% [markdown]
# Training shows the model a text, and at each position the character that follows.

# %%
def loss_of(model, text):
    """The mean cross-entropy over all positions of `text`. Shapes: (N, T + 1) integers -> ()."""
    # <todo> inputs: all characters but the last of each row; targets: all but the first
    logits = model(text[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
    # </todo>


# %% [markdown]
# To write, the model is asked for the probabilities of the next character; one is drawn, appended,
# and the model is asked again.

# %%
@tt.no_grad()
def write(model, ids, count: int):
    """`ids` with `count` more characters. Shapes: (N, T) -> (N, T + count)."""
    for _ in range(count):
        # <todo> give the model the last model.context characters; draw the next one; append it
        logits = model(ids[:, -model.context:])[:, -1]
        drawn = tt.multinomial(logits.softmax(-1), 1)
        ids = tt.cat([ids, drawn], 1)
        # </todo>
    return ids


# %% tags=["hints"]
"""
The documentation of scaled_dot_product_attention names the option for text: is_causal.

A block returns an array of the shape of its input, since it adds to it.

In loss_of, position 0 of the inputs has the target at position 1 of the text.
"""

# %% tags=["check"]
import tinytensor as tt
from tinytensor.nn import functional as F


def small(lab):
    tt.manual_seed(0)
    return lab.GPT(7, 6, 16, 2, 2)


TEXT = tt.tensor([[0, 3, 1, 4, 2, 6, 5], [6, 5, 4, 3, 2, 1, 0]])


def size(x):
    return float(abs(x).max())


def check_attention(lab):
    """Read the documentation: help(F.scaled_dot_product_attention). Which option is for text?

    attention: the function takes queries, keys and values in this order. It scales and masks by
    itself.

    One option hides the later positions. It is a keyword, and its value is True.
    """
    tt.manual_seed(1)
    block, x = lab.Block(16, 2), tt.randn(2, 5, 16)
    n, t, width = x.shape
    q, k, v = (part.view(n, t, 2, 8).transpose(1, 2) for part in block.qkv(x).split(16, 2))

    def out(y):
        return block.out(y.transpose(1, 2).reshape(n, t, width)).flatten().tolist()
    mask = tt.ones(t, t).tril() == 0
    expect("attention of a block", block.attention(x).flatten().tolist(),
           out(F.scaled_dot_product_attention(q, k, v, is_causal=True)), {
        "each position sees later ones: use is_causal=True":
            out(F.scaled_dot_product_attention(q, k, v)),
        "queries and keys are exchanged":
            out(F.scaled_dot_product_attention(k, q, v, is_causal=True)),
        "keys and values are exchanged":
            out(F.scaled_dot_product_attention(q, v, k, is_causal=True)),
        "the mask hides the past: True means that a position is seen":
            out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).nan_to_num())}, 1e-5)


def check_block(lab):
    """What must a Block give if attention and network both return zeros?

    forward of a Block: each part is added to what is there. The network sees the sum that the
    attention has made.

    Two lines. In the first, x gets a new value: x plus attention of norm1. In the second the same
    happens with network and norm2.
    """
    tt.manual_seed(1)
    block, x = lab.Block(16, 2), tt.randn(2, 5, 16)
    a, m, n1, n2 = block.attention, block.network, block.norm1, block.norm2
    y = x + a(n1(x))

    def flat(t):
        return t.flatten().tolist()
    expect("result of a block", flat(block(x)), flat(y + m(n2(y))), {
        "x is not added to the attention": flat(a(n1(x)) + m(n2(a(n1(x))))),
        "x is not added to the network": flat(m(n2(y))),
        "neither sum is there: add to x": flat(m(n2(a(n1(x))))),
        "the network looks at x of before the attention": flat(x + a(n1(x)) + m(n2(x))),
        "the network's result is added to x of before the attention": flat(x + m(n2(y))),
        "the first norm is missing": flat(x + a(x) + m(n2(x + a(x)))),
        "the second norm is missing": flat(y + m(y)),
        "the network is missing": flat(y),
        "the norms come after the sums": flat(n2(n1(x + a(x)) + m(n1(x + a(x)))))}, 1e-5)


def check_model(lab):
    """A GPT without positions: what does it say to `ab` and `ba`?

    forward of the GPT: a character's row and a position's row are added. self.positions wants the
    numbers 0 to T - 1.

    Then three modules, one after the other: the blocks, the norm, the head. Keep all positions.
    """
    model = small(lab)
    ids = TEXT[:, :5]

    def through(x):
        return model.head(model.norm(model.blocks(x))).flatten().tolist()
    c, p = model.characters(ids), model.positions(tt.arange(5))
    got = model(ids)
    expect("shape of the logits of (2, 5) characters", tuple(got.shape), (2, 5, 7), {
        "these are the numbers of the last block: the head is missing": (2, 5, 16),
        "only the last position is there: keep all of them": (2, 7)})
    expect("logits of a model", got.flatten().tolist(), through(c + p), {
        "the positions are missing: the model cannot tell the order": through(c),
        "embeddings of characters and positions are multiplied: add them": through(c * p),
        "the last norm is missing": model.head(model.blocks(c + p)).flatten().tolist(),
        "the blocks are missing": model.head(model.norm(c + p)).flatten().tolist(),
        "the characters' numbers were used as positions": through(c + model.positions(
            ids.clamp(max=5))),
        "only one block was applied": model.head(model.norm(model.blocks[0](c + p))).flatten().tolist()},
        1e-5)


def check_loss(lab):
    """The text is `hello`. What does the model see at its first position, and what should it say?

    loss_of: inputs and targets are the same text, moved by one. The model returns (N, T, C), and
    cross_entropy wants (N C): flatten(0, 1) joins the first two dimensions.

    Inputs leave out the last character of each row, targets the first one. cross_entropy takes
    logits, no softmax, and takes the mean itself.
    """
    model = small(lab)
    logits = model(TEXT[:, :-1])

    def loss(logits, targets):
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
    got = lab.loss_of(model, TEXT)
    if not hasattr(got, "backward"):
        raise Wrong("loss of two texts", repr(got), "a Tensor", NOTHING if got is None else
                    "a plain number has no gradient: return the Tensor")
    right = loss(logits, TEXT[:, 1:])
    expect("loss of two texts", got.item(), right, {
        "the targets are the inputs: the next character is wanted": loss(logits, TEXT[:, :-1]),
        "only the last position counts: take all": loss(logits[:, -1:], TEXT[:, -1:]),
        "this is the sum: take the mean": 12 * right,
        "softmax was applied before cross_entropy, which applies it itself":
            loss(logits.softmax(-1), TEXT[:, 1:]),
        "the targets are one position too far: the last one wraps around":
            loss(logits, TEXT.roll(-2, 1)[:, :-1]),
        "this is the mean of one text alone": loss(logits[:1], TEXT[:1, 1:])}, 1e-5)


def check_write(lab):
    """Which position of the logits says what comes after the last character?

    write: give the model no more than its context, ids[:, -model.context:]. Of the logits, take the
    last position: (N, characters).

    softmax over the last dimension makes probabilities; tt.multinomial(p, 1) draws one of each row,
    (N, 1); tt.cat(..., 1) appends it to ids.
    """
    model = small(lab)

    class Sure(type(model)):
        """A model that is sure of the successor of the character `context` places back."""

        def forward(self, ids):
            if ids.shape[1] > self.context:
                raise Wrong("write beyond the context", f"{ids.shape[1]} characters",
                            f"at most {self.context}", "give the model the last model.context "
                            "characters only")
            return 50 * F.one_hot((ids + ids[:, :1] * 0 + 1) % 7, 7).float()
    model.__class__ = Sure
    ids = tt.tensor([[0, 3], [5, 2]])
    got = lab.write(model, ids, 8)
    if got is None or tuple(got.shape) != (2, 10):
        raise Wrong("shape of what was written", str(None if got is None else tuple(got.shape)),
                    "(2, 10)", NOTHING if got is None else
                    "append what was drawn to ids: tt.cat([ids, drawn], 1)")

    def written(row, position):
        """8 characters more, each by the logits of one position of the last 6 characters."""
        for _ in range(8):
            row = [*row, (row[-6:][position] + 1) % 7]
        return row
    expect("8 characters after [0, 3] and [5, 2], by a model that counts on", got.tolist(),
           [written(row, -1) for row in ids.tolist()], {
        "the logits of the first position were used: take the last":
            [written(row, 0) for row in ids.tolist()],
        "this is the character itself, not the next one": [[0] + [3] * 9, [5] + [2] * 9]})
    flat = small(lab)
    flat.__class__ = type("Flat", (type(flat),), {
        "forward": lambda self, ids: tt.zeros(*ids.shape, 7)})
    tt.manual_seed(0)
    drawn = lab.write(flat, tt.zeros(1, 1, dtype=tt.int64), 60)[0, 1:].tolist()
    if len(set(drawn)) < 4:
        raise Wrong("characters drawn from equal probabilities", f"{sorted(set(drawn))} only",
                    "all of them", "the likeliest is taken each time: draw, tt.multinomial")


def check_learning(lab):
    """Look at the checks before this one: all pass. Print the loss in each step of a short
    training. Does it move?

    If nothing moves, a part of the GPT has no gradient: print p.grad for model.named_parameters()
    after loss_of(...).backward().

    A detach, an item or a no_grad in forward or in loss_of cuts the graph. Compute with Tensors
    throughout.
    """
    tt.manual_seed(0)
    model = lab.GPT(5, 8, 16, 2, 1)
    text = tt.tensor([[(3 * i + start) % 5 for i in range(9)] for start in range(5)])
    optimizer = tt.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = lab.loss_of(model, text)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if not losses[-1] < 0.3 * losses[0]:
        raise Wrong("loss after 40 steps on a text that counts in threes",
                    f"{losses[0]:.2f} -> {losses[-1]:.2f}", "less than 0.3 of it",
                    "something in the model does not learn")
