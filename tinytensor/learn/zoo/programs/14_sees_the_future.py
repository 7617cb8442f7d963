"""A small model of text. The loss goes to nearly 0 within a few steps; what it writes is nonsense.

Question: which positions may the answer at position 5 be computed from?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import tokens
from tinytensor.nn import functional as F

x, y = tokens(seed=0)
held_x, held_y = tokens(seed=1)  # not trained on
batch = x, y


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(12, 32), nn.Embedding(16, 32)
        self.q, self.k, self.v = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)
        self.head = nn.Linear(32, 12)

    def forward(self, ids):  # (N, T)
        h = self.tokens(ids) + self.places(tt.arange(ids.shape[1]))
        q, k, v = self.q(h), self.k(h), self.v(h)
        return self.head(h + F.scaled_dot_product_attention(q, k, v))


def build():
    tt.manual_seed(0)
    model = Attending()
    return model, optim.Adam(model.parameters(), lr=0.02)


def criterion(output, y):
    return F.cross_entropy(output.flatten(0, 1), y.flatten())


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def train():
    model, optimizer = build()
    for i in range(150):
        loss = step(model, optimizer, *batch)
        if i % 30 == 0:
            print(f"step {i:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """The share of tokens right, each written after those before it only."""
    model.eval()
    right = [(model(held_x[:, :t])[:, -1].argmax(-1) == held_y[:, t - 1]).float().mean().item()
             for t in range(2, held_x.shape[1] + 1)]
    return sum(right) / len(right)


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
