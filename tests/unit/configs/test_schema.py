from typing import Annotated, Literal, Self

import pytest
from bisparse.configs import library, schema
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.configs.provenance import Provenance
from bisparse.configs.quantity import Bytes, Hertz, PatternText
from bisparse.configs.schema import load, load_annotated
from bisparse.configs.section import Section
from bisparse.training.recipes.declaration import load_recipe
from pydantic import Field, field_validator, model_validator


class Engine(Section):
    rows: int = Field(gt=0, description="Rows of PEs.")
    columns: int = Field(default=4, gt=0)
    flow: Literal["os", "ws"] = "os"
    deep: bool = False
    latency: int = 1

    @model_validator(mode="after")
    def _latency_fits(self) -> Self:
        if self.latency > self.rows:
            raise ValueError(f"latency: got {self.latency}, need at most rows ({self.rows})")
        return self


class Ddr(Section):
    type: Literal["ddr"]
    width: int


class Hbm(Section):
    type: Literal["hbm"]
    stacks: int


class Design(Section):
    name: str = "x"
    engine: Engine
    clock_hz: Hertz = 1.0
    buffer: Bytes = 0
    patterns: tuple[PatternText, ...] = ()
    memory: Annotated[Ddr | Hbm, Field(discriminator="type")] | None = None
    banks: tuple[Ddr, ...] = ()
    limit: int | str | None = None
    price: dict[str, Engine] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "a.yaml") -> str:
    with open(name, "w") as file:
        file.write(text)
    return name


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(text), Design)
    return str(caught.value)


def test_a_good_file_becomes_a_model():
    text = """
        engine: {rows: {value: 8, status: assumed}, flow: ws}
        clock_hz: 200 MHz
        buffer: 2 KiB
        patterns: ["2:8", " 1:4"]
        memory: {type: hbm, stacks: 2}
    """
    assert load(write(text), Design) == Design(
        engine=Engine(rows=8, flow="ws"),
        clock_hz=2e8,
        buffer=2048,
        patterns=("2:8", "1:4"),
        memory=Hbm(type="hbm", stacks=2),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("engine:\n  rowz: 4\n", "a.yaml:2: engine.rowz: got rowz, need a known field; try rows"),
        (
            "engine: {rows: 1, zzz: 4}",
            "a.yaml:1: engine.zzz: got zzz, need one of rows, columns, flow, deep, latency",
        ),
        ("\nengine: {}", "a.yaml:2: engine.rows: got nothing, need an integer (Rows of PEs)"),
        ("name: y", "a.yaml:1: engine: got nothing, need a mapping"),
        ("engine: 3", "a.yaml:1: engine: got 3, need a mapping"),
        ("engine: {rows: '4'}", "a.yaml:1: engine.rows: got '4', need an integer; try 4 without quotes"),
        ("engine: {rows: 4.0}", "a.yaml:1: engine.rows: got 4.0, need an integer"),
        ("engine: {rows: true}", "a.yaml:1: engine.rows: got true, need an integer"),
        ("engine: {rows: null}", "a.yaml:1: engine.rows: got nothing, need an integer"),
        ("engine:\n  rows: -3", "a.yaml:2: engine.rows: got -3, need a number > 0"),
        ("engine: {rows: 1, flow: wss}", "a.yaml:1: engine.flow: got 'wss', need os or ws; try ws"),
        ("engine: {rows: 1, deep: yes}", "a.yaml:1: engine.deep: got 'yes', need true or false; try true"),
        ("engine:\n  rows: 1\n  latency: 9", "a.yaml:3: engine.latency: got 9, need at most rows (1)"),
        (
            "engine: {rows: 1}\nclock_hz: 200 mhz",
            "a.yaml:2: clock_hz: got '200 mhz', need hertz: a number, alone or with one of Hz, kHz, MHz, GHz; "
            "try 200 MHz",
        ),
        (
            "engine: {rows: 1}\nbuffer: -2 MiB",
            "a.yaml:2: buffer: got '-2 MiB', need bytes that are not negative; try 512 KiB",
        ),
        (
            "engine: {rows: 1}\npatterns:\n  - 2:4\n  - 9:8\n",
            "a.yaml:4: patterns.1: got 9:8, need N:M with 1 <= N <= M <= 32; try 2:8",
        ),
        (
            "engine: {rows: 1}\npatterns: [many]",
            "a.yaml:2: patterns.0: got 'many', need N:M such as 2:8 (2 kept of every 8)",
        ),
        (
            "engine: {rows: 1}\nmemory:\n  type: hbn\n  stacks: 2",
            "a.yaml:3: memory.type: got 'hbn', need ddr or hbm; try hbm",
        ),
        ("engine: {rows: 1}\nmemory: {stacks: 2}", "a.yaml:2: memory.type: got nothing, need ddr or hbm"),
        (
            "engine: {rows: 1}\nmemory:\n  type: hbm\n  stack: 2",
            "a.yaml:4: memory.stack: got stack, need a known field; try stacks",
        ),
        (
            "engine: {rows: 1}\nbanks:\n  - {type: ddr, width: 1}\n  - {type: ddr,\n     wide: 1, width: 1}",
            "a.yaml:5: banks.1.wide: got wide, need a known field; try width",
        ),
        ("engine: {rows: 1}\nlimit: [1, 2]", "a.yaml:2: limit: got a list of 2, need an integer or a text"),
        ("engine: {rows: 1}\nprice:\n  add: {rows: 0}", "a.yaml:3: price.add.rows: got 0, need a number > 0"),
        ("", "a.yaml:1: got an empty file, need a mapping of fields"),
        ("- 1\n- 2", "a.yaml:1: got a list of 2, need a mapping of fields"),
    ],
)
def test_a_fault_is_one_line_with_file_line_and_field(text, message):
    assert refusal(text) == message


