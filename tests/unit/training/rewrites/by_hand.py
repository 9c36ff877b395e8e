"""Networks whose widths are arguments: a narrower one is built by hand, and captured beside the rewritten one."""

import torch
from torch import nn
from torch.nn import functional


def scaled(module, ratio):
    """A CNN with every convolution and normalisation narrower, but for its input and its classes."""
    for name, layer in list(module.named_modules()):
        if isinstance(layer, nn.Conv2d):
            incoming = layer.in_channels if layer.in_channels == 3 else int(layer.in_channels * ratio)
            groups = incoming if layer.groups > 1 else 1
            new = nn.Conv2d(
                incoming,
                int(layer.out_channels * ratio),
                layer.kernel_size,
                layer.stride,
                layer.padding,
                groups=groups,
                bias=layer.bias is not None,
            )
        elif isinstance(layer, nn.BatchNorm2d):
            new = nn.BatchNorm2d(int(layer.num_features * ratio))
        elif isinstance(layer, nn.Linear):
            new = nn.Linear(int(layer.in_features * ratio), layer.out_features)
        else:
            continue
        parent, _, child = name.rpartition(".")
        setattr(module.get_submodule(parent), child, new)
    return module


class Attention(nn.Module):
    """Self-attention whose heads and width are independent, with one packed projection."""

    def __init__(self, width, heads, size, *, causal=True):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.packed = nn.Linear(width, 3 * heads * size)
        self.projection = nn.Linear(heads * size, width)

    def forward(self, x):
        batch, tokens, _ = x.shape
        query, key, value = self.packed(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.projection(mixed.transpose(1, 2).reshape(batch, tokens, -1))


class Block(nn.Module):
    """GPT-2's block, or BERT's."""

    def __init__(self, width, heads, size, neurons, *, post_norm=False):
        super().__init__()
        self.attention = Attention(width, heads, size, causal=not post_norm)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, neurons), nn.GELU(), nn.Linear(neurons, width))
        self.dropout, self.post_norm = nn.Dropout(0.1), post_norm

    def forward(self, x):
        if self.post_norm:
            x = self.norm1(x + self.dropout(self.attention(x)))
            return self.norm2(x + self.dropout(self.feed_forward(x)))
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.feed_forward(self.norm2(x)))


