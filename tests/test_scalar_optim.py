"""scalar.optim against torch.optim, step by step."""

import json

import pytest
import torch

from scalar import Value, nn, optim

START = [0.7, -1.3, 2.1]
SETTINGS = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1, "nesterov": True}),
    ("SGD", {"lr": 0.05, "weight_decay": 0.2}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3}),
    ("Adam", {"lr": 0.1, "betas": (0.0, 0.5)}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.3}),
]


def loss(a, b, c):
    return (a * b).tanh() + (b + c).sigmoid() * a + a * a * 0.1 + b * b * 0.2 + (c * c + 0.1).log()


def run(optimizer, params, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss(*params).backward()
        optimizer.step()


def fresh():
    return [Value(x) for x in START]


def fresh_torch():
    return [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in START]


def numbers(params):
    return [float(p) for p in params]


@pytest.mark.parametrize("name, options", SETTINGS)
def test_fifty_steps(name, options):
    params, tensors = fresh(), fresh_torch()
    optimizer = getattr(optim, name)(params, **options)
    reference = getattr(torch.optim, name)(tensors, **options)
    for _ in range(50):
        run(optimizer, params, 1)
        run(reference, tensors, 1)
        assert numbers(params) == pytest.approx([t.item() for t in tensors], rel=1e-12, abs=1e-12)
    assert numbers(params) != pytest.approx(START, abs=1e-3)


def test_the_defaults_are_pytorchs():
    for name in ("SGD", "Adam"):
        ours = getattr(optim, name)(fresh()).param_groups[0]
        theirs = getattr(torch.optim, name)(fresh_torch()).param_groups[0]
        assert len(ours) > 3
        assert all(theirs[option] == ours[option] for option in ours if option != "params")


def test_groups_have_options_of_their_own():
    params, tensors = fresh(), fresh_torch()
    ours = optim.SGD([{"params": params[:1], "lr": 0.01}, {"params": iter(params[1:])}], lr=0.1,
                     momentum=0.5)
    theirs = torch.optim.SGD([{"params": tensors[:1], "lr": 0.01}, {"params": tensors[1:]}],
                             lr=0.1, momentum=0.5)
    assert [group["lr"] for group in ours.param_groups] == [0.01, 0.1]
    for _ in range(5):
        run(ours, params, 1)
        run(theirs, tensors, 1)
        for optimizer in (ours, theirs):
            optimizer.param_groups[1]["lr"] *= 0.5
    assert numbers(params) == pytest.approx([t.item() for t in tensors], rel=1e-12)


def test_a_group_added_later_and_of_one_parameter():
    params = fresh()
    optimizer = optim.SGD(params[:2], lr=0.1)
    optimizer.add_param_group({"params": params[2], "lr": 1.0})
    params[2].grad = 2.0
    optimizer.step()
    assert params[2].data == pytest.approx(START[2] - 2.0)


def test_zero_grad():
    params = fresh()
    loss(*params).backward()
    optim.SGD(params).zero_grad()
    assert [p.grad for p in params] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name, options", SETTINGS)
def test_state_goes_on_elsewhere_also_through_json(name, options):
    params = fresh()
    optimizer = getattr(optim, name)(params, **options)
    run(optimizer, params, 7)
    copies = [Value(p.data) for p in params]
    other = getattr(optim, name)(copies, lr=0.5)
    other.load_state_dict(json.loads(json.dumps(optimizer.state_dict())))
    run(optimizer, params, 5)
    run(other, copies, 5)
    assert numbers(copies) == numbers(params)


def test_the_state_is_plain_data_under_pytorchs_names():
    params, tensors = fresh(), fresh_torch()
    ours, theirs = optim.Adam(params), torch.optim.Adam(tensors)
    run(ours, params, 3)
    run(theirs, tensors, 3)
    state, reference = ours.state_dict(), theirs.state_dict()
    assert state["param_groups"][0]["params"] == reference["param_groups"][0]["params"]
    assert state["state"].keys() == reference["state"].keys()
    for i, entry in state["state"].items():
        assert entry == pytest.approx({k: float(x) for k, x in reference["state"][i].items()},
                                      rel=1e-12)
    state["state"][0]["exp_avg"] = 99.0
    assert ours.state_dict()["state"][0]["exp_avg"] != 99.0


@pytest.mark.parametrize("groups", [[{"params": START[:2]}], [{"params": [0]}, {"params": [1, 2]}]])
def test_a_state_for_other_groups_is_refused(groups):
    params = fresh()
    optimizer = optim.SGD(params, lr=0.25)
    with pytest.raises(ValueError, match=r"groups of the sizes .*, the optimizer \[3\]"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{**g, "lr": 1} for g in groups]})
    assert optimizer.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("name, options, message", [
    ("SGD", {"lr": -1.0}, "Invalid learning rate: -1.0"),
    ("SGD", {"lr": float("nan")}, "Invalid learning rate: nan"),
    ("SGD", {"momentum": -0.1}, "Invalid momentum value: -0.1"),
    ("SGD", {"weight_decay": -0.1}, "Invalid weight_decay value: -0.1"),
    ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "Nesterov momentum requires"),
    ("Adam", {"lr": -1.0}, "Invalid learning rate: -1.0"),
    ("Adam", {"eps": -1e-8}, "Invalid epsilon value: -1e-08"),
    ("Adam", {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
    ("Adam", {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
    ("Adam", {"weight_decay": -1}, "Invalid weight_decay value: -1"),
])
def test_options_out_of_their_range(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)(fresh(), **options)
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)([{"params": fresh(), **options}])


@pytest.mark.parametrize("name, options, message", [
    ("SGD", {"lr": "0.1"}, "SGD: lr must be a number, got str '0.1'"),
    ("SGD", {"lr": Value(0.1)}, r"SGD: lr must be a number, got Value"),
    ("SGD", {"momentum": None}, "SGD: momentum must be a number, got NoneType None"),
    ("SGD", {"dampening": "0"}, "SGD: dampening must be a number, got str '0'"),
    ("Adam", {"lr": [0.1]}, r"Adam: lr must be a number, got list \[0.1\]"),
    ("Adam", {"betas": 0.9}, r"Adam: betas must be two numbers, got 0\.9"),
    ("Adam", {"betas": (0.9,)}, r"Adam: betas must be two numbers, got \(0\.9,\)"),
    ("Adam", {"betas": (0.9, "0.99")}, r"Adam: betas\[1\] must be a number, got str '0\.99'"),
])
def test_options_that_are_not_numbers(name, options, message):
    with pytest.raises(TypeError, match=message):
        getattr(optim, name)(fresh(), **options)


def test_a_model_in_place_of_its_parameters():
    with pytest.raises(TypeError, match=r"got MLP; for a model, pass model\.parameters\(\)"):
        optim.SGD(nn.MLP(2, [1]))


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_parameters_that_are_none(make):
    a = Value(1.0)
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        make([])
    with pytest.raises(ValueError, match=r"can't optimize .*'\*', not a leaf"):
        make([a * 2])
    with pytest.raises(ValueError, match="more than once"):
        make([a, Value(1.0), a])
    with pytest.raises(ValueError, match="more than once"):
        make([{"params": [a]}, {"params": [a]}])
    with pytest.raises(TypeError, match="iterable of Values or dicts, got Value"):
        make(a)
    with pytest.raises(TypeError, match="can only optimize Values, got float"):
        make([1.0])


def test_adam_with_a_zero_gradient_and_no_eps_gives_nan_and_no_exception():
    p, t = Value(1.0), torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    t.grad = torch.zeros_like(t)
    optim.Adam([p], eps=0).step()
    torch.optim.Adam([t], eps=0).step()
    assert repr(p.data) == repr(t.item()) == "nan"
