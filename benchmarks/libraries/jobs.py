"""A small real job for each library: models, training steps, and what they compute.

    python jobs.py NAME RESULT.npz                              under PyTorch
    python -m tinytensor run jobs.py NAME RESULT.npz            under tinytensor

A job returns arrays and numbers. Weights come from NumPy, so that both start equal, and jobs
compute in float64 where the library allows it.
"""

import os
import sys

import numpy as np
import torch
from torch import nn

if "tinytensor" not in torch.__version__:
    # The wheel of torchvision on PyPI is built for CUDA. Beside PyTorch for the CPU its operators
    # are not loaded, and it is imported only if they are declared.
    for _name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{_name}",
                             "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", OMP_NUM_THREADS="1")


def fill(module, scale=0.2):
    """Gives every parameter numbers of NumPy, the same for a name in every run."""
    with torch.no_grad():
        for number, (_, parameter) in enumerate(module.named_parameters()):
            numbers = np.random.RandomState(number).standard_normal(tuple(parameter.shape))
            if parameter.ndim == 1:
                numbers = 1 + 0.1 * numbers
            else:
                numbers = numbers * scale / np.sqrt(max(1, parameter[0].numel() / 16))
            parameter.copy_(torch.from_numpy(np.asarray(numbers)).to(parameter.dtype))
    return module


def numbers(*shape, seed=7):
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape))