class Gpt(nn.Module):
    """A causal language model with tied embeddings."""

    def __init__(self, width=96, heads=(8, 8, 8), size=20, neurons=(384, 384, 384)):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(211, width), nn.Embedding(24, width)
        self.blocks = nn.Sequential(*(Block(width, h, size, n) for h, n in zip(heads, neurons, strict=True)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        return functional.linear(self.norm(self.blocks(x)), self.tokens.weight)


class Bert(nn.Module):
    """An encoder with a pooler and a classifier."""

    def __init__(self, width=96, heads=(8, 8, 8), size=20, neurons=(384, 384, 384), pooled=96):
        super().__init__()
        self.tokens, self.norm = nn.Embedding(211, width), nn.LayerNorm(width)
        self.blocks = nn.Sequential(
            *(Block(width, h, size, n, post_norm=True) for h, n in zip(heads, neurons, strict=True))
        )
        self.pooler, self.classifier = nn.Linear(width, pooled), nn.Linear(pooled, 2)

    def forward(self, tokens):
        return self.classifier(torch.tanh(self.pooler(self.blocks(self.norm(self.tokens(tokens)))[:, 0])))


class Vit(nn.Module):
    """Patches, a class token and blocks."""

    def __init__(self, width=96, heads=(8, 8, 8), size=20, neurons=(384, 384, 384)):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 26, width))
        self.blocks = nn.Sequential(*(Block(width, h, size, n) for h, n in zip(heads, neurons, strict=True)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, images):
        patches = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(images.shape[0], -1, -1), patches], dim=1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class RootMeanSquare(nn.Module):
    """The normalisation of large language models."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


def turned(x, cosine, sine):
    """Rotary positions."""
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine


class GroupedQueryBlock(nn.Module):
    """Attention whose keys and values are shared by groups of queries, and a gated feed-forward half."""

    def __init__(self, width, groups, shared, size, neurons):
        super().__init__()
        self.groups, self.shared, self.size = groups, shared, size
        self.query = nn.Linear(width, groups * shared * size, bias=False)
        self.key, self.value = (nn.Linear(width, groups * size, bias=False) for _ in range(2))
        self.output = nn.Linear(groups * shared * size, width, bias=False)
        self.gate, self.up = (nn.Linear(width, neurons, bias=False) for _ in range(2))
        self.down = nn.Linear(neurons, width, bias=False)
        self.norm1, self.norm2 = RootMeanSquare(width), RootMeanSquare(width)

    def forward(self, x, cosine, sine):
        batch, tokens, _ = x.shape
        y = self.norm1(x)
        query, key, value = (
            layer(y).view(batch, tokens, -1, self.size).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        query, key = turned(query, cosine, sine), turned(key, cosine, sine)
        key, value = (each.repeat_interleave(self.shared, dim=1) for each in (key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.output(mixed.transpose(1, 2).reshape(batch, tokens, -1))
        y = self.norm2(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


class LanguageModel(nn.Module):
    """A decoder with rotary positions."""

    def __init__(self, width=96, groups=3, shared=4, size=20, neurons=352, depth=3):
        super().__init__()
        self.tokens = nn.Embedding(211, width)
        self.layers = nn.ModuleList(GroupedQueryBlock(width, groups, shared, size, neurons) for _ in range(depth))
        self.norm, self.head = RootMeanSquare(width), nn.Linear(width, 211, bias=False)
        angles = torch.outer(torch.arange(24.0), 1e4 ** -torch.linspace(0, 1, size // 2)).repeat(1, 2)
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def forward(self, tokens):
        x = self.tokens(tokens)
        for layer in self.layers:
            x = layer(x, self.cosine, self.sine)
        return self.head(self.norm(x))


class Concatenated(nn.Module):
    """Layers that read all that was made before them (DenseNet), squeeze and excitation, normalisation by groups."""

    def __init__(self, stem=24, growth=(12, 16), squeezed=6, grouped=32):
        super().__init__()
        self.stem = nn.Conv2d(3, stem, 3, padding=1)
        self.first = nn.Conv2d(stem, growth[0], 3, padding=1)
        self.norm = nn.BatchNorm2d(stem + growth[0])
        self.second = nn.Conv2d(stem + growth[0], growth[1], 3, padding=1)
        total = stem + sum(growth)
        self.squeeze, self.excite = nn.Conv2d(total, squeezed, 1), nn.Conv2d(squeezed, total, 1)
        self.mix = nn.Conv2d(total, grouped, 1)
        self.grouped = nn.Conv2d(grouped, grouped, 3, padding=1, groups=8)
        self.group_norm = nn.GroupNorm(4, grouped)
        self.head = nn.Linear(grouped * 4, 10)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.cat([x, self.first(x)], dim=1)
        x = torch.cat([x, self.second(torch.relu(self.norm(x)))], dim=1)
        x = x * torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        x = torch.relu(self.group_norm(self.grouped(self.mix(x))))
        return self.head(functional.adaptive_avg_pool2d(x, 2).flatten(1))


class Upsampled(nn.Module):
    """A U-Net of one level: a transposed convolution beside a skip connection."""

    def __init__(self, outer=12, inner=20, upper=None):
        super().__init__()
        upper = upper or outer
        self.down, self.inner = nn.Conv2d(3, outer, 3, padding=1), nn.Conv2d(outer, inner, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(inner, upper, 2, stride=2)
        self.out = nn.Conv2d(outer + upper, 5, 1)

    def forward(self, x):
        skip = torch.relu(self.down(x))
        return self.out(torch.cat([skip, self.up(torch.relu(self.inner(skip)))], dim=1)).mean((2, 3))
