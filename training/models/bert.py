"""BERT-base, uncased (Devlin et al., NAACL 2019), with its pooler and a classifier of two classes.

Inputs are token and segment indices; every sequence is full, so there is no padding mask. Dropout 0.1 as published.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import PostNormBlock


class Bert(nn.Module):
    """Embeddings, encoder and pooler: the 109,482,240 parameters that are usually meant by BERT-base."""

    def __init__(
        self,
        *,
        vocabulary: int = 30522,
        longest: int = 512,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.position_embedding = nn.Embedding(longest, width)
        self.segment_embedding = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(PostNormBlock(width, heads, dropout=dropout) for _ in range(depth)))
        self.pooler = nn.Linear(width, width)

    def forward(self, tokens: Tensor, segments: Tensor) -> Tensor:
        """[B, T] and [B, T] to the pooled first token [B, width]."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        features = self.token_embedding(tokens) + self.segment_embedding(segments)
        features = features + self.position_embedding(positions)
        features = self.blocks(self.dropout(self.norm(features)))
        return torch.tanh(self.pooler(features[:, 0]))


class BertClassifier(nn.Module):
    """BERT with a linear classifier on the pooled token."""

    def __init__(self, encoder: Bert, *, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.bert = encoder
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(encoder.pooler.out_features, classes)

    def forward(self, tokens: Tensor, segments: Tensor) -> Tensor:
        """[B, T] and [B, T] to logits [B, classes]."""
        logits: Tensor = self.classifier(self.dropout(self.bert(tokens, segments)))
        return logits


def bert_base() -> BertClassifier:
    """BERT-base with two classes."""
    return BertClassifier(Bert(), classes=2)
