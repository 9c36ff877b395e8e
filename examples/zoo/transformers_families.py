"""Families of the package transformers: the class, its input, and what of its configuration is made small.

Widths, heads and vocabularies are those of the family's own configuration; two layers stand for all where not said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TOKENS = ("input_ids=128:int",)
IMAGE = ("pixel_values=3x224x224",)
WAVES = ("input_values=16000",)
TRANSLATION = ("input_ids=64:int", "decoder_input_ids=64:int")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One architecture.

    Attributes:
        model_type: as transformers calls it.
        head: the class of the model.
        inputs: as the command line has them.
        changes: of its configuration.
        asked: of the capture.
    """

    model_type: str
    head: str
    inputs: tuple[str, ...]
    changes: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)


_TWO = {"num_hidden_layers": 2}


def _all(head: str, inputs: tuple[str, ...], names: dict[str, str], **changes: Any) -> list[Family]:
    """Families alike but for their names: model types and class names."""
    return [
        Family(model_type=kind, head=name + head, inputs=inputs, changes=_TWO | changes) for kind, name in names.items()
    ]


ENCODERS = _all(
    "ForSequenceClassification",
    TOKENS,
    {
        "bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta", "camembert": "Camembert", "albert": "Albert",
        "electra": "Electra", "mpnet": "MPNet", "deberta-v2": "DebertaV2", "convbert": "ConvBert", "rembert": "RemBert",
        "squeezebert": "SqueezeBert", "mobilebert": "MobileBert", "nystromformer": "Nystromformer", "yoso": "Yoso",
        "megatron-bert": "MegatronBert", "roformer": "RoFormer", "fnet": "FNet", "ernie": "Ernie", "xmod": "Xmod",
        "big_bird": "BigBird", "longformer": "Longformer", "modernbert": "ModernBert", "data2vec-text": "Data2VecText",
        "roberta-prelayernorm": "RobertaPreLayerNorm", "ibert": "IBert", "canine": "Canine", "luke": "Luke",
    },
    default_language="en_XX",
)  # fmt: skip

DECODERS = _all(
    "ForCausalLM",
    TOKENS,
    {
        "gpt_neox": "GPTNeoX", "opt": "OPT", "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3",
        "gemma": "Gemma", "gemma2": "Gemma2", "phi": "Phi", "phi3": "Phi3", "stablelm": "StableLm", "olmo": "Olmo",
        "olmo2": "Olmo2", "cohere": "Cohere", "granite": "Granite", "starcoder2": "Starcoder2", "falcon": "Falcon",
        "persimmon": "Persimmon", "glm": "Glm", "smollm3": "SmolLM3", "helium": "Helium",
        "exaone4": "Exaone4", "ernie4_5": "Ernie4_5", "seed_oss": "SeedOss", "biogpt": "BioGpt",
    },
)  # fmt: skip

MIXTURES = _all(
    "ForCausalLM",
    TOKENS,
    {
        "mixtral": "Mixtral", "qwen2_moe": "Qwen2Moe", "qwen3_moe": "Qwen3Moe", "olmoe": "Olmoe",
        "granitemoe": "GraniteMoe", "gpt_oss": "GptOss",
    },
)  # fmt: skip

STATE_SPACE = _all(
    "ForCausalLM",
    TOKENS,
    {"mamba": "Mamba", "falcon_mamba": "FalconMamba", "recurrent_gemma": "RecurrentGemma", "rwkv": "Rwkv"},
)

VISION = [
    *_all("ForImageClassification", IMAGE, {"vit": "ViT", "deit": "DeiT", "beit": "Beit", "dinov2": "Dinov2"}),
    *(
        Family(model_type=kind, head=f"{name}ForImageClassification", inputs=IMAGE)
        for kind, name in {
            "swin": "Swin", "swinv2": "Swinv2", "convnext": "ConvNext", "convnextv2": "ConvNextV2", "resnet": "ResNet",
            "regnet": "RegNet", "mobilenet_v1": "MobileNetV1", "mobilenet_v2": "MobileNetV2", "mobilevit": "MobileViT",
            "efficientnet": "EfficientNet", "poolformer": "PoolFormer", "pvt": "Pvt", "cvt": "Cvt", "bit": "Bit",
            "focalnet": "FocalNet", "levit": "Levit",
        }.items()
    ),
    Family(model_type="segformer", head="SegformerForSemanticSegmentation", inputs=IMAGE),
    Family(model_type="vit_mae", head="ViTMAEForPreTraining", inputs=IMAGE, changes=_TWO),
    Family(model_type="yolos", head="YolosModel", inputs=("pixel_values=3x512x864",), changes=_TWO),
    Family(model_type="dpt", head="DPTForDepthEstimation", inputs=("pixel_values=3x384x384",)),
]  # fmt: skip

