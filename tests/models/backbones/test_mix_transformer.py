import torch
from mmseg.models.backbones.mit import MixVisionTransformer

from otx_seg.models.backbones.mix_transformer import MixTransformer, ReducedAttention

SMALL = {"embed_dims": 8, "num_layers": [1, 1, 1, 1], "num_heads": [1, 2, 5, 8]}


def test_the_features_and_gradients_of_mmseg() -> None:
    torch.manual_seed(0)
    theirs = MixVisionTransformer(**SMALL).eval()
    theirs.init_weights()
    ours = MixTransformer(**SMALL).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 70, 97)
    for features, reference in zip(ours(images), theirs(images), strict=True):
        torch.testing.assert_close(features, reference, atol=1e-5, rtol=1e-5)
    for network in (ours, theirs):
        sum(features.square().sum() for features in network(images)).backward()
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, reference.grad, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_attention_by_hand() -> None:
    torch.manual_seed(1)
    attention = ReducedAttention(6, 2, sr_ratio=2, qkv_bias=True).eval()
    torch.nn.init.normal_(attention.attn.in_proj_bias)
    x = torch.randn(1, 24, 6)
    grid = x[0].T.reshape(6, 4, 6)
    coarse = torch.stack(
        [
            torch.einsum("chw,ochw->o", grid[:, r : r + 2, c : c + 2], attention.sr.weight) + attention.sr.bias
            for r in (0, 2)
            for c in (0, 2, 4)
        ]
    )
    coarse = (coarse - coarse.mean(1, keepdim=True)) / (coarse.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    weights, biases = attention.attn.in_proj_weight.split(6), attention.attn.in_proj_bias.split(6)
    parts = [source @ w.T + b for source, w, b in zip((x[0], coarse, coarse), weights, biases, strict=True)]
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        query, key, value = (part[:, head] for part in parts)
        heads.append((query @ key.T / 3**0.5).softmax(1) @ value)
    mixed = torch.cat(heads, 1) @ attention.attn.out_proj.weight.T + attention.attn.out_proj.bias
    torch.testing.assert_close(attention(x, (4, 6)), x + mixed)
