"""learn.doctor: its first finding is the planted bug, healthy models have none, nothing changes."""

import importlib
import math
import random

import numpy
import pytest

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn import doctor
from tinytensor.nn import functional as F  # noqa: N812

example = importlib.import_module  # examples/ is on the path


# ---------------------------------------------------------------- healthy models


def points():
    """96 points in three classes, of which a small network generalises."""
    rng = numpy.random.default_rng(0)
    x, w = rng.normal(size=(96, 8)), rng.normal(size=(8, 3))
    return tt.tensor(x, dtype=tt.float32), tt.tensor((x @ w).argmax(1))


def classifier():
    return nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(),
                         nn.Linear(24, 3))


def tokens(vocabulary=20, count=16, length=12):
    text = tt.tensor(numpy.random.default_rng(0).integers(0, vocabulary, (count, length + 1)))
    return text[:, :-1], text[:, 1:]


def by_token(logits, y):
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())


def images():
    from sklearn.datasets import load_digits
    found = load_digits()
    return tt.tensor(found.images[:96, None] / 16, dtype=tt.float32), tt.tensor(found.target[:96])


def perceptron():
    return classifier(), points(), F.cross_entropy


def regression():
    x, _ = points()
    return (nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1)),
            (x, x[:, :2].prod(1, keepdim=True)), F.mse_loss)


def binary():
    x, y = points()
    return (nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 1), nn.Flatten(0)),
            (x, (y == 1).float()), F.binary_cross_entropy_with_logits)


def convolutional():
    return example("04_cnn").network(8), images(), F.cross_entropy


def recurrent():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.lstm = nn.Embedding(20, 16), nn.LSTM(16, 32, batch_first=True)
            self.head = nn.Linear(32, 20)

        def forward(self, ids):
            return self.head(self.lstm(self.embed(ids))[0])
    return Net(), tokens(), by_token


def gpt():
    module = example("06_gpt")
    config = module.Config(vocabulary=20, context=12, width=32, layers=2, heads=2)
    return module.GPT(config), tokens(), by_token


def vae():
    module = example("07_vae")
    counts = (images()[0].flatten(1) * 16).round()

    def loss(output, counts):
        logits, mean, log_variance = output
        return (module.divergence(mean, log_variance)
                - module.log_likelihood(logits, counts)).mean()
    return module.VAE(), (counts, tt.randn(len(counts), 8), counts), loss


def unet():
    x, digit = (part[:32] for part in images())
    time = tt.randint(0, 250, (len(x),))
    noise = tt.randn_like(x)
    return example("09_diffusion").UNet(), (x + noise, time, digit, noise), F.mse_loss


HEALTHY = [perceptron, regression, binary, recurrent, gpt, vae,
           *(pytest.param(make, marks=pytest.mark.long) for make in (convolutional, unet))]


@pytest.mark.parametrize("make", HEALTHY)
def test_healthy_models_have_no_finding(make):
    tt.manual_seed(0)
    model, batch, loss = make()
    diagnosis = doctor(model, batch, loss, optim.AdamW(model.parameters(), lr=0.003), seconds=60)
    assert not diagnosis.findings, diagnosis
    assert not diagnosis.skipped, diagnosis


# ---------------------------------------------------------------- planted bugs

BUGS = {}


def bug(finding):
    """Registers a program with one bug, and the doctor's first finding. The program is a function
    that returns (model, batch, loss, optimizer, step), of which the last two may be None.
    """
    def register(make):
        BUGS[make.__name__.replace("_", " ")] = make, finding
        return make
    return register


def usual(model, batch=None, loss=F.cross_entropy, lr=0.1, step=None):
    return model, batch or points(), loss, optim.SGD(model.parameters(), lr=lr), step


class Changed(nn.Module):
    """The healthy classifier with `change` applied to its hidden numbers."""

    def __init__(self, change):
        super().__init__()
        self.a, self.b, self.change = nn.Linear(8, 24), nn.Linear(24, 3), change

    def forward(self, x):
        return self.b(self.change(self.a(x).relu()))


