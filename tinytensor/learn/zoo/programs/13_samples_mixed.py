"""Small images of bars. The training loss falls, and the score is that of a guess.

Question: whose numbers are in the first row after view()?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import bars
from tinytensor.nn import functional as F

x, y = bars(seed=0)
held_x, held_y = bars(seed=1)  # not trained on
batch = x, y


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(36, 32), nn.Linear(32, 2)

    def forward(self, images):  # (N, 6, 6)
        pixels = images.permute(1, 2, 0).reshape(len(images), 36)
        return self.b(self.a(pixels).relu())


def build():
    tt.manual_seed(0)
    model = Net()
    return model, optim.Adam(model.parameters(), lr=0.01)


def criterion(output, y):
    return F.cross_entropy(output, y)


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def train():
    model, optimizer = build()
    for i in range(100):
        loss = step(model, optimizer, *batch)
        if i % 20 == 0:
            print(f"step {i:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """The share of points right that the model was not trained on."""
    model.eval()
    return (model(held_x).argmax(1) == held_y).float().mean().item()


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
