"""Networks of torch's own layers, as people write them: no package but torch is asked for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Mlp(nn.Sequential):
    """Three hidden layers."""

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
            nn.Linear(512, 10),
        )  # fmt: skip


class Autoencoder(nn.Module):
    """A denoising autoencoder: its loss is its own."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 32))
        self.decode = nn.Sequential(nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 784))

    def forward(self, x: Tensor) -> Tensor:
        """The mean squared error of what comes back."""
        return functional.mse_loss(self.decode(self.encode(x)), x)


class VariationalAutoencoder(nn.Module):
    """Reparametrised by noise."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.decode = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction and divergence."""
        hidden = self.body(x).relu()
        mean, spread = self.mean(hidden), self.spread(hidden)
        drawn = mean + torch.randn_like(spread) * (0.5 * spread).exp()
        divergence = -0.5 * (1 + spread - mean**2 - spread.exp()).mean()
        return functional.mse_loss(self.decode(drawn), x) + divergence


class UNet(nn.Module):
    """Two levels down, two up, joined across."""

    def __init__(self) -> None:
        super().__init__()

        def block(entering: int, leaving: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(entering, leaving, 3, padding=1), nn.BatchNorm2d(leaving), nn.ReLU(),
                nn.Conv2d(leaving, leaving, 3, padding=1), nn.BatchNorm2d(leaving), nn.ReLU(),
            )  # fmt: skip

        self.first, self.second, self.bottom = block(3, 32), block(32, 64), block(64, 128)
        self.up_second, self.up_first = nn.ConvTranspose2d(128, 64, 2, 2), nn.ConvTranspose2d(64, 32, 2, 2)
        self.back_second, self.back_first = block(128, 64), block(64, 32)
        self.head = nn.Conv2d(32, 21, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A class a pixel."""
        first = self.first(x)
        second = self.second(functional.max_pool2d(first, 2))
        bottom = self.bottom(functional.max_pool2d(second, 2))
        x = self.back_second(torch.cat([self.up_second(bottom), second], 1))
        return self.head(self.back_first(torch.cat([self.up_first(x), first], 1)))


class Generator(nn.Sequential):
    """Of a DCGAN."""

    def __init__(self) -> None:
        super().__init__(
            nn.Unflatten(1, (100, 1, 1)),
            nn.ConvTranspose2d(100, 256, 4), nn.BatchNorm2d(256), nn.ReLU(),
            nn.ConvTranspose2d(256, 128, 4, 2, 1), nn.BatchNorm2d(128), nn.ReLU(),
            nn.ConvTranspose2d(128, 3, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip


class Discriminator(nn.Sequential):
    """Of the same, with spectral norms."""

    def __init__(self) -> None:
        norm = nn.utils.parametrizations.spectral_norm
        super().__init__(
            norm(nn.Conv2d(3, 64, 4, 2, 1)), nn.LeakyReLU(0.2), norm(nn.Conv2d(64, 128, 4, 2, 1)), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(128 * 8 * 8, 1),
        )  # fmt: skip


class TextOfCells(nn.Module):
    """Tokens through recurrent cells to a class."""

    def __init__(self, cells: str, *, bidirectional: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(10000, 128)
        self.cells = getattr(nn, cells)(128, 256, num_layers=2, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(512 if bidirectional else 256, 20)

    def forward(self, tokens: Tensor) -> Tensor:
        """The last state decides."""
        states, _ = self.cells(self.table(tokens))
        return self.head(states[:, -1])


class Seq2Seq(nn.Module):
    """Torch's own transformer, encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8000, 256)
        self.body = nn.Transformer(256, 4, 2, 2, 1024, batch_first=True)
        self.head = nn.Linear(256, 8000)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Scores of every next token."""
        mask = self.body.generate_square_subsequent_mask(target.shape[1])
        return self.head(self.body(self.table(source), self.table(target), tgt_mask=mask, tgt_is_causal=True))


class TransformerEncoder(nn.Module):
    """Two layers of torch's own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True), 2)
        self.head = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        """The mean position decides."""
        return self.head(self.body(x).mean(1))


class TemporalConvolutions(nn.Module):
    """Dilated, causal, residual."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(64, 64, 3, dilation=2**depth) for depth in range(4))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Each layer sees twice as far."""
        for depth, layer in enumerate(self.layers):
            x = x + layer(functional.pad(x, (2 * 2**depth, 0))).relu()
        return self.head(x.mean(-1))


class GatedWaves(nn.Module):
    """WaveNet's gates over a quantised signal."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(256, 64)
        self.gates = nn.ModuleList(nn.Conv1d(64, 128, 2, dilation=2**depth) for depth in range(6))
        self.skips = nn.ModuleList(nn.Conv1d(64, 64, 1) for _ in range(6))
        self.head = nn.Conv1d(64, 256, 1)

    def forward(self, signal: Tensor) -> Tensor:
        """Scores of every next value."""
        x, total = self.table(signal).transpose(1, 2), torch.zeros(())
        for depth, (gate, skip) in enumerate(zip(self.gates, self.skips, strict=True)):
            up, down = gate(functional.pad(x, (2**depth, 0))).chunk(2, 1)
            made = up.tanh() * down.sigmoid()
            x, total = x + skip(made), total + made
        return self.head(total.relu()).transpose(1, 2)


class MlpMixer(nn.Module):
    """Patches mixed along tokens, then along channels."""

    def __init__(self, tokens: int = 64, width: int = 128) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.along = nn.ModuleList(
            nn.Sequential(nn.Linear(tokens, 256), nn.GELU(), nn.Linear(256, tokens)) for _ in range(4)
        )
        self.across = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 512), nn.GELU(), nn.Linear(512, width))
            for _ in range(4)
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """The mean token decides."""
        x = self.patch(x).flatten(2).transpose(1, 2)
        for along, across in zip(self.along, self.across, strict=True):
            x = x + along(x.transpose(1, 2)).transpose(1, 2)
            x = x + across(x)
        return self.head(x.mean(1))


class SqueezeExcite(nn.Module):
    """A residual block whose channels are weighed."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64))
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, 4, 1), nn.ReLU(), nn.Conv2d(4, 64, 1), nn.Sigmoid()
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        x = self.stem(x)
        made = self.block(x)
        return self.head((x + made * self.weigh(made)).relu().mean((2, 3)))