@bug("data not finite")
def nan_in_the_data():
    x, y = points()
    x[3, 2] = math.nan
    return usual(classifier(), (x, y))


@bug("data not normalised")
def inputs_in_thousands():
    x, y = points()
    return usual(classifier(), (x * 1000, y))


@bug("data constant")
def inputs_lost_in_scaling():
    x, y = points()
    return usual(classifier(), (x * 0, y))


@bug("targets not normalised")
def prices_in_dollars():
    x, _ = points()
    return usual(nn.Linear(8, 1), (x, 1e5 + 1e4 * x[:, :1]), F.mse_loss, lr=1e-3)


@bug("one class")
def data_sorted_by_class():
    x, y = points()
    return usual(classifier(), (x[y == 0][:16], y[y == 0][:16]))


@bug("labels contradict")
def labels_shifted_by_one():
    x, y = points()
    return usual(classifier(), (tt.cat([x, x]), tt.cat([y, y.roll(1)])))


@bug("target among the inputs")
def label_left_in_the_table():
    x, y = points()
    return usual(nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 3)),
                 (tt.cat([x, y[:, None].float()], 1), y))


@bug("labels at random")
def labels_shuffled():
    x, y = points()
    return usual(classifier(), (x, y[tt.tensor(numpy.random.default_rng(3).permutation(96))]))


@bug("not finite")
def log_of_zero():
    return usual(Changed(lambda h: h.log()))


@bug("does not run")
def sizes_that_do_not_fit():
    return usual(nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(32, 3)))


@bug("loss without gradient")
def loss_made_of_numbers():
    return usual(classifier(), loss=lambda out, y: tt.tensor(F.cross_entropy(out, y).item()))


@bug("loss not a number")
def loss_not_reduced():
    return usual(classifier(), loss=lambda out, y: F.cross_entropy(out, y, reduction="none"))


@bug("loss upside down")
def sign_of_the_loss():
    return usual(classifier(), loss=lambda out, y: -F.cross_entropy(out, y))


@bug("shapes broadcast")
def column_against_row():
    x, _ = points()
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    return usual(model, (x, x[:, :2].prod(1)), lambda out, y: ((out - y) ** 2).mean())


@bug("softmax twice")
def softmax_before_cross_entropy():
    return usual(nn.Sequential(*classifier(), nn.Softmax(-1)))


@bug("sigmoid twice")
def sigmoid_before_logits():
    x, y = points()
    return usual(nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 1), nn.Sigmoid(),
                               nn.Flatten(0)), (x, (y == 1).float()),
                 F.binary_cross_entropy_with_logits)


@bug("activation at the end")
def relu_on_logits():
    return usual(nn.Sequential(*classifier(), nn.ReLU()))


@bug("activation at the end")
def relu_on_a_regression():
    x, _ = points()
    return usual(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1), nn.ReLU()),
                 (x, x[:, :2].prod(1, keepdim=True)), F.mse_loss)


@bug("no gradient")
def detached():
    return usual(Changed(lambda h: h.detach()))


@bug("no gradient")
def through_numpy():
    return usual(Changed(lambda h: tt.tensor(h.detach().numpy())))


@bug("gradient zero")
def weights_of_zero():
    model = classifier()
    for p in model.parameters():
        nn.init.zeros_(p)
    return usual(model)


@bug("gradient zero")
def rounded():
    return usual(Changed(lambda h: h.round()))


@bug("units alike")
def weights_all_alike():
    model = classifier()
    for p in model.parameters():
        nn.init.constant_(p, 0.1)
    return usual(model)


@bug("dead units")
def biases_far_below_zero():
    model = classifier()
    with tt.no_grad():
        model[0].bias[:20] = -50
    return usual(model)


@bug("saturated")
def weights_too_large_for_tanh():
    model = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 3))
    with tt.no_grad():
        model[0].weight.mul_(50)
    return usual(model)


