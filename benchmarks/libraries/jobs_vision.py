"""Jobs of libraries for images: models, transforms, generation."""

import numpy as np
import torch
from jobs_tools import fill, numbers, step
from torch import nn


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


def kornia():
    import kornia as k

    x = numbers(2, 3, 12, 14).float().sigmoid().requires_grad_()
    y = [k.color.rgb_to_grayscale(x), k.color.rgb_to_hsv(x), k.filters.gaussian_blur2d(
        x, (3, 3), (1.0, 1.0)), k.filters.sobel(x), k.geometry.transform.rotate(
        x, torch.tensor([20.0, -30.0])), k.geometry.transform.hflip(x),
        k.losses.ssim_loss(x, x.detach().flip(-1), 5), k.filters.median_blur(x, (3, 3)),
        k.geometry.transform.warp_affine(x, torch.tensor(
            [[[1.0, 0.1, 1], [0, 0.9, 2]]]).repeat(2, 1, 1), (12, 14))]
    sum(part.sum() for part in y).backward()
    return [*y, x.grad]


def segmentation_models():
    import segmentation_models_pytorch as smp

    results = []
    target = torch.from_numpy(np.random.RandomState(0).randint(0, 2, (1, 2, 64, 64)).astype(float))
    for name in ("Unet", "FPN", "DeepLabV3Plus", "Linknet"):
        model = fill(getattr(smp, name)("resnet18", encoder_weights=None, classes=2).double())
        results += step(model.eval(), numbers(1, 3, 64, 64), steps=1,
                        loss=lambda y: smp.losses.DiceLoss("multilabel")(y, target))
    return results


def monai():
    from monai.losses import DiceCELoss, DiceLoss, FocalLoss, TverskyLoss
    from monai.networks.nets import BasicUNet, UNet

    target = torch.from_numpy(np.random.RandomState(0).randint(0, 2, (1, 2, 16, 16, 16)) * 1.0)
    results = []
    for model, shape in ((UNet(3, 1, 2, (4, 8, 16), (2, 2), num_res_units=1), (1, 1, 16, 16, 16)),
                         (BasicUNet(2, 1, 2, features=(4, 4, 8, 8, 8, 4)), (1, 1, 32, 32))):
        x, y = numbers(*shape), target if len(shape) == 5 else numbers(1, 2, 32, 32).sigmoid()
        results += step(fill(model.double()).eval(), x, steps=1,
                        loss=lambda out, y=y: DiceLoss(sigmoid=True)(out, y))
    x = numbers(1, 2, 16, 16, 16).requires_grad_()
    losses = [DiceCELoss(sigmoid=True)(x, target), FocalLoss()(x, target),
              TverskyLoss(sigmoid=True)(x, target)]
    sum(losses).backward()
    return [*results, *losses, x.grad]


def efficientnet_pytorch():
    from efficientnet_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-b0", num_classes=4)
    return step(fill(model.double()).eval(), numbers(1, 3, 64, 64), steps=1)


def vit_pytorch():
    from vit_pytorch import SimpleViT, ViT

    options = dict(image_size=32, patch_size=8, num_classes=5, dim=32, depth=2, heads=4, mlp_dim=64)
    return step(fill(ViT(**options).double()).eval(), numbers(2, 3, 32, 32)) \
        + step(fill(SimpleViT(**options)), numbers(2, 3, 32, 32).float())


def perceiver():
    from perceiver_pytorch import Perceiver

    model = Perceiver(input_channels=3, num_freq_bands=2, depth=2, max_freq=4.0, num_latents=8,
                      latent_dim=16, num_classes=4, cross_dim_head=8, latent_dim_head=8)
    return step(fill(model), numbers(2, 6, 6, 3).float())


def denoising_diffusion():
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    model = fill(Unet(dim=16, dim_mults=(1, 2), channels=1, flash_attn=False))
    diffusion = GaussianDiffusion(model, image_size=8, timesteps=10, sampling_timesteps=2)
    torch.manual_seed(0)
    loss = diffusion(numbers(2, 1, 8, 8).float().sigmoid())
    loss.backward()
    gradients = [p.grad.abs().max().item() for p in model.parameters() if p.grad is not None]
    return [loss, np.array(gradients)]


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


def vector_quantize():
    from vector_quantize_pytorch import FSQ, ResidualVQ, VectorQuantize

    x = numbers(2, 10, 16).float().requires_grad_()
    results = []
    for model in (VectorQuantize(dim=16, codebook_size=12), FSQ([5, 4, 3], dim=16),
                  ResidualVQ(dim=16, num_quantizers=2, codebook_size=12)):
        torch.manual_seed(0)
        fill(model)
        quantized, *rest = model(x)
        quantized.sum().backward()
        results += [quantized, *(r for r in rest if isinstance(r, torch.Tensor))]
    return [*results, x.grad]


def byol():
    from byol_pytorch import BYOL

    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    learner = BYOL(net, image_size=16, hidden_layer=-1, augment_fn=nn.Identity(),
                   augment_fn2=nn.Hardtanh(-1.0, 1.0), projection_size=8,
                   projection_hidden_size=16)
    fill(learner.double())
    learner.reset_moving_average()
    return step(learner, numbers(4, 3, 16, 16), loss=lambda y: y)


def open_clip():
    import open_clip as o

    model = fill(o.model.CLIP(16, o.model.CLIPVisionCfg(layers=1, width=32, head_width=16,
                                                        patch_size=8, image_size=16),
                              o.model.CLIPTextCfg(context_length=8, vocab_size=30, width=32,
                                                  heads=2, layers=1)))
    tokens = torch.arange(16).reshape(2, 8)
    loss = o.loss.ClipLoss()
    return step(model, numbers(2, 3, 16, 16).float(), tokens, loss=lambda y: loss(*y))
