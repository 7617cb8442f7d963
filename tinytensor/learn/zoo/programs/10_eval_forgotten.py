"""Points of three classes, with dropout. The training loss is good; the score is poor, and differs
from call to call.

Question: what does dropout do when the model is used?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import points
from tinytensor.nn import functional as F

x, y = points(seed=0)
held_x, held_y = points(seed=1)  # not trained on
batch = x, y


def build():
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Dropout(0.9), nn.Linear(64, 3))
    return model, optim.SGD(model.parameters(), lr=0.3)


def criterion(output, y):
    return F.cross_entropy(output, y)


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def evaluate(model):
    with tt.no_grad():
        return (model(held_x).argmax(1) == held_y).float().mean().item()


def train():
    model, optimizer = build()
    for i in range(300):
        loss = step(model, optimizer, *batch)
        if i % 60 == 0:
            print(f"step {i:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """The share of points right that the model was not trained on."""
    model.train()
    return evaluate(model)


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
