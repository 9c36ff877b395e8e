"""``bisparse init``: what it makes is read, says what it extends, and its schema holds for it."""

import json
import re

import pytest
import yaml
from bisparse.accel.specification import load_hardware
from bisparse.configs.library import names
from bisparse.configs.provenance import strip_provenance
from bisparse.configs.strict_yaml import parse
from bisparse.training.recipes.declaration import load_recipe


def test_a_design_is_what_it_extends_until_a_line_is_changed(run, tmp_path):
    done = run("init", "my-design.yaml")
    assert done.code == 0
    assert "bisparse simulate resnet18-tinyimagenet --hardware my-design.yaml" in done.out
    base, own = load_hardware("sat-vcu1525").model, load_hardware("./my-design.yaml").model
    assert own.name == "my-design"
    assert own.model_dump(exclude={"name", "title"}) == base.model_dump(exclude={"name", "title"})


@pytest.mark.parametrize("base", names("hardware"))
def test_every_line_taken_on_says_what_the_base_says(run, tmp_path, base):
    """All fields at once: each stands there under its own section, with a value that is read as the base's is."""
    assert run("init", "all.yaml", "--from", base).code == 0
    text = (tmp_path / "all.yaml").read_text()
    head, fields = text.split("extends: ", 1)
    (tmp_path / "on.yaml").write_text(head + "extends: " + re.sub(r"^# ", "", fields, flags=re.MULTILINE))
    own, of = load_hardware(str(tmp_path / "on.yaml")).model, load_hardware(base).model
    assert own.model_dump(exclude={"name", "title"}) == of.model_dump(exclude={"name", "title"})


@pytest.mark.parametrize(("kind", "check"), [("recipe", ("recipes", "check")), ("hardware", ("hardware", "check"))])
def test_a_file_of_each_kind_is_one(run, kind, check):
    assert run("init", "mine.yaml", "--kind", kind).code == 0
    assert run(*check, "mine.yaml").out == "ok: mine\n"


@pytest.mark.parametrize("base", names("recipes"))
def test_a_copy_of_a_recipe_says_all_but_what_was_published_of_the_method(run, base):
    assert run("init", "mine.yaml", "--kind", "recipe", "--from", base).code == 0
    own, of = load_recipe("./mine.yaml").model, load_recipe(base).model
    assert (own.method, own.published) == ("", ())
    apart = {"name", "method", "published"}
    assert own.model_dump(exclude=apart) == of.model_dump(exclude=apart)


@pytest.mark.parametrize("kind", ["hardware", "recipe", "sweep", "claims"])
@pytest.mark.parametrize("stem", ["true", "123", "null", "a: b", 'we"ird #x', "\\1", "two words", "-x", "größe"])
def test_odd_names_are_quoted(run, tmp_path, kind, stem):
    """What is made is read again, under the very name of its file."""
    done = run("init", "--kind", kind, "--", f"{stem}.yaml")
    assert done.code == 0, done.err
    assert parse(tmp_path / f"{stem}.yaml").data["name"] == stem


def test_a_base_beside_the_working_directory_is_found_from_beside_the_new_file(run):
    assert run("init", "base.yaml").code == 0
    assert run("init", "sub/own.yaml", "--from", "./base.yaml").code == 0
    assert run("hardware", "check", "sub/own.yaml").out == "ok: own\n"


def test_a_file_in_the_place_of_the_schema_is_left(run, tmp_path):
    (tmp_path / "hardware.schema.json").write_text("{}")
    done = run("init", "mine.yaml")
    assert done.code == 2
    assert "hardware.schema.json: got a file that is no schema of bisparse's" in done.err
    assert (tmp_path / "hardware.schema.json").read_text() == "{}"
    assert not (tmp_path / "mine.yaml").exists()


def test_a_sweep_runs_as_it_is(run):
    assert run("init", "mine.yaml", "--kind", "sweep").code == 0
    done = run("explore", "mine.yaml", "--dry-run")
    assert done.code == 0
    assert done.err.startswith("mine: 192 designs")


@pytest.mark.parametrize("kind", ["hardware", "recipe", "claims"])
def test_the_schema_knows_every_field_of_the_shipped_files_and_no_other(run, tmp_path, kind):
    assert run("init", "mine.yaml", "--kind", kind).code == 0
    assert (tmp_path / "mine.yaml").read_text().startswith(f"# yaml-language-server: $schema={kind}.schema.json\n")
    schema = json.loads((tmp_path / f"{kind}.schema.json").read_text())
    for path in shipped(kind):
        document, _ = strip_provenance(parse(path))
        assert unknown(schema, schema, document.data) == []
    assert unknown(schema, schema, {"nmae": "x"}) == ["nmae"]


def shipped(kind):
    from bisparse.configs import library

    folder = {"hardware": "hardware", "recipe": "recipes", "claims": "claims"}[kind]
    return [library.find(folder, name) for name in names(folder)]


def unknown(schema, part, data):
    """Fields of data that a part of a schema does not know."""
    for choice in part.get("anyOf", ()):
        if "$ref" in choice:
            part = choice
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    if not isinstance(data, dict) or "properties" not in part:
        return []
    found = [name for name in data if name not in part["properties"]]
    return found + [
        name for key, value in data.items() if key in part["properties"]
        for name in unknown(schema, part["properties"][key], value)
    ]  # fmt: skip


def test_a_quantity_may_be_a_text_and_any_value_may_say_how_well_it_is_known(run, tmp_path):
    assert run("init", "mine.yaml").code == 0
    schema = json.loads((tmp_path / "hardware.schema.json").read_text())
    size = schema["$defs"]["Buffer"]["properties"]["capacity_bytes"]
    assert size["anyOf"][0]["type"] == ["integer", "string"]
    assert size["anyOf"][1]["required"] == ["value", "status", "source"]
    assert "required" not in schema
    assert yaml.safe_load((tmp_path / "mine.yaml").read_text())["extends"] == "sat-vcu1525"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("init", "there.yaml"), "there.yaml: got a file that is there, need a new one; try another name"),
        (("init", "mine.txt"), "mine.txt: got a file of another kind, need one that ends in .yaml; try mine.txt.yaml"),
        (("init", "mine.yaml", "--kind", "car"), "--kind: got 'car', need one of hardware, recipe, sweep, claims"),
        (("init", "mine.yaml", "--from", "sat"), "hardware: got 'sat', need one of"),
        (
            ("init", "there.yaml/mine.yaml"),
            "there.yaml/mine.yaml: got File exists, need a file that can be written",
        ),
    ],
)
def test_what_cannot_be_made_is_told(run, tmp_path, words, message):
    (tmp_path / "there.yaml").write_text("name: mine\n")
    done = run(*words)
    assert done.code == 2
    assert message in done.err
    assert (tmp_path / "there.yaml").read_text() == "name: mine\n"


@pytest.mark.parametrize("kind", ["hardware", "recipe", "sweep", "claims"])
def test_a_file_to_begin_with_that_is_no_text_is_told(run, tmp_path, kind):
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff\n")
    done = run("init", "new.yaml", "--kind", kind, "--from", "bad.yaml")
    assert (done.code, done.err) == (2, "bad.yaml: got byte 6 that is not UTF-8, need UTF-8 text\n")
