import sqlite3

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
