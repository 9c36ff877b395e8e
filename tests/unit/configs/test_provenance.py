import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.provenance import Provenance, strip_provenance
from bisparse.configs.strict_yaml import parse_text


def strip(text: str, **plain):
    return strip_provenance(parse_text(text, file="a.yaml"), **plain)


def test_values_and_what_is_said_of_them_are_separated():
    document, provenance = strip(
        "name: x\nengine:\n  rows: {value: 32, status: assumed, source: a guess}\n  cols: 8\nflows: [os, ws]\n"
    )
    assert document.data == {"name": "x", "engine": {"rows": 32, "cols": 8}, "flows": ["os", "ws"]}
    assert provenance == {
        "engine.rows": Provenance(value=32, status="assumed", source="a guess"),
        "engine.cols": Provenance(value=8, status="given", source=""),
        "flows": Provenance(value=["os", "ws"], status="given", source=""),
    }


def test_lines_are_those_of_the_annotated_field():
    document, _ = strip(
        "engine:\n  rows:\n    status: assumed\n    value: 32\n  flows:\n    status: assumed\n    value:\n      - os\n"
    )
    assert document.line_of(("engine", "rows")) == 2
    assert document.line_of(("engine", "flows")) == 5
    assert document.line_of(("engine", "flows", 0)) == 8


def test_what_is_said_of_a_mapping_holds_for_every_leaf_unless_said_again():
    document, provenance = strip(
        "costs:\n"
        "  status: assumed\n"
        "  source: all\n"
        "  value:\n"
        "    add: {cycles: 1}\n"
        "    exp: {cycles: {value: 4, status: derived, source: own}}\n"
    )
    assert document.data == {"costs": {"add": {"cycles": 1}, "exp": {"cycles": 4}}}
    assert provenance == {
        "costs.add.cycles": Provenance(value=1, status="assumed", source="all"),
        "costs.exp.cycles": Provenance(value=4, status="derived", source="own"),
    }
    assert document.line_of(("costs", "exp", "cycles")) == 6


def test_items_of_a_list_of_mappings_have_their_own():
    _, provenance = strip("sram:\n  - {value: {bytes: 4}, status: assumed}\n  - {bytes: 8}\n")
    assert {path: known.status for path, known in provenance.items()} == {
        "sram.0.bytes": "assumed",
        "sram.1.bytes": "given",
    }


def test_a_field_that_happens_to_be_called_value_is_no_annotation():
    document, _ = strip("filter: {parameter: rows, value: 3}\n")
    assert document.data == {"filter": {"parameter": "rows", "value": 3}}


def test_plain_leaves_take_the_status_that_the_caller_names():
    _, provenance = strip("rows: 3", plain_status="assumed", plain_source="not annotated")
    assert provenance == {"rows": Provenance(value=3, status="assumed", source="not annotated")}


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("{value: 3, statis: assumed}", "got statis, no such part of a value; try status"),
        ("{value: 3}", "got no status, need one of published, derived, fitted, assumed, given"),
        ("{value: 3, status: sure}", "got status 'sure', need one of published, derived, fitted, assumed, given"),
        ("{value: 3, status: [a]}", "got status a list of 1, need one of published, derived, fitted, assumed, given"),
        (
            "{value: 3, status: published}",
            "got status published without a source, need the source; try status: assumed",
        ),
        ("{value: 3, status: assumed, source: 4}", "got source 4, need a text"),
    ],
)
def test_a_wrong_annotation_is_named(annotation, message):
    with pytest.raises(ConfigError) as caught:
        strip(f"engine:\n  rows: {annotation}\n")
    assert str(caught.value) == f"a.yaml:2: engine.rows: {message}"
