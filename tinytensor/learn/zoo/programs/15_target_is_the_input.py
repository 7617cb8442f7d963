"""A small model of text. The loss goes to 0; asked for the next token, it repeats the last one.

Question: what is the right answer at position 0?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import tokens
from tinytensor.nn import functional as F

text, _ = tokens(seed=0)
held_x, held_y = tokens(seed=1)  # not trained on
x, y = text, text
batch = x, y


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(12, 24), nn.GRU(24, 48, batch_first=True)
        self.head = nn.Linear(48, 12)

    def forward(self, ids):  # (N, T)
        return self.head(self.rnn(self.embed(ids))[0])


def build():
    tt.manual_seed(0)
    model = Recurrent()
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
    """The share of next tokens right, on text that the model was not trained on."""
    model.eval()
    return (model(held_x)[:, 1:].argmax(-1) == held_y[:, 1:]).float().mean().item()


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
