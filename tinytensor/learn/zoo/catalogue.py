"""The thirty programs of the zoo: each has one bug, hints, a goal for its score, and a cure."""

from __future__ import annotations

import ast
import functools
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..doctor import Diagnosis, doctor

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Exhibit:
    """A program with one bug.

    number    from 1
    name      of the bug
    finding   the doctor's first finding
    goal      the score that the healed program reaches, and the program with the bug does not
    hints     three, each says more than the one before
    cure      (text of the program, text in its place)
    """

    number: int
    name: str
    finding: str
    goal: float
    hints: tuple[str, str, str]
    cure: tuple[str, str]

    @property
    def path(self) -> Path:
        return PROGRAMS / f"{self.number:02}_{self.name}.py"

    def text(self, healed: bool = False) -> str:
        text = self.path.read_text(encoding="utf-8")
        if not healed:
            return text
        before, after = self.cure
        if text.count(before) != 1:
            raise ValueError(f"{self.path.name}: the cure's text occurs {text.count(before)} times")
        return text.replace(before, after)

    @property
    def symptom(self) -> str:
        return self._docstring().partition("\n\n")[0].replace("\n", " ")

    @property
    def question(self) -> str:
        return self._docstring().partition("\n\n")[2].strip().replace("\n", " ")

    def _docstring(self) -> str:
        return ast.get_docstring(ast.parse(self.text())) or ""

    def examine(self, program: Any) -> Diagnosis:
        """The doctor's diagnosis of a program: of this one's text, or of a learner's."""
        model, optimizer = program.build()
        evaluate = getattr(program, "evaluate", None)
        return doctor(model, program.batch, program.criterion, optimizer,
                      step=lambda *batch: program.step(model, optimizer, *batch),
                      evaluate=evaluate and functools.partial(evaluate, model))


def load(path: Path, text: str | None = None) -> Any:
    """Runs a program of the zoo as a module, from its file or from `text`.

    Raises:
        Exception: whatever the program raises.
    """
    module: Any = types.ModuleType(path.stem)
    module.__file__ = str(path)
    source = path.read_text(encoding="utf-8") if text is None else text
    exec(compile(source, str(path), "exec"), vars(module))
    return module


