"""Ratios by layer as rules of a recipe, and the file that says so."""

from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.per_layer import layer_rules, recipe_text
from bisparse.training.recipes.rules import ratio

FF, BP = Stage.FORWARD, Stage.BACKWARD
RATIOS = {
    ("a.0", FF): Pattern(1, 8),
    ("a.0", BP): Pattern(1, 8),
    ("a[0]", FF): Pattern(1, 8),
    ("a[0]", BP): Pattern(2, 4),
    ("a0", FF): Pattern(8, 8),
    ("b", BP): Pattern(2, 4),
    ("c", FF): Pattern(1, 8),
    ("c", BP): Pattern(1, 8),
}


def test_a_rule_names_all_layers_alike_and_dense_is_one_in_one():
    rules = [(rule.sparsity, rule.stages, rule.names) for rule in layer_rules(RATIOS)]
    assert rules == [
        ("1:1", ("FF",), ("a0",)),
        ("1:8", ("FF",), ("a[[]0]",)),
        ("1:8", ("FF", "BP"), ("a.0", "c")),
        ("2:4", ("BP",), ("a[[]0]", "b")),
    ]


def test_the_file_reads_back_as_the_recipe_with_these_ratios(tmp_path):
    file = tmp_path / "mine.yaml"
    text = recipe_text(
        extends="bdwp",
        name="mine",
        title='BDWP: "quoted", a ratio for each layer',
        source="a test",
        rules=layer_rules(RATIOS),
        comments=("Made by: hand",),
    )
    file.write_text(text)
    recipe, base = load_recipe(str(file)).model, load_recipe("bdwp").model
    assert text.startswith("# Made by: hand\n")
    assert (recipe.name, recipe.title) == ("mine", 'BDWP: "quoted", a ratio for each layer')
    assert (recipe.forward, recipe.backward, recipe.decay) == (base.forward, base.backward, base.decay)
    for (module, stage), pattern in RATIOS.items():
        found = ratio(recipe, module, stage, Pattern(3, 7))
        assert found == (Pattern(1, 1) if pattern.is_dense else pattern)
    assert ratio(recipe, "elsewhere", FF, Pattern(3, 7)) == Pattern(3, 7)
