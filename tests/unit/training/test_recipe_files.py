"""Recipe files of one's own: what is read from them, and what is refused where."""

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import names
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.declared_rules import LayerRule


def write(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntitle: Mine\nsource: here\n" + text)
    return str(path)


def test_a_recipe_of_ones_own_is_loaded_from_its_file(tmp_path):
    recipe = load_recipe(
        write(tmp_path, "forward: {operand: weight}\nlayers: [{names: ['a.*'], sparsity: '1:4'}]\n")
    ).model
    assert recipe.prunes
    assert recipe.layers == (LayerRule(names=("a.*",), sparsity="1:4"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "forward: {operand: gradient}\n",
            "forward: got operand gradient, need weight or input: forward multiplies by no other",
        ),
        ("backward: {operand: mask}\n", "backward.operand: got 'mask', need weight, gradient or input"),
        (
            "weight_update: {operand: weight}\n",
            "weight_update: got operand weight, need gradient or input: weight_update multiplies by no other",
        ),
        (
            "weight_update: {operand: gradient}\n",
            "weight_update: got operand gradient with online false, need true: it is another in every step",
        ),
        (
            "backward: {operand: weight, selection: unbiased}\n",
            "backward: got selection unbiased with operand weight, need operand gradient",
        ),
        (
            "backward: {operand: gradient, selection: unbiased, rescale: true}\n",
            "backward: got rescale with selection unbiased, need one of them: what is drawn is scaled already",
        ),
        (
            "forward: {operand: weight, terms: '2:8'}\n",
            "forward: got terms 2:8 of operand weight, need a sum such as 2:8+1:8 of weights",
        ),
        (
            "forward: {operand: weight, terms: '2:8+1:8'}\n",
            "forward.terms: got a sum, need masks that are given: others take no share of zeros",
        ),
        (
            "forward: {operand: weight, within_forward: true}\n",
            "forward: got within_forward, need it in backward alone, of weights",
        ),
        (
            "backward: {operand: weight, within_forward: true}\n",
            "backward.within_forward: got true, need weights pruned in forward",
        ),
        (
            "forward: {operand: weight}\noptimizer_state: kept\n",
            "optimizer_state: got kept, need weight masks that are given: others bring weights back",
        ),
        (
            "mask_search: {method: given}\nforward: {operand: weight}\noptimizer_state: kept\n",
            "optimizer_state: got kept, need weight_gradient: kept beside it: others are updated",
        ),
        ("backward: {operand: weight, soft: true}\n", "backward: got soft, need it in forward alone"),
        (
            "mask_search: {method: given}\nforward: {operand: weight, soft: true}\n",
            "forward.soft: got it with masks of another kind, need the N largest of FF alone",
        ),
        (
            "weight_update: {operand: gradient, online: true, rescale: true}\n",
            "weight_update: got rescale, need it in backward alone: norms are of a sample and channel",
        ),
        ("mask_search: {passes: -1}\n", "mask_search.passes: got -1, need a number >= 0"),
        (
            "forward: {operand: weight}\nlayers: [{names: [a], sparsity: '1:4', stages: [BP]}]\n",
            "layers.0.stages: got BP, need FF",
        ),
        (
            "forward: {operand: weight}\nlayers: [{names: [a], sparsity: '1:4', stages: [WU]}]\n",
            "layers.0.stages: got WU, need FF",
        ),
        ("layers: [{names: [a], sparsity: '9:8'}]\n", "layers.0.sparsity: got 9:8, need N:M with 1 <= N <= M <= 32"),
    ],
)
def test_a_wrong_recipe_is_told_where_and_what_is_needed(tmp_path, text, message):
    with pytest.raises(ConfigError) as wrong:
        load_recipe(write(tmp_path, text))
    line = 3 + text.count("\n")
    assert f"mine.yaml:{line}: {message}" in str(wrong.value)


def test_only_dense_changes_nothing():
    assert [name for name in names("recipes") if load_recipe(name).model.is_baseline] == ["dense"]
