"""Jobs of libraries that measure: losses, metrics, explanations, attacks, summaries."""

import numpy as np
import torch
from jobs_tools import fill, numbers
from torch import nn


def torchmetrics():
    import torchmetrics as tm

    scores = numbers(40, 3).softmax(1).float()
    labels = torch.from_numpy(np.random.RandomState(1).randint(0, 3, 40))
    metrics = [tm.Accuracy(task="multiclass", num_classes=3),
               tm.F1Score(task="multiclass", num_classes=3, average="macro"),
               tm.AUROC(task="multiclass", num_classes=3),
               tm.ConfusionMatrix(task="multiclass", num_classes=3)]
    regression = [tm.MeanSquaredError(), tm.R2Score(), tm.PearsonCorrCoef(), tm.MeanAbsoluteError()]
    results = []
    for metric in metrics:
        metric.update(scores[:20], labels[:20])
        metric.update(scores[20:], labels[20:])
        results.append(metric.compute())
    for metric in regression:
        results.append(metric(numbers(30).float(), numbers(30, seed=3).float()))
    return results


def pytorch_metric_learning():
    from pytorch_metric_learning import distances, losses, miners

    x, labels = numbers(12, 6).requires_grad_(), torch.arange(12) % 3
    results = []
    for loss in (losses.TripletMarginLoss(), losses.ContrastiveLoss(), losses.NTXentLoss(),
                 losses.MultiSimilarityLoss(), losses.CircleLoss(),
                 losses.TripletMarginLoss(distance=distances.CosineSimilarity())):
        results.append(loss(x, labels))
    results.append(losses.TripletMarginLoss()(x, labels, miners.MultiSimilarityMiner()(x, labels)))
    sum(results).backward()
    return [*results, x.grad]


def info_nce():
    from info_nce import InfoNCE

    query, key = numbers(8, 5).requires_grad_(), numbers(8, 5, seed=1)
    results = [InfoNCE()(query, key), InfoNCE(negative_mode="paired")(
        query, key, numbers(8, 3, 5, seed=2))]
    sum(results).backward()
    return [*results, query.grad]


def lightly():
    from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, NTXentLoss, VICRegLoss

    x, y = numbers(8, 6).requires_grad_(), numbers(8, 6, seed=1)
    results = [loss(x, y) for loss in (NTXentLoss(), NegativeCosineSimilarity(), VICRegLoss(),
                                       BarlowTwinsLoss())]
    sum(results).backward()
    return [*results, x.grad]


def pytorch_msssim():
    from pytorch_msssim import ms_ssim, ssim

    x = numbers(2, 3, 180, 176).sigmoid().requires_grad_()
    y = numbers(2, 3, 180, 176, seed=1).sigmoid()
    window = torch.exp(-torch.arange(-5, 6).double() ** 2 / 4.5)  # the library's is of float32
    window = (window / window.sum()).repeat(3, 1, 1, 1)
    results = [ssim(x, y, data_range=1.0, win=window),
               ms_ssim(x, (x + y) / 2, data_range=1.0, win=window)]
    sum(results).backward()
    return [*results, x.grad]


def lpips():
    import lpips as l

    model = fill(l.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)).eval()
    x = numbers(1, 3, 64, 64).float().requires_grad_()
    y = model(x, numbers(1, 3, 64, 64, seed=1).float())
    y.sum().backward()
    return [y, x.grad]


def piq():
    import piq as p

    x = numbers(1, 3, 96, 96).sigmoid().requires_grad_()
    y = numbers(1, 3, 96, 96, seed=1).sigmoid()
    results = [p.psnr(x, y), p.ssim(x, y, downsample=False), p.total_variation(x),
               p.gmsd(x, y), p.vif_p(x, y)]
    sum(results).backward()
    return [*results, x.grad]


def geomloss():
    from geomloss import SamplesLoss

    x, y = numbers(10, 2).requires_grad_(), numbers(8, 2, seed=1)
    results = [SamplesLoss(kind, p=2, blur=0.3, backend="tensorized")(x, y)
               for kind in ("sinkhorn", "gaussian", "laplacian", "energy")]
    sum(results).backward()
    return [*results, x.grad]


