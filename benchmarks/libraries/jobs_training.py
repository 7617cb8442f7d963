"""Jobs of libraries that train, and of optimizers."""

import numpy as np
import torch
from jobs_tools import fill, numbers, step
from torch import nn


def lightning():
    import logging
    import warnings

    import pytorch_lightning as pl

    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

    class Model(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = fill(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)).double())
            self.losses = []

        def training_step(self, batch, index):
            x, y = batch
            loss = nn.functional.mse_loss(self.net(x), y)
            self.log("loss", loss)
            self.losses.append(loss.item())
            return loss

        def configure_optimizers(self):
            optimizer = torch.optim.Adam(self.parameters(), lr=1e-2)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

    data = torch.utils.data.TensorDataset(numbers(32, 4), numbers(32, 1, seed=9))
    model = Model()
    trainer = pl.Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False,
                         enable_checkpointing=False, enable_model_summary=False)
    trainer.fit(model, torch.utils.data.DataLoader(data, 8))
    return [np.array(model.losses), *model.parameters()]


def accelerate():
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model = fill(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data = torch.utils.data.TensorDataset(numbers(32, 4), numbers(32, 1, seed=9))
    model, optimizer, loader = accelerator.prepare(
        model, optimizer, torch.utils.data.DataLoader(data, 8))
    losses = []
    for _ in range(3):
        for x, y in loader:
            with accelerator.accumulate(model):
                loss = nn.functional.mse_loss(model(x), y)
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
            losses.append(loss.item())
    return [np.array(losses), *accelerator.unwrap_model(model).parameters()]


def skorch():
    from sklearn.model_selection import cross_val_score
    from skorch import NeuralNetClassifier

    class Net(nn.Module):
        def __init__(self, width=10):
            super().__init__()
            self.net = fill(nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2)))

        def forward(self, x):
            return self.net(x).softmax(-1)

    x = numbers(60, 4).numpy().astype("float32")
    y = (x[:, 0] + x[:, 1] > 0).astype("int64")
    net = NeuralNetClassifier(Net, max_epochs=4, lr=0.5, verbose=0, train_split=None,
                              iterator_train__shuffle=False)
    net.fit(x, y)
    return [net.predict_proba(x), np.array(net.history[:, "train_loss"]),
            cross_val_score(net, x, y, cv=3)]


def ignite():
    from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
    from ignite.metrics import Accuracy, Loss

    model = fill(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).double())
    data = torch.utils.data.TensorDataset(numbers(32, 4), torch.arange(32) % 3)
    loader = torch.utils.data.DataLoader(data, 8)
    loss = nn.CrossEntropyLoss()
    trainer = create_supervised_trainer(model, torch.optim.Adam(model.parameters(), 1e-2), loss)
    evaluator = create_supervised_evaluator(
        model, {"accuracy": Accuracy(), "loss": Loss(loss)})
    losses = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: losses.append(e.state.output))
    trainer.run(loader, max_epochs=2)
    evaluator.run(loader)
    return [np.array(losses), *evaluator.state.metrics.values()]


def fastai():
    import fastai.callback.progress
    import fastai.callback.schedule  # noqa: F401 - they give Learner methods
    from fastai.basics import DataLoaders, Learner
    from fastai.losses import MSELossFlat

    data = torch.utils.data.TensorDataset(numbers(32, 4).float(), numbers(32, 1, seed=1).float())
    loaders = DataLoaders(torch.utils.data.DataLoader(data, 8),
                          torch.utils.data.DataLoader(data, 8))
    model = fill(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)))
    learner = Learner(loaders, model, loss_func=MSELossFlat(), lr=1e-2)
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(2)
    return [np.array(learner.recorder.losses), *model.parameters()]


def stable_baselines3():
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", "CartPole-v1", n_steps=64, batch_size=32, n_epochs=2, seed=0,
                device="cpu")
    fill(model.policy)
    observation = np.array([[0.1, 0.2, -0.1, 0.05]], dtype="float32")
    before = model.policy.get_distribution(torch.from_numpy(observation)).distribution.logits
    model.learn(128)
    after = model.policy.get_distribution(torch.from_numpy(observation)).distribution.logits
    return [before, after]


def higher():
    import higher as h

    model = fill(nn.Linear(3, 2).double())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with h.innerloop_ctx(model, optimizer) as (inner, inner_optimizer):
        for _ in range(2):
            inner_optimizer.step((inner(numbers(5, 3)) ** 2).mean())
        loss = (inner(numbers(5, 3, seed=1)) ** 2).mean()
        loss.backward()
    return [loss, *(p.grad for p in model.parameters())]


def _optimizers(*made):
    results = []
    for make in made:
        model = fill(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).double())
        optimizer = make(model.parameters())
        for _ in range(5):
            def closure(model=model, optimizer=optimizer):
                optimizer.zero_grad()
                loss = (model(numbers(6, 4)) ** 2).mean()
                loss.backward()
                return loss

            results.append(float(optimizer.step(closure)))
        results += list(model.parameters())
    return results


def lion_pytorch():
    from lion_pytorch import Lion

    return _optimizers(lambda p: Lion(p, lr=1e-2, weight_decay=1e-2))