def test_an_annotated_value_is_blamed_at_its_field():
    text = "engine:\n  rows:\n    status: assumed\n    source: a guess\n    value: none\n"
    assert refusal(text) == "a.yaml:2: engine.rows: got 'none', need an integer"


def test_several_faults_are_a_line_each_in_the_order_of_the_file():
    assert refusal("clock_hz: fast\nengine:\n  rows: 0\n  flo: os\n").splitlines() == [
        "a.yaml:1: clock_hz: got 'fast', need hertz: a number, alone or with one of Hz, kHz, MHz, GHz; try 200 MHz",
        "a.yaml:3: engine.rows: got 0, need a number > 0",
        "a.yaml:4: engine.flo: got flo, need a known field; try flow",
    ]


def test_past_ten_faults_the_rest_are_counted():
    lines = refusal("engine: {rows: 1}\n" + "".join(f"zz{i}: 1\n" for i in range(13))).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "(and 3 more)"


def test_a_config_error_inside_a_validator_names_the_file():
    class Sparse(Section):
        pattern: str

        @field_validator("pattern")
        @classmethod
        def _parses(cls, pattern: str) -> str:
            return str(Pattern.parse(pattern))

    with pytest.raises(ConfigError) as caught:
        load(write("pattern: 9:8"), Sparse)
    assert str(caught.value) == "a.yaml: sparsity: got 9:8, need N:M with 1 <= N <= M <= 32; try 2:8"


def test_a_missing_file():
    with pytest.raises(ConfigError) as caught:
        load("none.yaml", Design)
    assert str(caught.value) == "none.yaml: got no such file, need a YAML file"


class TestExtends:
    BASE = (
        "name: base\n"
        "engine:\n"
        "  rows: {value: 8, status: published, source: a paper}\n"
        "  columns: {value: 8, status: assumed}\n"
        'patterns: {value: ["2:8", "1:4"], status: assumed}\n'
    )

    def test_the_child_wins_leaf_by_leaf(self):
        write(self.BASE, "base.yaml")
        loaded = load_annotated(
            write('extends: base.yaml\nengine: {columns: 2}\npatterns: ["2:4"]'), Design, "hardware"
        )
        assert loaded.model == Design(name="base", engine=Engine(rows=8, columns=2), patterns=("2:4",))
        assert loaded.provenance == {
            "engine.rows": Provenance(value=8, status="published", source="a paper"),
            "engine.columns": Provenance(value=2, status="given", source=""),
            "patterns": Provenance(value=["2:4"], status="given", source=""),
        }
        assert [path.name for path in loaded.sources] == ["a.yaml", "base.yaml"]

    def test_the_hash_is_of_what_results(self):
        write(self.BASE, "base.yaml")
        whole = write('name: base\npatterns: ["2:8", "1:4"]\nengine: {columns: 2, rows: 8}', "whole.yaml")
        child = write("extends: ./base.yaml\nengine: {columns: 2}")
        other = write("extends: ./base.yaml\nengine: {columns: 3}", "other.yaml")
        hashes = [load_annotated(path, Design, "hardware").sha256 for path in (whole, child, other)]
        assert hashes[0] == hashes[1] != hashes[2]

    def test_an_error_names_the_file_that_holds_the_leaf(self):
        write("engine:\n  rows: 0\n  columns: 3\nbanks:\n  - {type: ddr, width: x}\n", "base.yaml")
        assert refusal("extends: base.yaml\nengine:\n  columns: 0\n").splitlines() == [
            "a.yaml:3: engine.columns: got 0, need a number > 0",
            "base.yaml:2: engine.rows: got 0, need a number > 0",
            "base.yaml:5: banks.0.width: got 'x', need an integer",
        ]

    def test_a_base_that_contradicts_the_own_file_is_blamed_on_the_own_line(self):
        write("engine:\n  rows: 8\n  latency: 4\n", "base.yaml")
        assert refusal("extends: base.yaml\nengine:\n  columns: 1\n  rows: 2\n") == (
            "a.yaml:4: engine.latency: got 4 (of base.yaml:3), need at most rows (2)"
        )
        assert refusal("extends: base.yaml\nengine:\n  rows: 2\n  latency: 3\n") == (
            "a.yaml:4: engine.latency: got 3, need at most rows (2)"
        )
        write("engine:\n  rows: 2\n  latency: 4\n", "base.yaml")
        assert refusal("extends: base.yaml\nengine:\n  columns: 1\n") == (
            "base.yaml:3: engine.latency: got 4, need at most rows (2)"
        )

    def test_a_replaced_list_leaves_no_lines_behind(self):
        write("engine: {rows: 1}\nbanks:\n  - {type: ddr, width: 1}\n  - {type: ddr, width: x}\n", "base.yaml")
        assert refusal("extends: base.yaml\n\nbanks: [{type: ddr}]\n") == (
            "a.yaml:3: banks.0.width: got nothing, need an integer"
        )

    def test_the_base_of_a_base_is_found_beside_it(self, in_tmp_path):
        (in_tmp_path / "inner").mkdir()
        write("engine: {rows: 3}", "inner/low.yaml")
        write("extends: low.yaml\nname: middle", "inner/middle.yaml")
        assert load(write("extends: inner/middle.yaml"), Design) == Design(name="middle", engine=Engine(rows=3))

    def test_a_circle_is_refused(self):
        write("extends: a.yaml", "b.yaml")
        assert refusal("name: a\nextends: b.yaml") == (
            "b.yaml:1: extends: got a circle a.yaml -> b.yaml -> a.yaml, need a base outside it"
        )
        assert refusal("extends: a.yaml") == (
            "a.yaml:1: extends: got a circle a.yaml -> a.yaml, need a base outside it"
        )

    def test_a_chain_of_files_is_told_its_limit_and_both_its_ends(self):
        for number in range(1, 40):
            write(f"extends: f{number + 1}.yaml", f"f{number}.yaml")
        write("name: last\nengine: {rows: 3}", "f40.yaml")
        assert load(write("extends: f10.yaml"), Design).name == "last"
        assert refusal("name: a\nextends: f1.yaml") == (
            "f32.yaml:1: extends: got f33.yaml, file 33 below a.yaml, need at most 32 that extend each other"
        )

    @pytest.mark.parametrize(
        ("base", "message"),
        [
            ("none.yaml", "got 'none.yaml', need a file; there is no none.yaml"),
            ("other", "got 'other', need a path; try ./other.yaml"),
            ("[x]", "got a list of 1, need the name of a file"),
            ("[{a: b}]", "got a list of 1, need the name of a file"),
            ("{name: other}", "got a mapping, need the name of a file"),
            ("", "got nothing, need the name of a file"),
        ],
    )
    def test_a_base_that_is_not_there(self, base, message):
        assert refusal(f"name: a\nextends: {base}") == f"a.yaml:2: extends: {message}"