def fvcore():
    from fvcore.nn import giou_loss, parameter_count, sigmoid_focal_loss, smooth_l1_loss

    x, y = numbers(4, 3).requires_grad_(), (numbers(4, 3, seed=1) > 0).double()
    boxes = torch.tensor([[0.0, 0, 4, 4], [1, 1, 5, 5]])
    results = [sigmoid_focal_loss(x, y, reduction="mean"), smooth_l1_loss(x, y, 0.5, "sum"),
               giou_loss(boxes, boxes.flip(0), "sum")]
    (results[0] + results[1]).backward()
    return [*results, x.grad, parameter_count(nn.Linear(3, 4))[""]]


def captum():
    from captum.attr import DeepLift, IntegratedGradients, Occlusion, Saliency, ShapleyValueSampling

    model = fill(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)).double())
    x = numbers(4, 5)
    torch.manual_seed(0)
    return [IntegratedGradients(model).attribute(x, target=1, n_steps=20),
            Saliency(model).attribute(x.clone().requires_grad_(), target=2),
            DeepLift(model).attribute(x, target=0),
            Occlusion(model).attribute(x, target=1, sliding_window_shapes=(2,)),
            ShapleyValueSampling(model).attribute(x, target=1, n_samples=3)]


def grad_cam():
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = fill(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
                               nn.Flatten(), nn.Linear(32, 4)))
    with GradCAM(model, [model[0]]) as cam:
        return [cam(numbers(2, 3, 12, 12).float(), [ClassifierOutputTarget(1)] * 2)]


def torchattacks():
    import torchattacks as t

    model = fill(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(),
                               nn.Linear(4 * 36, 3))).eval()
    x, labels = numbers(4, 3, 8, 8).float().sigmoid(), torch.tensor([0, 1, 2, 0])
    torch.manual_seed(0)
    return [t.FGSM(model, 0.03)(x, labels), t.PGD(model, 0.03, 0.01, 4)(x, labels),
            t.CW(model, steps=3)(x, labels), t.DeepFool(model, steps=3)(x, labels)]


def foolbox():
    import foolbox as f

    model = fill(nn.Sequential(nn.Flatten(), nn.Linear(48, 3))).eval()
    wrapped = f.PyTorchModel(model, bounds=(0, 1), device="cpu")
    x, labels = numbers(4, 3, 4, 4).float().sigmoid(), torch.tensor([0, 1, 2, 0])
    torch.manual_seed(0)
    _, clipped, success = f.attacks.LinfPGD(steps=5, random_start=False)(
        wrapped, x, labels, epsilons=[0.03])
    return [clipped[0], success]


def torchinfo():
    from torchinfo import summary

    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
                          nn.Linear(8 * 36, 4))
    info = summary(model, input_size=(2, 3, 8, 8), verbose=0)
    return [info.total_params, info.total_mult_adds, info.total_output_bytes]


def torchsummary():
    import contextlib
    import io

    from torchsummary import summary

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        summary(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4)),
                (3, 8, 8), device="cpu")
    return [np.frombuffer(text.getvalue().encode(), "uint8")]


def thop():
    from thop import profile

    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
                          nn.Linear(8 * 36, 4))
    return list(profile(model, inputs=(torch.ones(1, 3, 8, 8),), verbose=False))


def ptflops():
    from ptflops import get_model_complexity_info

    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    return list(get_model_complexity_info(model, (3, 8, 8), as_strings=False, verbose=False,
                                          print_per_layer_stat=False, backend="pytorch"))


def torchviz():
    import re

    from torchviz import make_dot

    model = fill(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)))
    drawing = make_dot(model(torch.ones(2, 3)).mean(), params=dict(model.named_parameters()))
    return [len(re.findall(r"\([0-9, ]+\)", drawing.source)), "TanhBackward" in drawing.source]


def torchview():
    from torchview import draw_graph

    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    drawing = draw_graph(model, input_size=(2, 3), device="cpu", strict=False)
    return [drawing.visual_graph.source.count("->")]
