import json
import sqlite3
from contextlib import closing

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.sim.studies.explore.point import Outcome
from bisparse.sim.studies.explore.store import DesignRow, RunRow, Store

FIGURES = {"total_cycles": 2**60 + 1, "step_seconds": 0.1 + 0.2, "watts": 1e-300, "pe_count": 1024}


def row(key, figures=FIGURES, reason=""):
    return RunRow(key=key, settings={"rows": 16, "recipe": "bdwp"}, outcome=Outcome(figures=figures, reason=reason))


def test_figures_come_back_to_the_last_bit_and_as_the_kind_of_number_that_they_were(tmp_path):
    with Store(tmp_path / "study.sqlite", version="1") as store:
        store.write([row("one"), row("two", None, "too small")])
    with Store(tmp_path / "study.sqlite", version="1") as store:
        found = store.outcomes(["two", "one", "three"])
    assert found == {"one": Outcome(figures=FIGURES), "two": Outcome(figures=None, reason="too small")}
    assert [type(value) for value in found["one"].figures.values()] == [int, float, float, int]


def test_rows_of_other_figures_stand_beside_each_other(tmp_path):
    with Store(None, version="1") as store:
        store.write([row("one"), row("two", {"accuracy": 0.5})])
        assert store.outcomes(["one", "two"])["two"].figures == {"accuracy": 0.5}


def test_many_keys_are_looked_up(tmp_path):
    with Store(None, version="1") as store:
        store.write([row(str(number)) for number in range(1200)])
        assert len(store.has([str(number) for number in range(2000)])) == 1200
        assert len(store.outcomes([str(number) for number in range(2000)])) == 1200


def test_versions_are_told_apart(tmp_path):
    path = tmp_path / "study.sqlite"
    with Store(path, version="1") as store:
        store.write([row("old")])
    with Store(path, version="2") as store:
        store.write([row("new"), row("newer")])
        assert (len(store), store.versions()) == (2, {"1": 1, "2": 2})


def test_designs_keep_their_order_and_are_replaced_whole():
    designs = [DesignRow(settings={"rows": n}, runs=(f"run {n}",)) for n in (3, 1, 2)]
    with Store(None, version="1") as store:
        store.finish([DesignRow(settings={}, runs=(), reason="old")], "old")
        store.finish(designs, "new")
        assert store.designs() == designs


def test_a_batch_is_written_whole_or_not_at_all(tmp_path):
    with Store(None, version="1") as store:
        with pytest.raises(TypeError):
            store.write(
                [row("one"), RunRow(key="two", settings={"not plain": object()}, outcome=Outcome(figures=None))]
            )
        assert len(store) == 0


def test_what_is_no_store_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "study.sqlite"
    path.write_text("something else entirely, long enough to be looked at as a database header" * 3)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="need a store that bisparse explore wrote"):
        Store(path, version="1")
    assert path.read_bytes() == before


def test_a_store_of_another_schema_is_refused(tmp_path):
    path = tmp_path / "study.sqlite"
    with Store(path, version="1") as store:
        store.set_meta("schema_version", "99")
    with pytest.raises(ConfigError, match="got a store of schema 99, need 1"):
        Store(path, version="1")


def test_a_store_in_use_is_told(tmp_path):
    path = tmp_path / "study.sqlite"
    with Store(path, version="1") as store:
        other = sqlite3.connect(path)
        other.execute("BEGIN EXCLUSIVE")
        store._database.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(ConfigError, match="no other process writes it"):
            store.write([row("one")])
        other.close()


def damaged(path, *statements):
    """A store of a finished study, with its file changed behind its back."""
    said = {
        "sweep": {"name": "s", "sha256": "", "file": "s.yaml", "data": {}},
        "objectives": [],
        "strategy": {},
        "scenarios": 1,
        "bisparse_version": "1",
        "designs": 1,
        "space_designs": 1,
    }
    with Store(path, version="1") as store:
        store.write([row("one"), row("two")])
        store.finish([DesignRow(settings={"rows": 3}, runs=("one",))], json.dumps(said))
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()
    return Store(path, version="1")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE run SET figures = '{' WHERE key = 'one'", "run one"),
        ("UPDATE run SET figures = replace(figures, '1024', '1025') WHERE key = 'one'", "run one"),
        ("UPDATE run SET figures = NULL WHERE key = 'one'", "run one"),
        ("UPDATE run SET reason = 'none' WHERE key = 'one'", "run one"),
        ("UPDATE figure_names SET names = replace(names, 'watts', 'wacts')", "run one"),
        ("UPDATE figure_names SET names = '['", "names of figures"),
        ("DROP TABLE figure_names", "run one"),
        ("DELETE FROM design", "its designs"),
        ("UPDATE design SET runs = '[\"two\"]'", "its designs"),
        ("UPDATE meta SET value = 'x' WHERE name = 'study'", "what it says of its study"),
        ("UPDATE meta SET value = replace(value, '1', '2') WHERE name = 'study'", "what it says of its study"),
    ],
)
def test_what_is_damaged_is_told_when_it_is_read(tmp_path, statement, what):
    told = f"study.sqlite: got {what} damaged or missing, need it as explore wrote it; try a copy"
    with damaged(tmp_path / "study.sqlite", statement) as store, pytest.raises(ConfigError, match=told):
        store.study(), store.designs(), store.outcomes(["one"])


def test_a_store_of_before_there_were_checksums_is_read_and_gone_on_with(tmp_path):
    without = ("ALTER TABLE run DROP COLUMN checksum", "DELETE FROM meta WHERE name LIKE '%checksum'")
    with damaged(tmp_path / "study.sqlite", *without) as store:
        assert store.study()["scenarios"] == 1
        assert store.designs() == [DesignRow(settings={"rows": 3}, runs=("one",))]
        store.write([row("three")])
        assert set(store.outcomes(["one", "two", "three"])) == {"one", "two", "three"}
