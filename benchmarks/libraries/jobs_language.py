"""Jobs of libraries for sequences and language: models and their parts."""

import numpy as np
import torch
from jobs_tools import fill, numbers, step
from torch import nn


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


def peft():
    import transformers
    from peft import LoraConfig, get_peft_model

    config = transformers.GPT2Config(vocab_size=50, n_positions=32, n_embd=32, n_layer=2, n_head=4,
                                     bos_token_id=1, eos_token_id=1)
    model = get_peft_model(transformers.GPT2LMHeadModel(config), LoraConfig(
        r=4, target_modules=["c_attn"], fan_in_fan_out=True, task_type="CAUSAL_LM"))
    fill(model.double().eval())
    tokens = torch.from_numpy(np.random.RandomState(1).randint(2, 50, (2, 12)))
    results = step(model, input_ids=tokens, labels=tokens, loss=lambda out: out.loss, lr=1e-2)
    merged = model.merge_and_unload()
    return [*results, merged(tokens).logits]


def loralib():
    import loralib as l

    model = nn.Sequential(l.Linear(4, 8, r=2), nn.ReLU(), l.MergedLinear(
        8, 6, r=2, enable_lora=[True, False, True]))
    fill(model.double())
    l.mark_only_lora_as_trainable(model)
    results = step(model, numbers(5, 4))
    return [*results, model.eval()(numbers(5, 4)), *l.lora_state_dict(model).values()]


def x_transformers():
    from x_transformers import Decoder, TransformerWrapper

    model = fill(TransformerWrapper(
        num_tokens=50, max_seq_len=32,
        attn_layers=Decoder(dim=32, depth=2, heads=4, rotary_pos_emb=True)))
    tokens = torch.from_numpy(np.random.RandomState(1).randint(0, 50, (2, 12)))
    return step(model, tokens, loss=lambda y: nn.functional.cross_entropy(
        y.transpose(1, 2), tokens))


def rotary_embedding():
    from rotary_embedding_torch import RotaryEmbedding

    q, k = numbers(1, 2, 8, 16).float().requires_grad_(), numbers(1, 2, 8, 16, seed=1).float()
    plain_, scaled = RotaryEmbedding(dim=8), RotaryEmbedding(dim=8, use_xpos=True)
    results = [plain_.rotate_queries_or_keys(q), *scaled.rotate_queries_and_keys(q, k)]
    sum(r.sum() for r in results).backward()
    return [*results, q.grad]


def local_attention():
    from local_attention import LocalAttention

    q, k, v = (numbers(2, 4, 32, 8, seed=i).float().requires_grad_() for i in range(3))
    out = LocalAttention(dim=8, window_size=8, causal=True, look_backward=1)(q, k, v)
    (out ** 2).sum().backward()
    return [out, q.grad, k.grad, v.grad]


def performer():
    from performer_pytorch import PerformerLM

    torch.manual_seed(0)
    model = fill(PerformerLM(num_tokens=20, max_seq_len=16, dim=16, depth=1, heads=2, dim_head=8,
                             causal=False, nb_features=8))
    tokens = torch.arange(16).reshape(1, 16)
    return step(model, tokens, loss=lambda y: (y ** 2).mean())


def linear_attention():
    from linear_attention_transformer import LinearAttentionTransformerLM

    model = fill(LinearAttentionTransformerLM(num_tokens=20, dim=16, heads=2, depth=1,
                                              max_seq_len=16, causal=True, blindspot_size=1))
    return step(model, torch.arange(16).reshape(1, 16), loss=lambda y: (y ** 2).mean())


def axial_positional_embedding():
    from axial_positional_embedding import AxialPositionalEmbedding

    model = fill(AxialPositionalEmbedding(dim=16, axial_shape=(4, 4), axial_dims=(8, 8)))
    return step(model, numbers(1, 16, 16).float())


def conformer():
    from conformer import ConformerBlock

    model = fill(ConformerBlock(dim=16, dim_head=8, heads=2, ff_mult=2, conv_kernel_size=5))
    return step(model.eval(), numbers(1, 12, 16).float())


def pytorch_crf():
    from torchcrf import CRF

    model = fill(CRF(4, batch_first=True).double())
    emissions, tags = numbers(2, 6, 4).requires_grad_(), torch.arange(12).reshape(2, 6) % 4
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2]).bool()
    loss = -model(emissions, tags, mask=mask)
    loss.backward()
    return [loss, emissions.grad, np.concatenate(model.decode(emissions, mask))]


def entmax():
    from entmax import Entmax15Loss, entmax15, entmax_bisect, sparsemax

    x = numbers(4, 6).requires_grad_()
    results = [sparsemax(x, dim=-1), entmax15(x, dim=-1), entmax_bisect(x, alpha=1.3),
               Entmax15Loss()(x, torch.tensor([0, 2, 1, 5]))]
    sum((r ** 2).sum() for r in results).backward()
    return [*results, x.grad]


def sentence_transformers():
    import transformers
    from sentence_transformers import losses as _  # noqa: F401 - imports the package
    from sentence_transformers.util import cos_sim, semantic_search

    x, y = numbers(3, 6).float(), numbers(5, 6, seed=1).float()
    hits = semantic_search(x, y, top_k=2)
    return [cos_sim(x, y), np.array([[h["corpus_id"] for h in row] for row in hits]),
            np.array([[h["score"] for h in row] for row in hits]), len(transformers.__version__)]
