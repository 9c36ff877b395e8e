"""Hugging Face configurations: the class that they name, its inputs, and what is refused.

A package of the same name stands for ``transformers`` where only our side is asked; where the real one is installed,
small models of it are captured.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

import pytest
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture_path, find_source
from bisparse.training.graph import Stage

from ...stand_ins import TRANSFORMERS


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package that stands for ``transformers``, first on the path."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "transformers.py").write_text(TRANSFORMERS)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "transformers"}
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module("transformers")
    del sys.modules["transformers"]
    sys.modules.update(before)


def written(folder, document, name="config.json"):
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(file)


def captured(path, *inputs, **asked):
    found = find_source(path)
    return capture_path(path, inputs or found.inputs, name="net", default_batch=4, source="", found=found, **asked)


def test_the_class_that_the_configuration_names_is_built_without_data_and_without_the_network(package, tmp_path):
    path = written(tmp_path, {"model_type": "small", "architectures": ["SmallForPairs"], "is_encoder_decoder": True})
    source = find_source(path)
    assert [str(shape) for shape in source.inputs] == ["input_ids=64:int", "decoder_input_ids=64:int"]
    assert (source.name, source.notes) == ("small", ())
    assert captured(path).macs(4, Stage.FORWARD) == 4 * 64 * 8 * 8
    assert ("1", "meta") in package.SmallModel.built
    assert "HF_HUB_OFFLINE" not in os.environ


@pytest.mark.parametrize(
    ("architectures", "why"),
    [(None, "The configuration names no architecture"), (["SmallForMusic"], "transformers has no SmallForMusic")],
)
def test_a_configuration_without_a_class_is_its_model_without_a_head(package, tmp_path, architectures, why):
    path = written(tmp_path, {"model_type": "small", "architectures": architectures}, "any-name.json")
    assert find_source(path).notes == (f"{why}: captured is SmallModel, without the head of a task.",)


def test_a_training_step_keeps_no_cache(package, tmp_path):
    path = written(tmp_path, {"model_type": "small", "architectures": ["SmallModel"], "vocab_size": 12})
    assert captured(path).notes == ()
    assert not [operator for operator in captured(path).operators if operator.kind == "copy"]


def test_texts_are_at_most_512_tokens_unless_somebody_says_more(package, tmp_path):
    path = written(tmp_path, {"model_type": "small", "architectures": ["SmallModel"], "max_position_embeddings": 4096})
    assert [str(shape) for shape in find_source(path).inputs] == ["input_ids=512:int"]


@pytest.mark.parametrize(
    ("architecture", "more", "inputs"),
    [
        ("SmallForImages", {"num_channels": 3, "image_size": 16}, ["pixel_values=3x16x16"]),
        ("SmallForImages", {"num_channels": 1, "image_size": [8, 12]}, ["pixel_values=1x8x12"]),
        ("SmallForImages", {"num_channels": 3}, None),
        ("SmallForBoth", {"num_channels": 3, "image_size": 16}, None),
    ],
)
def test_images_have_the_size_that_is_told_and_other_inputs_are_asked_for(
    package, tmp_path, architecture, more, inputs
):
    path = written(tmp_path, {"model_type": "small", "architectures": [architecture], **more})
    found = find_source(path).inputs
    assert (None if found is None else [str(shape) for shape in found]) == inputs


def test_a_choice_of_kernels_is_left_out(package, tmp_path):
    chosen = {"_attn_implementation": "somebody/kernels", "attn_implementation": "somebody/kernels"}
    path = written(tmp_path, {"model_type": "small", "architectures": ["SmallModel"], **chosen, "part": {**chosen}})
    assert vars(find_source(path).make().config).keys().isdisjoint(chosen)
    assert find_source(path).make().config.part == {}


def test_a_folder_is_its_configuration(package, tmp_path):
    folder = tmp_path / "my-model"
    folder.mkdir()
    written(folder, {"model_type": "small", "architectures": ["SmallModel"]})
    assert find_source(str(folder)).name == "my-model"


def refusal(path):
    with pytest.raises(CaptureError) as caught:
        find_source(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def test_what_is_refused(package, tmp_path):
    own = {"model_type": "small", "auto_map": {"AutoModel": "modeling.Net"}}
    for document in (own, {"model_type": "small", "text_config": own}):
        assert refusal(written(tmp_path, document)).startswith("got a model of its own code (auto_map), which is not")
    assert refusal(written(tmp_path, {"model_type": "music"})) == (
        "got ValueError: Unrecognized model identifier: music, need a configuration that transformers 0.1 takes; try "
        "another version of it"
    )
    assert refusal(written(tmp_path, {"model_type": "small", "hidden_size": 9})).startswith(
        "got ValueError: `hidden_size` must be a multiple of 8, need"
    )
    assert refusal(written(tmp_path, {"architectures": ["SmallModel"]})).startswith("got no model_type")
    assert refusal(written(tmp_path, "{broken")).startswith("factory: got ")


def test_without_the_package_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("bisparse.training.capture.hugging_face.find_spec", lambda name: None)
    assert refusal(written(tmp_path, {"model_type": "llama"})) == (
        "got no package 'transformers', need it; try pip install transformers"
    )


SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
}
IMAGES = {**SIZES, "image_size": 32, "patch_size": 8}
SHORT = {**SIZES, "max_position_embeddings": 16}

REAL = {
    "bert": ("BertForSequenceClassification", SHORT, ()),
    "gpt2": ("GPT2LMHeadModel", {"vocab_size": 100, "n_embd": 32, "n_layer": 1, "n_head": 4, "n_positions": 16}, ()),
    "llama": ("LlamaForCausalLM", SHORT, ()),
    "mixtral": ("MixtralForCausalLM", {**SHORT, "num_local_experts": 4, "num_key_value_heads": 2}, ()),
    "resnet": ("ResNetForImageClassification", {"hidden_sizes": [8, 16], "depths": [1, 1]}, ("3x32x32",)),
    "t5": (
        "T5ForConditionalGeneration",
        {"vocab_size": 100, "d_model": 32, "d_ff": 64, "d_kv": 8, "num_layers": 1, "num_heads": 4},
        ("input_ids=16:int", "decoder_input_ids=8:int"),
    ),
    "vit": ("ViTForImageClassification", IMAGES, ()),
}


@pytest.mark.parametrize("kind", REAL)
def test_models_of_the_real_package(kind, tmp_path):
    pytest.importorskip("transformers")
    from bisparse.training.input_shape import parse_input_shape

    architecture, fields, inputs = REAL[kind]
    path = written(tmp_path, {"model_type": kind, "architectures": [architecture], **fields})
    graph = captured(path, *map(parse_input_shape, inputs))
    assert graph.macs(4, Stage.WEIGHT_GRADIENT) > 0
    assert not any("random data" in note for note in graph.notes)