@bug("loss at the start")
def last_layer_too_large():
    model = classifier()
    with tt.no_grad():
        model[4].weight.mul_(50)
    return usual(model)


@bug("signal fades")
def weights_too_small():
    model = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Linear(8, 8), nn.Tanh())),
                          nn.Linear(8, 3))
    for layer in model[::2]:
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)
    return usual(model)


@bug("gradient vanishes")
def sigmoids_one_after_the_other():
    return usual(nn.Sequential(*(layer for _ in range(7)
                                 for layer in (nn.Linear(8, 8), nn.Sigmoid())), nn.Linear(8, 3)))


@bug("no nonlinearity")
def activation_forgotten():
    return usual(nn.Sequential(nn.Linear(8, 24), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3)))


@bug("samples mixed")
def softmax_over_the_batch():
    return usual(Changed(lambda h: h.softmax(0)))


@bug("samples mixed")
def view_in_place_of_transpose():
    return usual(Changed(lambda h: h.view(24, -1).t()))


@bug("sees the future")
def attention_without_a_mask():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(20, 16)
            self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
            self.head = nn.Linear(16, 20)

        def forward(self, ids):
            x = self.embed(ids)
            return self.head(x + self.attention(x, x, x)[0])
    return usual(Net(), tokens(), by_token)


@bug("target is the input")
def targets_not_shifted():
    model, (x, _), loss = recurrent()
    return usual(model, (x, x), loss)


@bug("not in the optimizer")
def layer_added_later():
    model, batch, loss, optimizer, _ = usual(nn.Sequential(nn.Linear(8, 24), nn.ReLU()))
    model.append(nn.Linear(24, 3))
    return model, batch, loss, optimizer, None


@bug("optimizer of another model")
def optimizer_made_before_the_model():
    return (classifier(), points(), F.cross_entropy,
            optim.SGD(classifier().parameters(), lr=0.1), None)


@bug("logarithm missing")
def nll_loss_of_probabilities():
    model, batch, *_ = usual(nn.Sequential(classifier(), nn.Softmax(-1)))
    return model, batch, F.nll_loss, optim.Adam(model.parameters(), lr=0.01), None


@bug("learning rate too high")
def rate_of_fifty():
    return usual(classifier(), lr=50.0)


@bug("learning rate too low")
def rate_of_a_ten_millionth():
    return usual(classifier(), lr=1e-7)


def with_decay(kind, lr, decay):
    model = classifier()
    optimizer = kind(model.parameters(), lr=lr, weight_decay=decay)
    return model, points(), F.cross_entropy, optimizer, None


@bug("weight decay too large")
def decay_of_one():
    return with_decay(optim.SGD, 0.1, 1.0)


@bug("weight decay too large")
def decay_that_erases_the_weights_in_a_step():
    return with_decay(optim.SGD, 0.1, 10.0)


@bug("weight decay too large")
def decay_in_the_gradient_of_adam():
    return with_decay(optim.Adam, 0.01, 1.0)


@bug("weight decay too large")
def decay_beside_the_gradient():
    return with_decay(optim.AdamW, 0.01, 30.0)


def step_of(model, optimizer, *, zero=True, update=True, before=lambda: None):
    def step(x, y):
        before()
        if zero:
            optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if update:
            optimizer.step()
        return loss
    return step


@bug("gradients add up")
def no_zero_grad():
    model, batch, loss, optimizer, _ = usual(classifier())
    return model, batch, loss, optimizer, step_of(model, optimizer, zero=False)


@bug("nothing moves")
def no_step():
    model, batch, loss, optimizer, _ = usual(classifier())
    return model, batch, loss, optimizer, step_of(model, optimizer, update=False)


@bug("trained in eval mode")
def eval_without_train_again():
    model, batch, loss, optimizer, _ = usual(nn.Sequential(
        nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 3)))
    return model, batch, loss, optimizer, step_of(model, optimizer, before=model.eval)