ZOO = [
    Exhibit(1, "no_zero_grad", "gradients add up", 0.85, (
        "Print model[0].weight.grad.norm() after every backward().",
        "backward() adds to grad. It does not replace it.",
        "Something must clear the gradients once per step.",
    ), ("    loss = criterion(model(x), y)\n    loss.backward()",
        "    optimizer.zero_grad()\n    loss = criterion(model(x), y)\n    loss.backward()")),
    Exhibit(2, "softmax_twice", "softmax twice", 0.75, (
        "Compute the loss for the best possible output, one 1 and two 0.",
        "Read in the documentation of cross_entropy what it expects as input.",
        "cross_entropy applies log_softmax itself. Which layer does it again?",
    ), (", nn.Softmax(1))", ")")),
    Exhibit(3, "wrong_axis", "samples mixed", 0.85, (
        "Compare model(x)[0] with model(x[:1])[0].",
        "Print h.mean(0).shape and h.mean(1).shape.",
        "Dimension 0 counts the points. Each point has its own 24 hidden numbers.",
    ), ("h.mean(0, keepdim=True)", "h.mean(1, keepdim=True)")),
    Exhibit(4, "column_against_row", "shapes broadcast", 0.8, (
        "Print output.shape, y.shape and (output - y).shape.",
        "Shapes are aligned at the right: (96, 1) and (96) give (96, 96).",
        "Give output and y the same shape before they are subtracted.",
    ), ("((output - y) ** 2)", "((output.squeeze(1) - y) ** 2)")),
    Exhibit(5, "rate_too_high", "learning rate too high", 0.85, (
        "Print the norm of a weight before and after the first step.",
        "A step should move a weight by a thousandth to a hundredth of its size.",
        "Lower the learning rate ten times, until the loss falls.",
    ), ("lr=100.0", "lr=0.3")),
    Exhibit(6, "rate_too_low", "learning rate too low", 0.85, (
        "Print the norm of a weight before and after the first step.",
        "A step should move a weight by a thousandth to a hundredth of its size.",
        "Raise the learning rate ten times, until the loss falls quickly.",
    ), ("lr=3e-7", "lr=0.3")),
    Exhibit(7, "dead_units", "dead units", 0.85, (
        "Print the share of hidden numbers above 0: (model[:2](x) > 0).float().mean().",
        "Below 0 a ReLU gives 0, and its gradient is 0 as well.",
        "Which line moves all hidden numbers below 0?",
    ), ("    nn.init.constant_(model[0].bias, -20.0)\n", "")),
    Exhibit(8, "weights_too_large", "loss at the start", 0.9, (
        "Compare the first loss with log(3), that of a uniform guess.",
        "Print the standard deviation of the outputs before training.",
        "Which layer starts with weights far above 1 / sqrt(inputs)?",
    ), ("    nn.init.normal_(model[2].weight, std=300.0)\n", "")),
    Exhibit(9, "units_alike", "units alike", 0.85, (
        "Print model[0].weight before and after training.",
        "Units with equal weights get equal gradients.",
        "Initial weights must differ, so they are drawn at random.",
    ), ("    for parameter in model.parameters():\n"
        "        nn.init.constant_(parameter, 0.05)\n", "")),
    Exhibit(10, "eval_forgotten", "evaluated in training mode", 0.85, (
        "Call evaluate(model) twice, and compare.",
        "Print model.training inside of evaluate.",
        "Dropout is for training only. A Module has two modes; look up the methods that set them.",
    ), ("def evaluate(model):\n    with", "def evaluate(model):\n    model.eval()\n    with")),
    Exhibit(11, "train_forgotten", "trained in eval mode", 0.9, (
        "Print model.training inside of step.",
        "evaluate() changes the mode of the model. Who changes it back?",
        "Each step must begin in training mode. Look up the method that sets it.",
    ), ("    optimizer.zero_grad()\n", "    model.train()\n    optimizer.zero_grad()\n")),
    Exhibit(12, "labels_shuffled", "labels at random", 0.85, (
        "Print a point and its label before and after the line with order.",
        "x[order][0] is another point than x[0]. What is y[0] then?",
        "What is shuffled together must be indexed together.",
    ), ("x = x[order]\n", "x, y = x[order], y[order]\n")),
    Exhibit(13, "samples_mixed", "samples mixed", 0.85, (
        "Change one image, and look which rows of the output change.",
        "Print pixels[0] and images[0]: are they the same numbers?",
        "reshape keeps the order of the numbers in memory. The images must stay the first "
        "dimension.",
    ), ("images.permute(1, 2, 0).reshape(len(images), 36)", "images.reshape(len(images), 36)")),
    Exhibit(14, "sees_the_future", "sees the future", 0.85, (
        "Change the last token of x, and look whether model(x)[:, 0] changes.",
        "The answer at position t is the token at t + 1, which stands in the input as well.",
        "scaled_dot_product_attention has an option for this.",
    ), ("attention(q, k, v)", "attention(q, k, v, is_causal=True)")),
    Exhibit(15, "target_is_the_input", "target is the input", 0.85, (
        "Print x[0] and y[0] beside each other.",
        "What does the model have to do to copy its input?",
        "The target at position t is the token at t + 1. tokens() returns both.",
    ), ("x, y = text, text\n", "x, y = tokens(seed=0)\n")),
    Exhibit(16, "overwritten", "does not run", 0.85, (
        "The error names two lines. What happens between them?",
        "The derivative of exp(x) is exp(x): the result is needed again in backward.",
        "h *= 2 writes into that result. Make a new Tensor in its place.",
    ), ("        h *= 2\n", "        h = h * 2\n")),
    Exhibit(17, "detached", "no gradient", 0.85, (
        "Print model.a.weight.grad after backward().",
        "A graph consists of operations on Tensors. tolist() leaves it.",
        "What is the line good for?",
    ), ("tt.tensor(self.a(x).relu().tolist())", "self.a(x).relu()")),
    Exhibit(18, "not_normalised", "data not normalised", 0.8, (
        "Print x.mean() and x.std().",
        "Print model[0](x).abs().mean(): what is the slope of tanh there?",
        "Divide x and held_x by the standard deviation of x.",
    ), ("batch = x, y", "x, held_x = x / x.std(), held_x / x.std()\nbatch = x, y")),
    Exhibit(19, "stale_optimizer", "optimizer of another model", 0.85, (
        "Compare id(model[0].weight) with the ids in optimizer.param_groups.",
        "An optimizer holds Tensors, not the variable `model`.",
        "Make the optimizer after the model that is trained.",
    ), ("    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 3))\n"
        "    return model, optimizer", "    return model, optimizer")),
    Exhibit(20, "layers_in_a_list", "hidden layers", 0.9, (
        "Print [name for name, _ in model.named_parameters()].",
        "A Module finds layers in its attributes. It does not look into lists.",
        "There is a list that is a Module: nn.ModuleList.",
    ), ("[nn.Linear(8, 16), nn.Linear(16, 5)]",
        "nn.ModuleList([nn.Linear(8, 16), nn.Linear(16, 5)])")),
    Exhibit(21, "momentum_of_batch_norm", "eval mode differs", 0.85, (
        "Compare the loss of one batch after model.train() and after model.eval().",
        "Print model[1].running_mean and model[0](x).mean(0).",
        "In PyTorch momentum is the share of the new batch, not of the past.",
    ), (", momentum=0.0001", "")),
    Exhibit(22, "sign", "loss upside down", 0.85, (
        "What is the largest value that log_softmax can have?",
        "The loss of a right answer should be the smallest.",
        "The cross-entropy is minus the log of the right class's probability.",
    ), ("return F.log_softmax", "return -F.log_softmax")),
    Exhibit(23, "step_before_backward", "nothing moves", 0.85, (
        "Print model[0].weight.grad in the line before optimizer.step().",
        "Write down which line fills grad, which empties it, and which reads it.",
        "The order is zero_grad, backward, step.",
    ), ("    optimizer.step()\n    loss.backward()\n",
        "    loss.backward()\n    optimizer.step()\n")),
    Exhibit(24, "relu_at_the_end", "activation at the end", 0.85, (
        "Print the smallest of the outputs, and the share of zeros.",
        "A class whose output is 0 gets no gradient through the ReLU.",
        "cross_entropy takes any numbers. Which layer is too much?",
    ), ("nn.Linear(24, 3), nn.ReLU())", "nn.Linear(24, 3))")),
    Exhibit(25, "sigmoid_twice", "sigmoid twice", 0.75, (
        "Print the smallest and the largest output.",
        "Read in the documentation of binary_cross_entropy_with_logits what a logit is.",
        "The loss applies a sigmoid. Which layer does it again?",
    ), (" nn.Sigmoid(),\n", "\n")),
    Exhibit(26, "no_nonlinearity", "no nonlinearity", 0.8, (
        "Draw the predictions over x.",
        "Multiply out W2 (W1 x + b1) + b2.",
        "Something must stand between two linear layers.",
    ), ("nn.Linear(1, 24), nn.Linear(24, 24), nn.Linear(24, 1)",
        "nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1)")),
    Exhibit(27, "target_among_the_inputs", "target among the inputs", 0.85, (
        "Train on each column alone. Which is enough by itself?",
        "Is that column known when the model is used?",
        "Leave the column out of both tables.",
    ), ("x = tt.cat([x, 10.0 * y[:, None]], 1)\n"
        "held_x = tt.cat([held_x, tt.zeros(len(held_x), 1)], 1)"
        "  # the answer is not known yet\n", "")),
    Exhibit(28, "sorted_data", "one class", 0.85, (
        "Print the labels of the first batch.",
        "A step makes the classes of its batch more likely, whatever the input.",
        "Shuffle points and labels together before they are cut into batches.",
    ), ("order = y.argsort()", "order = tt.randperm(len(y))")),
    Exhibit(29, "vanishing_gradient", "gradient vanishes", 0.8, (
        "Print the norm of each weight's gradient, from the first layer to the last.",
        "The slope of a sigmoid is 1/4 at most. What is its eighth power?",
        "Use an activation whose slope is 1 for half of its inputs.",
    ), ("(nn.Linear(8, 8), nn.Sigmoid())", "(nn.Linear(8, 8), nn.LeakyReLU())")),
    Exhibit(30, "log_of_zero", "not finite", 0.8, (
        "Run the training inside of `with tt.autograd.detect_anomaly():`.",
        "A one-hot target consists of a 1 and of zeros. Print target.log().",
        "The term of target.log() does not depend on the model. The gradient does not need it.",
    ), ("(target.log() - F.log_softmax(output, 1))", "-F.log_softmax(output, 1)")),
]