class Siamese(nn.Module):
    """Two inputs, one network, a contrastive loss of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Mlp()

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """The distance of a pair."""
        return functional.cosine_similarity(self.body(left), self.body(right)).mean()


class Contrastive(nn.Module):
    """SimCLR's logits: samples meet samples."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Mlp()

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Scores of every pair of the batch."""
        return functional.normalize(self.body(left), dim=-1) @ functional.normalize(self.body(right), dim=-1).T


class RadianceField(nn.Module):
    """NeRF's MLP on encoded positions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(*(layer for _ in range(4) for layer in (nn.LazyLinear(256), nn.ReLU())))
        self.second, self.colour, self.density = nn.Linear(256 + 63, 256), nn.Linear(256, 3), nn.Linear(256, 1)
        self.first(torch.zeros(1, 63))

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Colour and density of every point."""
        scales = 2.0 ** torch.arange(10)
        angles = (points[..., None] * scales).flatten(-2)
        encoded = torch.cat([points, angles.sin(), angles.cos()], -1)
        hidden = self.second(torch.cat([self.first(encoded), encoded], -1)).relu()
        return self.colour(hidden).sigmoid(), self.density(hidden).relu()


class DeepSets(nn.Module):
    """A sum over the elements of a set."""

    def __init__(self) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(3, 128), nn.ReLU(), nn.Linear(128, 128))
        self.all = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 40))

    def forward(self, points: Tensor) -> Tensor:
        """A class a set."""
        return self.all(self.each(points).sum(1))


class Recommender(nn.Module):
    """DLRM's shape: tables, bottom and top MLP, pairwise products."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.EmbeddingBag(10000, 64, mode="sum") for _ in range(8))
        self.bottom = nn.Sequential(nn.Linear(13, 512), nn.ReLU(), nn.Linear(512, 64), nn.ReLU())
        self.top = nn.Sequential(nn.Linear(64 + 36, 512), nn.ReLU(), nn.Linear(512, 1))

    def forward(self, dense: Tensor, sparse: Tensor) -> Tensor:
        """A click's score."""
        below = self.bottom(dense)
        found = [table(sparse[:, number]) for number, table in enumerate(self.tables)]
        every = torch.stack([below, *found], 1)
        pairs = (every @ every.transpose(1, 2))[:, *torch.triu_indices(9, 9, 1)]
        return self.top(torch.cat([below, pairs], 1)).mean()


class Mixture(nn.Module):
    """Experts that look their tokens up by a mask."""

    def __init__(self, experts: int = 8) -> None:
        super().__init__()
        self.gate, self.head = nn.Linear(128, experts), nn.Linear(128, 10)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(128, 512), nn.GELU(), nn.Linear(512, 128)) for _ in range(experts)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Two experts a token."""
        weight, index = self.gate(x).softmax(-1).topk(2, -1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(index == number)
            out = out.index_add(0, row, expert(x[row]) * weight[row, place, None])
        return self.head(out)


class GraphConvolutions(nn.Module):
    """Two layers over the edges of one graph."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1433, 64), nn.Linear(64, 7)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """A class a node."""
        for layer in (self.first, self.second):
            made = layer(nodes)
            nodes = torch.zeros_like(made).index_add(0, edges[1], made[edges[0]]).relu()
        return nodes


class VideoNetwork(nn.Sequential):
    """Three-dimensional convolutions."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv3d(3, 32, 3, padding=1), nn.BatchNorm3d(32), nn.ReLU(), nn.MaxPool3d(2),
            nn.Conv3d(32, 64, 3, padding=1), nn.BatchNorm3d(64), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(),
            nn.Linear(64, 101),
        )  # fmt: skip


class SpectralMixer(nn.Module):
    """Tokens mixed by a Fourier transform, which is in no count."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.layer, self.head = nn.Embedding(1000, 128), nn.Linear(128, 128), nn.Linear(128, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        """FNet's mixing."""
        x = self.table(tokens)
        return self.head(self.layer(torch.fft.fft2(x).real + x).mean(1))