def torch_optimizer():
    import torch_optimizer as t

    return _optimizers(*(lambda p, kind=kind: kind(p, lr=1e-2) for kind in (
        t.AdaBound, t.AdaBelief, t.DiffGrad, t.Lamb, t.NovoGrad, t.PID, t.QHAdam, t.RAdam,
        t.SGDW, t.Yogi, t.Apollo, t.Shampoo)))


def pytorch_optimizer():
    import pytorch_optimizer as t

    return _optimizers(*(lambda p, kind=kind: kind(p, lr=1e-2) for kind in (
        t.AdaBelief, t.Adan, t.AdEMAMix, t.Lion, t.Prodigy, t.Tiger, t.CAME)))


def pytorch_warmup():
    import pytorch_warmup as w

    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    warmup, rates = w.UntunedLinearWarmup(optimizer), []
    for _ in range(6):
        optimizer.step()
        with warmup.dampening():
            schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return [np.array(rates)]


def torch_lr_finder():
    from torch_lr_finder import LRFinder

    model = fill(nn.Linear(4, 2).double())
    data = torch.utils.data.TensorDataset(numbers(32, 4), numbers(32, 2, seed=1))
    finder = LRFinder(model, torch.optim.SGD(model.parameters(), 1e-4), nn.MSELoss())
    finder.range_test(torch.utils.data.DataLoader(data, 8), end_lr=1, num_iter=10)
    return [np.array(finder.history["loss"]), np.array(finder.history["lr"])]


def ema_pytorch():
    from ema_pytorch import EMA

    model = fill(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)).double())
    ema = EMA(model, beta=0.9, update_after_step=1, update_every=1)
    for _ in range(4):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1)
        ema.update()
    return [ema(numbers(5, 4)), *ema.ema_model.parameters()]


def torch_ema():
    from torch_ema import ExponentialMovingAverage

    model = fill(nn.Linear(3, 2).double())
    ema = ExponentialMovingAverage(model.parameters(), decay=0.9)
    for _ in range(3):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.1)
        ema.update()
    with ema.average_parameters():
        return [p.detach().clone() for p in model.parameters()]


def torch_pruning():
    import torch_pruning as t

    model = fill(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(),
                               nn.Conv2d(8, 6, 3), nn.Flatten(), nn.Linear(6 * 16, 4)))
    x = numbers(2, 3, 8, 8).float()
    t.pruner.MagnitudePruner(model, x, importance=t.importance.MagnitudeImportance(p=2),
                             pruning_ratio=0.5, ignored_layers=[model[5]]).step()
    return [model(x), np.array([p.numel() for p in model.parameters()])]


def torch_geometric():
    from torch_geometric.data import Batch, Data
    from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv, global_mean_pool

    edges = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0], [1, 0, 2, 1, 3, 2, 0, 3]])
    batch = Batch.from_data_list([Data(x=numbers(4, 5), edge_index=edges),
                                  Data(x=numbers(4, 5, seed=2), edge_index=edges)])

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([GCNConv(5, 8), GATConv(8, 4, heads=2), SAGEConv(8, 8),
                                         GINConv(nn.Linear(8, 8))])
            self.head = nn.Linear(8, 3)

        def forward(self, data):
            x = data.x
            for layer in self.layers:
                x = layer(x, data.edge_index).relu()
            return self.head(global_mean_pool(x, data.batch))

    return step(fill(Net().double()), batch, steps=3)


def pytorch_tabnet():
    from pytorch_tabnet.tab_network import TabNet

    model = TabNet(6, 3, n_d=4, n_a=4, n_steps=2,
                   group_attention_matrix=torch.eye(6).double())
    fill(model.double())
    return step(model.eval(), numbers(10, 6), loss=lambda y: (y[0] ** 2).mean() + y[1])


def safetensors():
    import tempfile

    from safetensors.torch import load_file, load_model, save_file, save_model

    model = fill(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)))
    with tempfile.TemporaryDirectory() as folder:
        save_file(model.state_dict(), f"{folder}/a.safetensors")
        loaded = load_file(f"{folder}/a.safetensors")
        save_model(model, f"{folder}/b.safetensors")
        other = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
        load_model(other, f"{folder}/b.safetensors")
    return [*loaded.values(), *other.state_dict().values()]


def einops():
    from einops import einsum, pack, rearrange, reduce, repeat, unpack
    from einops.layers.torch import EinMix, Rearrange, Reduce

    x = numbers(2, 3, 4, 6).requires_grad_()
    y = rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=2, q=3)
    z = reduce(y, "b n c -> b c", "max") + repeat(x, "b c h w -> b (c k)  (h w)", k=6).sum(2)
    packed, shapes = pack([x[0], x[1]], "* c h w")
    parts = unpack(packed, shapes, "* c h w")
    total = einsum(x, x, "b c h w, b d h w -> b c d").sum() + z.sum() + parts[0].sum()
    mix = EinMix("b n c -> b n d", weight_shape="c d", bias_shape="d", c=5, d=4)
    model = fill(nn.Sequential(Rearrange("b c h w -> b (h w) c"), nn.Linear(3, 5), mix,
                               Reduce("b n c -> b c", "mean")).double())
    out = model(x)
    (total + (out ** 2).sum()).backward()
    return [y, z, out, x.grad]
