"""Points of three classes. Some layers do not learn, and are missing in state_dict().

Question: what does model.parameters() list?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import points
from tinytensor.nn import functional as F

x, y = points(seed=0)
held_x, held_y = points(seed=1)  # not trained on
batch = x, y


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = [nn.Linear(8, 16), nn.Linear(16, 5)]
        self.outer = nn.Linear(5, 3)

    def forward(self, x):
        for layer in self.inner:
            x = layer(x).relu()
        return self.outer(x)


def build():
    tt.manual_seed(0)
    model = Net()
    return model, optim.Adam(model.parameters(), lr=0.03)


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
    for i in range(300):
        loss = step(model, optimizer, *batch)
        if i % 60 == 0:
            print(f"step {i:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """The share of points right that the model was not trained on."""
    model.eval()
    return (model(held_x).argmax(1) == held_y).float().mean().item()


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