class TestShipped:
    @pytest.fixture(autouse=True)
    def shipped(self, tmp_path, monkeypatch):
        root = tmp_path / "shipped"
        monkeypatch.setattr(library, "_ROOT", root)
        (root / "hardware").mkdir(parents=True)
        write("engine: {rows: 5}", root / "hardware" / "alpha.yaml")

    def test_a_name_may_be_extended(self):
        loaded = load_annotated(write("extends: alpha\nclock_hz: 3"), Design, "hardware")
        assert loaded.model == Design(engine=Engine(rows=5), clock_hz=3)

    def test_a_plain_leaf_of_a_shipped_file_is_assumed_and_of_a_users_file_given(self):
        loaded = load_annotated(write("extends: alpha\nclock_hz: 3"), Design, "hardware")
        assert {path: (known.status, known.source) for path, known in loaded.provenance.items()} == {
            "engine.rows": ("assumed", "not annotated in alpha.yaml"),
            "clock_hz": ("given", ""),
        }

    def test_an_unknown_name_is_blamed_on_the_line(self):
        with pytest.raises(ConfigError) as caught:
            load_annotated(write("\nextends: alfa"), Design, "hardware")
        assert str(caught.value) == ("a.yaml:2: extends: got 'alfa', need one of alpha or a path to a file; try alpha")


def test_a_fault_at_the_top_of_a_base_file_is_told_of_the_base_file():
    write("engine: {rows: 4}\nengines: 3\n", "base.yaml")
    with pytest.raises(ConfigError, match=r"^base\.yaml:2: engines: got engines, need a known field; try engine$"):
        load(write("extends: base.yaml\nname: mine"), Design)


def test_a_shipped_file_is_read_once_and_ones_own_each_time(tmp_path):
    assert load_recipe("bdwp") is load_recipe("bdwp")
    mine = tmp_path / "mine.yaml"
    for title in ("One", "Another"):
        mine.write_text(f"extends: bdwp\nname: mine\ntitle: {title}\nsource: here\n")
        assert load_recipe(str(mine)).model.title == title


def test_a_shipped_file_that_was_written_since_is_read_again(monkeypatch):
    before = load_recipe("sdgp")
    written = {"later": 0}
    monkeypatch.setattr(schema, "_stamps", lambda files: tuple((written["later"], 1) for _ in files))
    assert load_recipe("sdgp") is not before
    after = load_recipe("sdgp")
    assert load_recipe("sdgp") is after
    written["later"] = 1
    again = load_recipe("sdgp")
    assert again is not after
    assert again.sha256 == before.sha256
