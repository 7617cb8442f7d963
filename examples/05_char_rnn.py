"""An LSTM or a GRU that reads a text character by character and learns to write on.

    python examples/05_char_rnn.py                     # an LSTM, on the source of Python's library
    python examples/05_char_rnn.py --cell gru
    python examples/05_char_rnn.py --text novel.txt    # or any text
    python examples/05_char_rnn.py --resume --prompt "class Test" --top-k 5   # trained: writes more

All that the network knows of what it has read is its state. So it is trained as it will be used,
reading on: the text is cut into a few long strips side by side, and each step takes the next
window of all strips and begins in the state in which the last one ended. That state is detached:
backward stops at the window's edge (truncated backpropagation through time; Williams and Peng
1990), or else each step would walk back to the beginning of the text. Random windows would be
simpler, but each would begin with an empty state, and nothing would teach the network to use what
lies further back.

What to look at: curves.png, the loss in nats a character (a uniform guess costs ln 96 = 4.56), and
the norm of the gradient, which is cut off at 1: it needs that in the first steps only. At the end
the held-out text is read twice, with the state carried on and with an empty state for each window:
the difference is what the memory is worth. After 1000 steps: 1.34 and 1.41 nats with the LSTM, 1.33
and 1.43 with the GRU.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import support
import text
import trainer

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.nn import functional

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class CharRNN(nn.Module):
    """Logits for the next character at each position, and the state behind the last.

    Shapes: (N, T) integers -> (N, T, vocabulary); each part of the state is (layers, N, width).
    """

    def __init__(self, cell: str, vocabulary: int, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.rnn = CELLS[cell](width, width, layers, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids: Any, state: Any = None) -> tuple[Any, Any]:
        hidden, state = self.rnn(self.embedding(ids), state)
        return self.head(hidden), state


def each(function: Any, state: Any) -> Any:
    """The function of a state, or of both parts of it: an LSTM's is a pair."""
    return tuple(map(function, state)) if isinstance(state, tuple) else function(state)


def detached(state: Any) -> Any:
    """The same numbers, without the graph that made them."""
    return each(lambda part: part.detach(), state)


class Strips:
    """A text in `count` strips side by side, read window by window; the state is carried on.

    position  of the next window
    state     in which the network has to begin it; None at the beginning of the text

    Raises ValueError where the strips are shorter than a window.
    """

    def __init__(self, ids: Any, count: int, window: int) -> None:
        length = (len(ids) - 1) // count
        if length < window:
            raise ValueError(f"Strips: {len(ids)} characters in {count} strips are less than a "
                             f"window of {window} each")
        self.x = ids[:count * length].view(count, length)
        self.y = ids[1:count * length + 1].view(count, length)
        self.window, self.position, self.state = window, 0, None

    def __len__(self) -> int:
        """How many windows there are."""
        return self.x.shape[1] // self.window

    def next(self) -> tuple[Any, Any]:
        """The next window and what follows each of its characters: (count, window) both."""
        if self.position == len(self) * self.window:
            self.position, self.state = 0, None
        place = slice(self.position, self.position + self.window)
        self.position += self.window
        return self.x[:, place], self.y[:, place]

    def state_dict(self) -> dict[str, Any]:
        """Where reading stands, for a checkpoint."""
        return {"position": self.position, "state": self.state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.position, self.state = saved["position"], saved["state"]
        if self.state is not None:
            self.state = each(lambda part: part.to(self.x.device), self.state)


def loss_of(logits: Any, y: Any) -> Any:
    """Nats a character."""
    return functional.cross_entropy(logits.flatten(0, 1), y.flatten())


@tt.no_grad()
def evaluate(model: CharRNN, strips: Strips, most: int | None = None, carry: bool = True) -> float:
    """Nats a character over the first windows, all unless `most` says how many."""
    count = min(len(strips), most or len(strips))
    strips.position, strips.state = 0, None
    total = 0.0
    for _ in range(count):
        x, y = strips.next()
        logits, state = model(x, strips.state)
        strips.state = state if carry else None
        total += loss_of(logits, y).item()
    return total / count


@tt.no_grad()
def generate(model: CharRNN, ids: Any, length: int, **restrictions: Any) -> Any:
    """The ids with `length` more, each drawn after what stands before it: (N, T + length)."""
    logits, state = model(ids)
    for _ in range(length):
        new = text.choose(logits[:, -1], **restrictions)
        ids = tt.cat([ids, new], dim=1)
        logits, state = model(new, state)
    return ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=list(CELLS), default="lstm")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32, help="strips; default: 32")
    parser.add_argument("--window", type=int, default=64,
                        help="characters through which the gradient goes back; default: 64")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--lr", type=float, default=4e-3, help="the highest; default: 0.004")
    text.arguments(parser)
    trainer.arguments(parser, seed=1337)
    given = parser.parse_args()
    if given.smoke:
        given.steps, given.batch, given.window, given.width, given.length = 6, 4, 16, 16, 24
    if min(given.steps, given.batch, given.window, given.layers, given.width) < 1:
        parser.error("--steps, --batch, --window, --layers and --width must be at least 1")
    task = text.prepare(parser, given)
    try:
        strips = Strips(task.train, given.batch, given.window)
        held_out = Strips(task.held_out, given.batch, given.window)
    except ValueError as problem:
        parser.error(str(problem))

    tt.manual_seed(given.seed)
    model = CharRNN(given.cell, len(task.tokenizer), given.width, given.layers).to(given.device)
    optimizer = optim.Adam(model.parameters(), lr=given.lr)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, given.steps, given.lr / 20)
    print(f"{len(task.train):,} characters to learn from, {len(task.held_out):,} held out, "
          f"{len(task.tokenizer)} kinds; {sum(p.numel() for p in model.parameters()):,} parameters")

    support.pyplot()  # everything is imported now
    support.settle()
    run = trainer.Run(f"05_char_rnn_{given.cell}", given, model=model, optimizer=optimizer,
                      scheduler=scheduler, strips=strips)
    for step in run.steps(given.steps):
        x, y = strips.next()
        logits, state = model(x, strips.state)
        strips.state = detached(state)
        loss = loss_of(logits, y)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        run.log(loss=loss, gradient_norm=norm)
        if step % max(1, given.steps // 20) == 0:
            run.log(loss_held_out=evaluate(model, held_out, 8))
    run.finish()

    print(f"{given.steps * given.batch * given.window / run.seconds:,.0f} characters a second in "
          "training")
    text.report({"training text, last steps": text.recent_loss(run),
                 "held-out text, state carried on": evaluate(model, held_out),
                 f"held-out text, state empty every {given.window} characters":
                     evaluate(model, held_out, carry=False)})
    tt.manual_seed(given.seed)
    began = time.perf_counter()
    written = generate(model, task.prompt, given.length, **task.restrictions)
    print(f"{given.length / (time.perf_counter() - began):,.0f} characters a second in writing")
    print(f"{'-' * 80}\n{task.tokenizer.decode(written[0].tolist())}")


if __name__ == "__main__":
    main()