SPEECH = [
    *_all(
        "ForSequenceClassification",
        WAVES,
        {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM", "unispeech": "UniSpeech", "sew": "SEW"},
        apply_spec_augment=False,
    ),
    Family(
        model_type="whisper",
        head="WhisperForConditionalGeneration",
        inputs=("input_features=80x3000", "decoder_input_ids=64:int"),
        changes={"encoder_layers": 2, "decoder_layers": 2},
    ),
    Family(
        model_type="audio-spectrogram-transformer",
        head="ASTForAudioClassification",
        inputs=("input_values=1024x128",),
        changes=_TWO,
    ),
]

TRANSLATORS = [
    Family(model_type="t5", head="T5ForConditionalGeneration", inputs=TRANSLATION, changes={"num_layers": 2}),
    Family(model_type="mt5", head="MT5ForConditionalGeneration", inputs=TRANSLATION, changes={"num_layers": 2}),
    *(
        Family(
            model_type=kind,
            head=f"{name}ForConditionalGeneration",
            inputs=TRANSLATION,
            changes={"encoder_layers": 2, "decoder_layers": 2},
        )
        for kind, name in {"bart": "Bart", "pegasus": "Pegasus", "mbart": "MBart", "m2m_100": "M2M100"}.items()
    ),
    Family(
        model_type="marian",
        head="MarianMTModel",
        inputs=TRANSLATION,
        changes={"encoder_layers": 2, "decoder_layers": 2},
    ),
]

OTHERS = [
    Family(model_type="gpt2", head="GPT2LMHeadModel", inputs=TOKENS, changes={"n_layer": 2}),
    Family(model_type="gptj", head="GPTJForCausalLM", inputs=TOKENS, changes={"n_layer": 2}),
    Family(model_type="codegen", head="CodeGenForCausalLM", inputs=TOKENS, changes={"n_layer": 2}),
    Family(model_type="bloom", head="BloomForCausalLM", inputs=TOKENS, changes={"n_layer": 2}),
    Family(model_type="mpt", head="MptForCausalLM", inputs=TOKENS, changes={"n_layers": 2}),
    Family(model_type="distilbert", head="DistilBertForSequenceClassification", inputs=TOKENS, changes={"n_layers": 2}),
    Family(
        model_type="clip",
        head="CLIPModel",
        inputs=("input_ids=77:int", "pixel_values=3x224x224"),
        asked={"fixed_batch": True, "default_batch": 8, "loss": "mean"},
    ),
    Family(
        model_type="siglip",
        head="SiglipModel",
        inputs=("input_ids=64:int", "pixel_values=3x224x224"),
        asked={"fixed_batch": True, "default_batch": 8, "loss": "mean"},
    ),
    Family(
        model_type="patchtst",
        head="PatchTSTForPrediction",
        inputs=("past_values=512x7",),
        changes={"num_input_channels": 7, "context_length": 512, "prediction_length": 96},
    ),
]

FAMILIES = {
    "text encoders": ENCODERS,
    "language models": [*DECODERS, *(each for each in OTHERS if "LM" in each.head)],
    "mixtures of experts": MIXTURES,
    "state space": STATE_SPACE,
    "vision": VISION,
    "speech": SPEECH,
    "encoder and decoder": TRANSLATORS,
    "others": [each for each in OTHERS if "LM" not in each.head],
}
"""By what they are for."""


def build(family: Family) -> Any:
    """The model of a family, with weights where the device has any."""
    import transformers

    config = transformers.AutoConfig.for_model(family.model_type, **family.changes)
    config.use_cache = False
    return getattr(transformers, family.head)(config)
