"""Levels, digits and characters of a document: one set of limits, whether it is read as YAML or as JSON."""

import json

import pytest
from bisparse.configs import strict_yaml
from bisparse.configs.errors import ConfigError
from bisparse.configs.limits import MOST_DIGITS, MOST_LEVELS
from bisparse.configs.strict_json import parse_json
from bisparse.configs.strict_yaml import parse_text


def as_json(text):
    return parse_json(text, file="a")


def as_yaml(text):
    return parse_text(text, file="a").data


BOTH = pytest.mark.parametrize("read", [as_json, as_yaml], ids=["JSON", "YAML"])


def nested(levels, opening="[", closing="]"):
    return opening * levels + closing * levels


def refused(read, text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@BOTH
@pytest.mark.parametrize("around", [("[", "]"), ('{"a": ', "}"), ('[{"a": ', "}]")])
def test_as_many_levels_as_told_are_read_and_no_more(read, around):
    opening, closing = around
    levels = MOST_LEVELS // (opening.count("[") + opening.count("{"))
    whole = opening * levels + "1" + closing * levels
    assert read(whole) == json.loads(whole)
    assert "nested too deeply, need at most 64 levels" in refused(read, f"[{whole}]")


@BOTH
@pytest.mark.parametrize("levels", [100, 1500, 100_000])
def test_depth_neither_tires_the_interpreter_nor_kills_it(read, levels):
    for text in (nested(levels), nested(levels, '{"a":', "}").replace(":}", ":1}")):
        assert "nested too deeply" in refused(read, text)


@pytest.mark.parametrize("text", ["- " * 5000 + "a", "\n".join(" " * level + "a:" for level in range(300)),
                                  "? " * 3000 + "a", "[" * 100_000])  # fmt: skip
def test_levels_of_indentation_count_like_brackets(text):
    assert "nested too deeply" in refused(as_yaml, text)


@BOTH
def test_brackets_in_texts_are_no_levels(read):
    text = json.dumps(["[" * 500, '"]', "\\", '\\"[', {"[" * 99: "}{"}, "]" * 500])
    assert read(text) == json.loads(text)


def test_brackets_in_texts_do_not_hide_levels():
    text = '["]",' * 100 + "1" + ',"["]' * 100
    assert json.loads(text)
    assert "nested too deeply" in refused(as_json, text)


def test_brackets_that_do_not_match_are_broken_json():
    for text in ("[" * 10, "]" * 10, "[{]}", '["', "[[]", '"\\'):
        with pytest.raises(json.JSONDecodeError):
            as_json(text)
    assert "nested too deeply" in refused(as_json, "[" * 100_000)


@BOTH
def test_an_integer_has_as_many_digits_as_told(read):
    for sign in ("", "-"):
        assert read(f"[{sign}{'9' * MOST_DIGITS}]") == [int(sign + "9" * MOST_DIGITS)]
        assert "an integer of " in refused(read, f"[{sign}{'9' * 5000}]")
    digits = "9" * 5000
    assert read(f'["{digits}"]') == [digits]


def test_half_a_character_is_refused():
    assert as_json(r'["\ud83d\ude00", "\\ud800"]') == ["\U0001f600", r"\ud800"]
    assert refused(as_json, r'{"\ud800": 1}') == "a: got half of a surrogate pair in a text, need whole characters"


def test_an_alias_counts_as_often_as_it_stands(monkeypatch):
    monkeypatch.setattr(strict_yaml, "MOST_CHARACTERS", 1000)
    assert len(as_yaml(f"a: &x {'y' * 300}\nb: [*x, *x]")["b"]) == 2
    assert "got more than 1000 characters, need fewer" in refused(as_yaml, f"a: &x {'y' * 300}\nb: [*x, *x, *x]")


def test_values_are_counted_before_they_are_composed(monkeypatch):
    monkeypatch.setattr(strict_yaml, "MOST_VALUES", 1000)
    monkeypatch.setattr(strict_yaml, "_compose", None)
    assert "a:1: got more than 1000 values, need fewer" in refused(as_yaml, f"[{'1, ' * 3000}]")


def test_a_text_in_a_numbers_place_is_told_short():
    assert len(refused(as_yaml, f"!!float {'x' * 5000}")) < 150
