"""Stands for ``transformers`` where only our side of it is asked: a package of this text, under that name.

Nobody imports it from here; ``TRANSFORMERS`` of ``tests/stand_ins`` is its text.
"""

import os
from typing import ClassVar

import torch
from torch import nn

__version__ = "0.1"


class Config:
    model_type = "small"

    def __init__(self, hidden_size=8, vocab_size=16, max_position_embeddings=64, use_cache=True, **others):
        self.hidden_size, self.vocab_size, self.use_cache = hidden_size, vocab_size, use_cache
        self.max_position_embeddings = max_position_embeddings
        self.__dict__.update(others)

    @classmethod
    def from_dict(cls, document):
        if document.get("hidden_size", 8) % 8:
            raise ValueError("`hidden_size` must be a multiple of 8\nand more")
        return cls(**document)


class AutoConfig:
    @staticmethod
    def for_model(model_type):
        if model_type != "small":
            raise ValueError(f"Unrecognized model identifier: {model_type}.")
        return Config()


class SmallModel(nn.Module):
    main_input_name = "input_ids"
    built: ClassVar[list[tuple[str | None, str]]] = []

    def __init__(self, config):
        super().__init__()
        self.built.append((os.environ.get("HF_HUB_OFFLINE"), torch.get_default_device().type))
        self.table = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layer, self.config = nn.Linear(config.hidden_size, config.hidden_size), config

    def forward(self, input_ids=None, use_cache=None, past_key_values=None):
        hidden = self.layer(self.table(input_ids))
        if past_key_values is not None:
            hidden = hidden + past_key_values.chunk(2)[0].mean(1, keepdim=True)
        kept = self.config.use_cache if use_cache is None else use_cache
        return {"logits": hidden, "past_key_values": torch.cat([hidden, hidden]) if kept else None}


class SmallForImages(nn.Module):
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__()
        self.head = nn.Conv2d(config.num_channels, 4, 4)

    def forward(self, pixel_values):
        return {"logits": self.head(pixel_values).mean((2, 3))}


class SmallForBoth(SmallForImages):
    def forward(self, input_ids, pixel_values):
        return super().forward(pixel_values)


class SmallForPairs(SmallModel):
    def forward(self, input_ids=None, decoder_input_ids=None):
        return {"logits": self.layer(self.table(input_ids) + self.table(decoder_input_ids))}


class AutoModel:
    @staticmethod
    def from_config(config):
        return SmallModel(config)
