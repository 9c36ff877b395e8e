"""Graphs as files: the same graph gives the same bytes, and every fault is named by its place."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import find, names
from bisparse.training.graph_fault import GraphFormatError
from bisparse.training.graph_file import graph_text, load_graph, save_graph
from bisparse.training.graph_reading import GraphReader

from .small_graph import changed, small_graph


def test_what_is_read_is_what_was_written(tmp_path):
    save_graph(small_graph(), tmp_path / "made" / "graph.json")
    assert load_graph(tmp_path / "made" / "graph.json") == small_graph()


def test_the_same_graph_gives_the_same_bytes():
    assert graph_text(small_graph()) == graph_text(small_graph(turned=True))


def test_a_count_without_batch_is_a_bare_number():
    document = json.loads(graph_text(small_graph()))
    assert document["schema_version"] == 1
    assert document["tensors"][1]["shape"] == [[0, 1], 4]
    assert document["operators"][1]["geometry"] == {"m": [0, 1], "n": 4, "k": 3, "count": 6}
    assert "elements" not in document["operators"][1]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ["schema_version"],
            2,
            "schema_version: got 2, made by a newer bisparse, need at most 1; try to upgrade bisparse",
        ),
        (["schema_version"], ..., "schema_version: got nothing, need an integer up to 1"),
        (["schema_version"], True, "schema_version: got True, need an integer up to 1"),
        (["schema_version"], 0, "schema_version: got 0, need 1 to 1"),
        (["name"], 3, "name: got 3, need text"),
        (["name"], ..., "name: got nothing, need this field"),
        (["colour"], "red", "colour: got an unknown field, need one of schema_version, name"),
        (["default_batch"], 0, "default_batch: got 0, need at least 1"),
        (["default_batch"], 2.5, "default_batch: got 2.5, need an integer"),
        (["counted_macs"], [], "counted_macs: got [], need an object"),
        (
            ["counted_macs", "forward"],
            -1,
            "counted_macs.forward: got -1, need a count, [fixed, per_sample], or [fixed, per_sample, samples]",
        ),
        (["tensors"], {}, "tensors: got {}, need a list"),
        (["tensors", 1], "w", "tensors[1]: got 'w', need an object"),
        (["tensors", 1, "name"], "i", "tensors[1].name: got 'i', need a name used once"),
        (["tensors", 1, "role"], "weight", "tensors[1].role: got 'weight', need one of activation, buffer"),
        (["tensors", 1, "shape"], [[1, 2, 3, 4]], "tensors[1].shape: got [1, 2, 3, 4], need a count"),
        (["tensors", 1, "shape"], ["4"], "tensors[1].shape: got '4', need a count"),
        (["tensors", 1, "shape"], [True], "tensors[1].shape: got True, need a count"),
        (["tensors", 1, "shape"], [[0, None]], "tensors[1].shape: got [0, None], need a count"),
        (["tensors", 1, "integer"], 1, "tensors[1].integer: got 1, need true or false"),
        (["operators", 2, "stage"], "FW", "operators[2].stage: got 'FW', need one of FF, BP, WU, update"),
        (["operators", 2, "stage"], [], "operators[2].stage: got [], need one of"),
        (["operators", 2, "kind"], ..., "operators[2].kind: got nothing, need this field"),
        (["operators", 2, "colour"], 1, "operators[2].colour: got an unknown field, need one of name, kind"),
        (["operators", 2, "name"], "c:FF", "operators[2].name: got 'c:FF', need a name used once"),
        (["operators", 2, "inputs"], ["q"], "operators[2].inputs: got 'q', need a tensor listed under tensors"),
        (["operators", 2, "outputs"], "y", "operators[2].outputs: got 'y', need a list"),
        (["operators", 0, "parameter"], "v", "operators[0].parameter: got 'v', need a tensor listed under tensors"),
        (["operators", 0, "geometry"], 7, "operators[0].geometry: got 7, need an object"),
        (["operators", 0, "geometry", "kernel"], ..., "operators[0].geometry.kernel: got nothing, need this field"),
        (["operators", 0, "geometry", "kernel"], [3, 3], "operators[0].geometry.kernel: got [3, 3], need as many axes"),
        (["operators", 0, "geometry", "transposed"], 1, "operators[0].geometry.transposed: got 1, need true or false"),
        (["operators", 1, "geometry", "k"], None, "operators[1].geometry.k: got nothing, need a count"),
        (["unknown", 0, "shapes"], [["a"]], "unknown[0].shapes: got ['a'], need a list of counts"),
    ],
)
def test_a_fault_is_named_by_its_place(tmp_path, path, value, message):
    file = tmp_path / "graph.json"
    file.write_text(changed(path, value))
    with pytest.raises(ConfigError) as caught:
        load_graph(file)
    assert str(caught.value).startswith(f"{file}:1: {message}")
    assert "; try " in str(caught.value)
    assert "\n" not in str(caught.value)


CONV, PRODUCT = ["operators", 0, "geometry"], ["operators", 1, "geometry"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["tensors", 1, "shape"], [0], "tensors[1].shape: got 0, need extents of at least 1"),
        (["tensors", 1, "shape"], [[0, 0]], "tensors[1].shape: got [0, 0], need extents of at least 1"),
        (["operators"], [], "operators: got [], need at least one operator"),
        ([*CONV, "batch"], 0, "operators[0].geometry.batch: got 0, need at least 1"),
        ([*CONV, "groups"], 0, "operators[0].geometry.groups: got 0, need at least 1"),
        ([*CONV, "groups"], 7, "operators[0].geometry.groups: got 7, need a divisor of in_channels (4)"),
        ([*CONV, "in_channels"], -3, "operators[0].geometry.in_channels: got -3, need at least 1"),
        ([*CONV, "out_channels"], 0, "operators[0].geometry.out_channels: got 0, need at least 1"),
        ([*CONV, "kernel"], [0], "operators[0].geometry.kernel: got [0], need extents of at least 1"),
        ([*CONV, "stride"], [0], "operators[0].geometry.stride: got [0], need extents of at least 1"),
        ([*CONV, "dilation"], [0], "operators[0].geometry.dilation: got [0], need extents of at least 1"),
        ([*CONV, "input_size"], [0], "operators[0].geometry.input_size: got [0], need extents of at least 1"),
        ([*CONV, "padding"], [-1], "operators[0].geometry.padding: got [-1], need a list of counts"),
        ([*CONV, "output_size"], [999], "operators[0].geometry.output_size: got [999], need 17 to 18 on axis 0, as "),
        ([*CONV, "output_size"], [16], "operators[0].geometry.output_size: got [16], need 17 to 18 on axis 0, as "),
        ([*CONV, "transposed"], False, "operators[0].geometry.output_size: got [17], need 3 on axis 0, as input_size"),
        ([*PRODUCT, "m"], 0, "operators[1].geometry.m: got 0, need at least 1"),
        ([*PRODUCT, "count"], [0, 0], "operators[1].geometry.count: got 0, need at least 1"),
        (
            ["operators", 0, "kind"],
            "convolutoin",
            "operators[0].kind: got 'convolutoin', need convolution, as its geometry says; try convolution",
        ),
        (["operators", 0, "kind"], "relu", "operators[0].kind: got 'relu', need convolution, as its geometry says"),
        (["operators", 1, "kind"], "matmull", "operators[1].kind: got 'matmull', need linear or matmul, as its"),
        (["operators", 1, "kind"], "linear", "operators[1].parameter: got nothing, need the weight of a linear"),
        (["operators", 1, "inputs"], ["y"], "operators[1].inputs: got ['y'], need the two operands of a product"),
        (["operators", 2, "kind"], "matmul", "operators[2].geometry: got nothing, need the geometry of a matmul"),
        (
            ["operators", 2, "kind"],
            "batch_nrm",
            "operators[2].kind: got 'batch_nrm', need a kind of vector operation; try batch_norm",
        ),
        (["operators", 2, "stage"], "update", "operators[2].kind: got 'unknown', need parameter_update: the only kind"),
        (
            ["operators", 0, "inputs"],
            ["z", "w"],
            "operators[0].inputs: got 'z', need a tensor made earlier: p:FF makes",
        ),
        (
            ["operators", 0, "inputs"],
            ["y", "w"],
            "operators[0].inputs: got 'y', need a tensor made earlier: c:FF makes",
        ),
        (["operators", 2, "outputs"], ["y"], "operators[2].outputs: got 'y', need a tensor that c:FF does not make"),
        (["counted_macs", "forward"], 456, "counted_macs.forward: got 456 at batch 2, need 912, the multiply-"),
        (["counted_macs", "backward"], 5, "counted_macs.backward: got 5 at batch 1, need 0, the multiply-accumulates"),
        (["counted_macs", "forwrad"], 5, "counted_macs.forwrad: got 'forwrad', need forward or backward; try forward"),
    ],
)
def test_a_graph_of_no_network_is_refused(tmp_path, path, value, message):
    file = tmp_path / "graph.json"
    file.write_text(changed(path, value))
    with pytest.raises(ConfigError) as caught:
        load_graph(file)
    assert str(caught.value).startswith(f"{file}:1: {message}")
    assert "\n" not in str(caught.value)


def test_an_output_of_the_size_that_the_convolution_makes_is_accepted(tmp_path):
    """With stride 2 a transposed convolution may pad its output by 1; a plain one drops what does not fill a step."""
    file = tmp_path / "graph.json"
    # 18 positions instead of 17 change no MACs of a transposed convolution, which are counted at its input.
    file.write_text(changed([*CONV, "output_size"], [18]))
    load_graph(file)
    document = json.loads(graph_text(small_graph()))
    document["operators"][0]["geometry"] |= {"transposed": False, "output_size": [3]}
    document["counted_macs"]["forward"] = [0, 3 * 3 * 4 * 4 + 72]
    file.write_text(json.dumps(document))
    assert load_graph(file).operators[0].geometry.output_size == (3,)


WRONG = [None, True, "x", "", [], {}, ["x"], [[]], {"a": 1}, 1.5, -1, 10**29, [1, True], [10**29] * 3]


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*at, key))


def test_a_field_of_any_wrong_type_is_refused_in_a_line():
    whole = graph_text(small_graph())
    faults = []
    for path in places(json.loads(whole)):
        for wrong in WRONG:
            document: Any = {"graph": json.loads(whole)}
            holder = document
            *above, last = ("graph", *path)
            for step in above:
                holder = holder[step]
            holder[last] = wrong
            try:
                GraphReader(1).graph(document["graph"])
            except GraphFormatError as error:
                faults.append(str(error))
    assert len(faults) > 1000
    assert not [fault for fault in faults if "\n" in fault]


def test_shares_that_are_whole_at_no_batch_are_refused(tmp_path):
    document = json.loads(graph_text(small_graph()))
    product = next(each for each in document["operators"] if "m" in each.get("geometry", {}))
    shares = {side: [0, 1, 10**29 + odd] for side, odd in (("m", 1), ("n", 3))}
    product["geometry"] |= shares
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="need shares that are whole within 30 digits"):
        load_graph(tmp_path / "a.json")


def test_a_key_that_stands_twice_is_refused(tmp_path):
    file = tmp_path / "graph.json"
    text = graph_text(small_graph())
    file.write_text(text.replace('  "default_batch": 16,\n', '  "default_batch": 16,\n  "default_batch": 32,\n'))
    with pytest.raises(ConfigError, match=r"graph\.json:6: default_batch: got a key already given") as caught:
        load_graph(file)
    assert "\n" not in str(caught.value)


def test_a_fault_is_named_by_its_line(tmp_path):
    file = tmp_path / "graph.json"
    lines = graph_text(small_graph()).splitlines()
    line = next(number for number, text in enumerate(lines) if '"name": "p:odd"' in text)
    lines[line] = lines[line].replace('"BP"', '"BQ"')
    file.write_text("\n".join(lines))
    with pytest.raises(ConfigError) as caught:
        load_graph(file)
    assert str(caught.value).startswith(f"{file}:{line + 1}: operators[2].stage: got 'BQ', need one of FF, BP")


def test_an_activation_that_nothing_makes_is_no_saved_activation():
    """A constant of the step: read by the backward pass, made by none of its operators."""
    graph = small_graph()
    loose = replace(graph, operators=tuple(each for each in graph.operators if each.name != "p:FF"))
    assert loose.saved_activations() == ()


def test_files_that_cannot_be_read(tmp_path):
    file = tmp_path / "graph.json"
    with pytest.raises(ConfigError, match="got no such file, need a captured graph; try bisparse capture"):
        load_graph(file)
    with pytest.raises(ConfigError, match="got a folder, need a captured graph; try bisparse capture"):
        load_graph(tmp_path)
    file.write_text('{\n  "name": "x",\n  oops\n}')
    with pytest.raises(ConfigError, match=r"graph\.json:3: got invalid JSON"):
        load_graph(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="got an unreadable file"):
        load_graph(file)
    file.write_text("[]")
    with pytest.raises(ConfigError, match=r"top level: got \[\], need an object"):
        load_graph(file)


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match=r"got .*, need a file that can be written; try another --out"):
        save_graph(small_graph(), tmp_path / "taken" / "graph.json")


def test_reading_a_large_network_is_quick():
    """Beside parsing its JSON, for a machine may be slow or busy: 6 times as long where nothing else runs."""
    path = find("workloads", "resnet50-imagenet")

    def seconds(read: Callable[[], object]) -> float:
        start = time.process_time()
        read()
        return time.process_time() - start

    # The best of several, because other programs run beside this one.
    parsing = min(seconds(lambda: json.loads(path.read_text(encoding="utf-8"))) for _ in range(10))
    assert min(seconds(lambda: load_graph(path)) for _ in range(10)) < 12 * parsing


@pytest.mark.parametrize("name", names("workloads"))
def test_shipped_files_are_canonical(name):
    path = find("workloads", name)
    assert graph_text(load_graph(path)) == path.read_text(encoding="utf-8")


def test_reading_needs_no_torch():
    script = "import sys, bisparse.training.graph_file, bisparse.training.workloads\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ["tensors", 3, "shape"],
            [[0, 1], 4],
            "operators[0].outputs: got y of 64 elements at batch 16, need at least 1088",
        ),
        (
            ["tensors", 4, "shape"],
            [[0, 1], 4],
            "operators[1].outputs: got z of 64 elements at batch 16, need at least 384",
        ),
        (["tensors", 1, "shape"], [7, 6], "operators[0].inputs: got w of 42 elements, need at least 48"),
        (["tensors", 0, "role"], "parameter_gradient", "operators: got no update that reads i, need one for each"),
    ],
)
def test_tensors_that_have_no_room_for_what_the_geometry_says(tmp_path, path, value, message):
    (tmp_path / "graph.json").write_text(changed(path, value))
    with pytest.raises(ConfigError) as refused:
        load_graph(tmp_path / "graph.json")
    assert message in str(refused.value)
