import math
import re

import pytest
from bisparse.configs import strict_yaml
from bisparse.configs.errors import ConfigError
from bisparse.configs.strict_yaml import parse, parse_text


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_text(text, file="a.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-9", 1e-9),
        ("2E8", 2e8),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("2:8", "2:8"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("512 KiB", "512 KiB"),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    read = parse_text(f"x: {text}\n", file="a.yaml").data["x"]
    assert read == value
    assert type(read) is type(value)


def test_nan_is_a_number():
    assert math.isnan(parse_text("x: .nan", file="a.yaml").data["x"])


def test_keys_are_texts_as_they_stand():
    assert parse_text("{4: a, no: b, 1e3: c}", file="a.yaml").data == {"4": "a", "no": "b", "1e3": "c"}


def test_every_value_knows_its_line():
    document = parse_text("a: 1\n\nb:\n  c:\n    - x\n    - {d: 2,\n       e: 3}\n", file="a.yaml")
    lines = {path: document.line_of(path) for path in document.places}
    assert lines == {
        (): 1,
        ("a",): 1,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "c", 0): 5,
        ("b", "c", 1): 6,
        ("b", "c", 1, "d"): 6,
        ("b", "c", 1, "e"): 7,
    }


def test_a_missing_path_has_the_line_of_its_nearest_parent():
    document = parse_text("a: 1\nb:\n  c: 2\n", file="a.yaml")
    assert document.line_of(("b", "x", "y")) == 2
    assert document.line_of(("x",)) == 1


def test_aliases_repeat_a_value():
    assert parse_text("a: &x [1, 2]\nb: *x\n", file="a.yaml").data == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: a: got a key already given on line 1, need it once"),
        ("x:\n  a: 1\n  a: 1\n", "a.yaml:3: x.a: got a key already given on line 2, need it once"),
        ("x: [{a: 1, a: 2}]", "a.yaml:1: x.0.a: got a key already given on line 1, need it once"),
        ("a: &x {b: 1}\n<<: *x\n", "a.yaml:2: <<: got a merge key, need the values written out; try extends"),
        ("a: &x [*x]", "a.yaml:1: a.0: got an alias to a value that holds it, need a finite value"),
        ("\na: !!python/name:os.x y", "a.yaml:2: a: got the tag !!python/name:os.x, need a plain value"),
        ("a: !!int x", "a.yaml:1: a: got 'x', need a value of type int"),
        ("? [a]\n: 1", "a.yaml:1: got a key that is not a single value, need a text as the key"),
        ("a: 1\n---\nb: 2", "a.yaml:2: got a second document, need one in a file"),
        ("a: 1\nb: \x01", "a.yaml:2: got a control character, need plain text"),
        ("[" * 5000 + "]" * 5000, "a.yaml:1: got values nested too deeply, need at most 64 levels"),
    ],
)
def test_what_is_refused_is_named_on_one_line(text, message):
    assert refusal(text) == message


@pytest.mark.parametrize("text", ["a: 1\n\tb: 2\n", "a: [1\n", "a: 'x\n", "a: b: c", "@"])
def test_bad_syntax_is_one_line_with_its_place(text):
    assert re.fullmatch(r"a\.yaml:\d+: got invalid YAML \(.+\), need valid YAML(; try spaces)?", refusal(text))


def test_aliases_cannot_fill_the_memory(monkeypatch):
    monkeypatch.setattr(strict_yaml, "MOST_VALUES", 1000)
    levels = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 30)]
    message = refusal("\n".join(["l0: &l0 [1]", *levels]))
    assert message.endswith("got more than 1000 values, need fewer; try fewer aliases")


def test_files_that_cannot_be_read(tmp_path):
    missing, binary = tmp_path / "missing.yaml", tmp_path / "binary.yaml"
    binary.write_bytes(b"a: \xff")
    for path, message in [
        (missing, f"{missing}: got no such file, need a YAML file"),
        (tmp_path, f"{tmp_path}: got a folder, need a YAML file"),
        (binary, f"{binary}: got byte 3 that is not UTF-8, need UTF-8 text"),
    ]:
        with pytest.raises(ConfigError) as caught:
            parse(path)
        assert str(caught.value) == message