@bug("eval mode differs")
def batch_norm_with_the_other_momentum():
    return usual(nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24, momentum=1e-4), nn.ReLU(),
                               nn.Linear(24, 3)), (points()[0] * 8 + 20, points()[1]))


@pytest.mark.parametrize("name", BUGS)
def test_first_finding_is_the_bug(name):
    make, finding = BUGS[name]
    tt.manual_seed(1)
    *program, step = make()
    diagnosis = doctor(*program, step=step, seconds=60)
    assert diagnosis.findings and diagnosis.findings[0].name == finding, diagnosis


@pytest.mark.parametrize("kind, lr, decay", [
    (optim.SGD, 0.1, 1e-3), (optim.SGD, 0.1, 1e-2), (optim.Adam, 0.01, 1e-3),
    (optim.AdamW, 0.01, 0.1), (optim.AdamW, 0.01, 1.0)])
def test_a_usual_weight_decay_is_no_finding(kind, lr, decay):
    tt.manual_seed(1)
    *program, _ = with_decay(kind, lr, decay)
    diagnosis = doctor(*program, seconds=60)
    assert not diagnosis.findings and not diagnosis.skipped, diagnosis


@pytest.mark.parametrize("lr, decay, cause", [
    (50.0, 1e-3, "learning rate too high"), (1e-7, 1e-3, "learning rate too low")])
def test_a_usual_weight_decay_is_not_the_cause(lr, decay, cause):
    tt.manual_seed(1)
    *program, _ = with_decay(optim.SGD, lr, decay)
    found = [finding.name for finding in doctor(*program, seconds=60).findings]
    assert found[0] == cause and "weight decay too large" not in found


@pytest.mark.parametrize("name", [
    "labels shifted by one", "view in place of transpose", "batch norm with the other momentum"])
def test_labels_are_not_blamed_for_what_has_another_cause(name):
    make, finding = BUGS[name]
    tt.manual_seed(1)
    *program, step = make()
    found = [f.name for f in doctor(*program, step=step, seconds=60).findings]
    assert found[0] == finding and "labels at random" not in found


@pytest.mark.parametrize("lr, decay, cause", [
    (1e-7, 0.0, "learning rate too low"), (0.1, 10.0, "weight decay too large")])
def test_labels_are_named_beside_a_cause_that_does_not_explain_them(lr, decay, cause):
    """The optimizer of the program has no part in the training that judges labels."""
    tt.manual_seed(1)
    model, batch, loss, _, _ = labels_shuffled()
    optimizer = optim.SGD(model.parameters(), lr=lr, weight_decay=decay)
    found = [f.name for f in doctor(model, batch, loss, optimizer, seconds=60).findings]
    assert found[0] == cause and "labels at random" in found


# ---------------------------------------------------------------- what it promises


def test_nothing_changes():
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5),
                          nn.Linear(16, 3))
    model[3].eval()
    x, y = points()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    scheduler_options = {"lr": 0.01}
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
    before = _everything(model, optimizer)
    grads = [p.grad for p in model.parameters()]
    doctor(model, (x, y), F.cross_entropy, optimizer)
    doctor(model, (x, y), F.cross_entropy, optimizer, step=step_of(model, optimizer))
    after = _everything(model, optimizer)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert numpy.array_equal(value, after[name], equal_nan=True), name
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
    assert optimizer.param_groups[0]["lr"] == scheduler_options["lr"]


def _everything(model, optimizer):
    found = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    found |= {f"{name}.grad": p.grad.numpy().copy() for name, p in model.named_parameters()}
    found |= {f"{i}.{name}": numpy.array(value.numpy() if isinstance(value, tt.Tensor) else value)
              for i, p in enumerate(model.parameters())
              for name, value in optimizer.state[p].items()}
    found |= {f"training {name}": numpy.array(m.training) for name, m in model.named_modules()}
    found["own"] = numpy.frombuffer(repr(tt.get_rng_state()).encode(), numpy.uint8)
    found["numpy"] = numpy.frombuffer(repr(numpy.random.get_state()).encode(), numpy.uint8)
    found["python"] = numpy.frombuffer(repr(random.getstate()).encode(), numpy.uint8)
    return found


