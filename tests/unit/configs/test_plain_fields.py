"""Plain data against the dataclass that it is about to become: the fault is named by its field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.plain_fields import check_entries, check_fields

if TYPE_CHECKING:
    from nowhere import Unknown


@dataclass
class Inner:
    cycles: int
    share: float = 0.0


@dataclass
class Outer(Inner):
    name: str = ""
    kind: Literal["one", "two"] = "one"
    parts: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = field(default_factory=dict)
    pair: tuple[int, str] | None = None
    whole: bool = False
    free: Any = None
    other: Unknown | None = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cycles": "7"}, "cycles: got '7', need an integer of at least 0"),
        ({"cycles": 7.0}, "cycles: got 7.0, need an integer of at least 0"),
        ({"cycles": 2**2000}, "cycles: got 1148"),
        ({"share": "x"}, "share: got 'x', need a finite number"),
        ({"share": float("inf")}, "share: got inf, need a finite number"),
        ({"share": True}, "share: got true, need a finite number"),
        ({"name": None}, "name: got nothing, need a text"),
        ({"kind": []}, "kind: got a list of 0, need one of 'one', 'two'"),
        ({"kind": "three"}, "kind: got 'three', need one of 'one', 'two'"),
        ({"parts": {}}, "parts: got a mapping, need a list"),
        ({"parts": [{"cycles": 1}, {"cycles": -1}]}, "parts.1.cycles: got -1, need an integer of at least 0"),
        ({"by_name": {"a": {}}}, "by_name.a.cycles: got nothing, need this field"),
        ({"by_name": {"a": {"cycles": 1, "b": 2}}}, "by_name.a.b: got an unknown field, need one of cycles, share"),
        ({"by_name": []}, "by_name: got a list of 0, need an object"),
        ({"pair": [1]}, "pair: got a list of 1, need a list of 2"),
        ({"pair": [1, 2]}, "pair.1: got 2, need a text"),
        ({"whole": 1}, "whole: got 1, need true or false"),
        ({"more": 1}, "more: got an unknown field, need one of cycles"),
    ],
)
def test_a_fault_is_named_by_its_field(change, message):
    with pytest.raises(ConfigError) as caught:
        check_fields({"cycles": 1, **change}, Outer, without=("other",))
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 200


def test_what_fits_is_taken():
    inner = {"cycles": 2, "share": -1}
    whole = {"cycles": 0, "parts": [inner], "by_name": {"a": inner}, "pair": [1, "a"], "free": [{}], "version": 1}
    check_fields(whole, Outer, without=("other",), beside=("version",))
    check_fields({"n": 1}, Inner, called={"cycles": "n"})
    with pytest.raises(ConfigError, match=r"^got 3, need an object$"):
        check_fields(3, Inner)


def test_entries_of_a_free_mapping():
    check_entries({"a": 1, "b": "x"}, {"a": int}, within="settings")
    with pytest.raises(ConfigError, match=r"^settings\.a: got nothing, need this field$"):
        check_entries({}, {"a": int}, within="settings")
    with pytest.raises(ConfigError, match=r"^settings\.a: got 'x', need a finite number$"):
        check_entries({"a": "x"}, {"a": float}, within="settings")