def plain(x):
    return x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def step(model, *inputs, loss=lambda y: (y ** 2).mean(), steps=2, lr=1e-3, **named):
    """The losses of training steps, the last output, and the largest gradients."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    results = []
    for _ in range(steps):
        optimizer.zero_grad()
        out = model(*inputs, **named)
        value = loss(out)
        value.backward()
        results.append(value.item())
        optimizer.step()
    gradients = [p.grad.abs().max().item() for p in model.parameters() if p.grad is not None]
    return [*results, np.array(gradients)]


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


def _timm(*names, size=64):
    import timm

    results = []
    for name in names:
        model = fill(timm.create_model(name, num_classes=5).double())
        model.eval()
        own = model.pretrained_cfg["input_size"][1] if model.pretrained_cfg.get(
            "fixed_input_size") else size
        results += step(model, numbers(1, 3, own, own), steps=1)
    return results


def timm_convolutions():
    return _timm("resnet18", "mobilenetv3_small_050", "efficientnet_lite0", "convnext_atto",
                 "regnetx_002", "densenet121", "ghostnet_050", "lcnet_050")


def timm_transformers():
    return _timm("vit_tiny_patch16_224", "deit_tiny_patch16_224", "mixer_s32_224",
                 "swin_tiny_patch4_window7_224", "levit_conv_128s", "poolformer_s12",
                 "eva02_tiny_patch14_224")


def torchvision_models():
    import torchvision

    results = []
    for name in ("resnet18", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5",
                 "efficientnet_b0", "convnext_tiny", "densenet121", "googlenet", "regnet_y_400mf"):
        options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
        model = fill(torchvision.models.get_model(name, num_classes=5, **options).double()).eval()
        results += step(model, numbers(1, 3, 64, 64), steps=1)
    model = torchvision.models.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=5)
    results += step(fill(model.double()), numbers(2, 3, 32, 32))
    swin = torchvision.models.SwinTransformer([4, 4], 24, [1, 1], [2, 2], [4, 4], num_classes=5)
    return results + step(fill(swin.double()).eval(), numbers(1, 3, 64, 64), steps=1)


def torchvision_transforms():
    from torchvision.transforms import v2

    x = torch.from_numpy(np.random.RandomState(0).randint(0, 256, (3, 20, 24)).astype("uint8"))
    y = v2.functional.to_dtype(x, torch.float32, scale=True)
    return [v2.functional.resize(y, [10, 12], antialias=True),
            v2.functional.normalize(y, [0.5] * 3, [0.2] * 3), v2.functional.hflip(y),
            v2.functional.center_crop(y, [8, 8]), v2.functional.rotate(y, 30.0),
            v2.functional.gaussian_blur(y, [3, 3], [0.8, 0.8]),
            v2.functional.adjust_contrast(y, 0.5), v2.functional.adjust_hue(y, 0.1),
            v2.functional.affine(y, 10.0, [1, 2], 1.1, [3.0, 2.0])]


def torchvision_ops():
    import torchvision

    boxes = torch.tensor([[0.0, 0, 4, 4], [1, 1, 5, 5], [2, 0, 3, 6]])
    return [torchvision.ops.box_iou(boxes, boxes),
            torchvision.ops.generalized_box_iou(boxes, boxes),
            torchvision.ops.box_convert(boxes, "xyxy", "cxcywh"),
            torchvision.ops.sigmoid_focal_loss(numbers(3, 4), (numbers(3, 4) > 0).double(),
                                               reduction="mean"),
            torchvision.utils.make_grid(numbers(4, 3, 5, 5))]


def _language_model(config_class, model_class, **options):
    import transformers

    config = getattr(transformers, config_class)(
        vocab_size=50, bos_token_id=1, eos_token_id=None, pad_token_id=0, **options)
    model = fill(getattr(transformers, model_class)(config).double()).eval()
    tokens = torch.from_numpy(np.random.RandomState(1).randint(2, 50, (2, 12)))
    results = step(model, input_ids=tokens, labels=tokens, loss=lambda out: out.loss)
    with torch.no_grad():
        results.append(model(tokens).logits)
        results.append(model.generate(tokens, max_new_tokens=8, do_sample=False,
                                      attention_mask=torch.ones_like(tokens)))
    return results


def transformers_gpt2():
    return _language_model("GPT2Config", "GPT2LMHeadModel", n_positions=32, n_embd=32, n_layer=2,
                           n_head=4)


def transformers_llama():
    return _language_model("LlamaConfig", "LlamaForCausalLM", hidden_size=32, intermediate_size=64,
                           num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)


def transformers_bert():
    import transformers

    config = transformers.BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2,
                                     num_attention_heads=4, intermediate_size=64)
    model = fill(transformers.BertForSequenceClassification(config).double()).eval()
    tokens = torch.from_numpy(np.random.RandomState(1).randint(2, 50, (2, 12)))
    return step(model, input_ids=tokens, labels=torch.tensor([0, 1]), loss=lambda out: out.loss)


def transformers_vit():
    import transformers

    config = transformers.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                                    intermediate_size=64, image_size=32, patch_size=8)
    model = fill(transformers.ViTForImageClassification(config).double()).eval()
    return step(model, numbers(2, 3, 32, 32), labels=torch.tensor([0, 1]),
                loss=lambda out: out.loss)


def diffusers():
    from diffusers import DDPMScheduler, UNet2DModel

    model = fill(UNet2DModel(
        sample_size=16, in_channels=1, out_channels=1, layers_per_block=1,
        block_out_channels=(16, 32), norm_num_groups=8,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D")).double())
    scheduler = DDPMScheduler(num_train_timesteps=100)
    clean, noise = numbers(2, 1, 16, 16), numbers(2, 1, 16, 16, seed=8)
    times = torch.tensor([3, 70])
    noisy = scheduler.add_noise(clean, noise, times)
    return [noisy, *step(model, noisy, times, loss=lambda out: ((out.sample - noise) ** 2).mean())]


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


def torchdiffeq():
    from torchdiffeq import odeint, odeint_adjoint

    field = fill(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).double())

    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = field

        def forward(self, t, y):
            return self.net(y) * torch.cos(t)

    times, start = torch.linspace(0, 2, 5).double(), numbers(3, 2)
    y = odeint(Field(), start, times, method="dopri5")
    z = odeint_adjoint(Field(), start, times, method="rk4", options={"step_size": 0.1})
    (z ** 2).sum().backward()
    return [y, z, *(p.grad for p in field.parameters())]


def torchinfo():
    from torchinfo import summary

    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
                          nn.Linear(8 * 36, 4))
    info = summary(model, input_size=(2, 3, 8, 8), verbose=0)
    return [info.total_params, info.total_mult_adds, info.total_output_bytes]


def vit_pytorch():
    from vit_pytorch import SimpleViT, ViT

    options = dict(image_size=32, patch_size=8, num_classes=5, dim=32, depth=2, heads=4, mlp_dim=64)
    return step(fill(ViT(**options).double()).eval(), numbers(2, 3, 32, 32)) \
        + step(fill(SimpleViT(**options)), numbers(2, 3, 32, 32).float())


def x_transformers():
    from x_transformers import Decoder, TransformerWrapper

    model = fill(TransformerWrapper(
        num_tokens=50, max_seq_len=32,
        attn_layers=Decoder(dim=32, depth=2, heads=4, rotary_pos_emb=True)))
    tokens = torch.from_numpy(np.random.RandomState(1).randint(0, 50, (2, 12)))
    return step(model, tokens, loss=lambda y: nn.functional.cross_entropy(
        y.transpose(1, 2), tokens))


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


JOBS = {name: job for name, job in list(globals().items())
        if callable(job) and getattr(job, "__module__", "") == __name__
        and name not in ("fill", "numbers", "plain", "step") and name[0] != "_"}

if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    values = JOBS[sys.argv[1]]()
    np.savez(sys.argv[2], *map(plain, values))