def test_nothing_changes_when_interrupted():
    tt.manual_seed(0)
    model, calls = classifier(), []
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def loss(output, y):
        calls.append(1)
        if len(calls) > 25:
            raise KeyboardInterrupt
        return F.cross_entropy(output, y)
    with pytest.raises(KeyboardInterrupt):
        doctor(model, points(), loss, optim.SGD(model.parameters(), lr=0.1))
    assert all(tt.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_report_and_page(tmp_path):
    make, _ = BUGS["biases far below zero"]
    tt.manual_seed(1)
    diagnosis = doctor(*make()[:4])
    assert str(diagnosis).startswith("doctor: ")
    assert "1. dead units: units of 0 are below 0 for every sample\n   seen    83% of 24 get a " \
        "gradient of 0\n" in str(diagnosis)
    diagnosis.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "dead units" in page and page.count("<svg") == 2 * len(diagnosis.layers) + 1
    assert "<script" not in page and "http" not in page


@pytest.mark.parametrize("classes", [5, 6])
@pytest.mark.parametrize("classes_first", [False, True])
@pytest.mark.parametrize("directions", [1, 2])
def test_the_future_is_seen_in_either_order_of_the_scores(classes, classes_first, directions):
    tt.manual_seed(0)
    text = (tt.arange(32)[:, None] + tt.arange(7)) % classes

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(classes, 8)
            self.read = nn.GRU(8, 8, batch_first=True, bidirectional=directions == 2)
            self.head = nn.Linear(8 * directions, classes)

        def forward(self, x):
            scores = self.head(self.read(self.embed(x))[0])
            return scores.transpose(1, 2) if classes_first else scores

    def loss(scores, y):
        return F.cross_entropy(scores if classes_first else scores.transpose(1, 2), y)
    model = Reader()
    diagnosis = doctor(model, (text[:, :-1], text[:, 1:]), loss,
                       optim.Adam(model.parameters(), lr=0.01))
    assert [f.name for f in diagnosis.findings] == ["sees the future"] * (directions - 1), diagnosis


def test_large_steps_that_lower_the_loss_are_no_finding():
    tt.manual_seed(0)
    x = tt.randn(100, 5)
    model = nn.Linear(5, 1)
    diagnosis = doctor(model, (x, x @ tt.full((5, 1), 3.0)), F.mse_loss,
                       optim.SGD(model.parameters(), lr=0.1))
    assert not diagnosis.findings, diagnosis


def test_targets_in_a_tuple_are_cut_with_their_samples():
    tt.manual_seed(0)
    x, y = points()
    model = nn.Linear(8, 4)

    def loss(output, targets):
        return F.cross_entropy(output[:, :3], targets[0]) + F.mse_loss(output[:, 3], targets[1])
    diagnosis = doctor(model, (x, (y, x[:, 0])), loss, optim.Adam(model.parameters(), lr=0.01))
    assert not diagnosis.findings and not diagnosis.skipped, diagnosis


def test_a_loss_of_another_kind_is_not_checked_for_what_it_cannot_have():
    """A loss that takes a tuple of outputs: checks that put numbers in its place leave it alone."""
    model, batch, loss = vae()
    assert not [f for f in doctor(model, batch, loss).findings if "loss" in f.name]


@pytest.mark.parametrize("args, words", [
    ((F.cross_entropy, points(), F.cross_entropy), "expected a Module, got"),
    ((classifier(), points()[0], F.cross_entropy), "expected a batch .input, target., got Tensor"),
])
def test_misuse(args, words):
    with pytest.raises(TypeError, match=words):
        doctor(*args)
