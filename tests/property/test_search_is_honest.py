"""The mapping search finds what a brute force over every legal mapping finds: time, energy and their product.

Every mapping means every one: each tile size, each interleave (those that the search leaves out too), each number of
resident groups, both sides, all six loop orders; evaluated one at a time in plain integers, from the written hardware
model. Only the array's own cycles are taken from ``accel``: the register-level machine vouches for those.

Seeds are those whose mappings are counted in a second or two: left out are 7, 13 and 208, which take ten.
"""

import itertools
from collections import Counter

import numpy as np
import pytest
from bisparse.configs.errors import MappingError
from bisparse.dataflow import objective
from bisparse.dataflow.mapping import Mapping
from bisparse.dataflow.objective import Objective, slowest_alike
from bisparse.dataflow.product_cost import product_cost
from bisparse.dataflow.search import best_mapping

from .every_mapping import (
    ORDERS,
    PRICES,
    Walked,
    brute_force,
    claimed_array_mappings,
    legal_sizes,
    on_array,
    tiled,
)
from .small_problems import small_problem


def assert_honest(gemm, hardware, name, prices=PRICES):
    every, claims = brute_force(gemm, hardware)
    objective = Objective(name=name, energy=prices)
    if not every:
        with pytest.raises(MappingError):
            best_mapping(gemm, hardware, objective=objective)
        return
    choice = best_mapping(gemm, hardware, objective=objective)
    best = min(each.value(name) for each in every.values())
    chosen = every[choice.mapping]
    if name == "time":
        alike = [each for each in every.values() if each.cycles <= slowest_alike(best)]
        assert chosen.cycles <= slowest_alike(best)
        if prices is None:
            least = min(each.moved_bytes for each in alike)
            assert chosen.moved_bytes == least
            assert chosen.cycles == min(each.cycles for each in alike if each.moved_bytes == least)
        else:
            assert chosen.joules == pytest.approx(min(each.joules for each in alike), rel=1e-12)
            # Half a column on average: half a byte a repetition may be lost.
            assert choice.joules == pytest.approx(chosen.joules, rel=1e-3)
    else:
        assert chosen.value(name) == pytest.approx(best, rel=1e-12)
    assert chosen.cycles == choice.cycles
    assert choice.candidates == claims
    assert choice.timed_exactly <= choice.candidates


def overlapping(seed):
    """The same on a design whose tiles overlap."""
    gemm, hardware = small_problem(seed)
    engine = hardware.tensor_engine.model_copy(update={"overlapped": True, "tile_overlap": True})
    return gemm, hardware.model_copy(update={"tensor_engine": engine})


@pytest.mark.parametrize("seed", range(500, 506))
def test_the_search_finds_the_fastest_where_tiles_overlap(seed):
    assert_honest(*overlapping(seed), "time")


@pytest.mark.parametrize("seed", range(540, 545))
def test_the_search_finds_the_least_energy_where_tiles_overlap(seed):
    assert_honest(*overlapping(seed), "energy")


@pytest.mark.parametrize("seed", range(560, 566))
def test_the_search_finds_the_fastest_where_operands_share_a_port(seed):
    """As wide as a half of both ports, so that it often sets the pace."""
    gemm, hardware = small_problem(seed)
    ports = hardware.buffers
    half = max(1, (ports.west.port_bytes_per_cycle + ports.north.port_bytes_per_cycle) // 2)
    shared = ports.model_copy(update={"shared_port_bytes_per_cycle": half})
    assert_honest(gemm, hardware.model_copy(update={"buffers": shared}), "time")


@pytest.mark.parametrize("seed", [*range(7), *range(8, 13)])
def test_the_search_finds_the_fastest_of_all_mappings(seed):
    assert_honest(*small_problem(seed), "time")


@pytest.mark.parametrize("seed", range(400, 406))
def test_the_search_finds_the_least_energy_of_what_is_nearly_as_fast(seed, monkeypatch):
    """A tenth slower counts as fast here: small products take too few cycles for a thousandth."""
    monkeypatch.setattr(objective, "ALIKE", 10)
    assert_honest(*small_problem(seed), "time")


@pytest.mark.parametrize("seed", [430, 432, 433])
def test_without_prices_it_finds_what_moves_least_of_what_is_nearly_as_fast(seed, monkeypatch):
    monkeypatch.setattr(objective, "ALIKE", 10)
    assert_honest(*small_problem(seed), "time", None)


@pytest.mark.parametrize("seed", range(100, 108))
def test_the_search_finds_the_least_energy_of_all_mappings(seed):
    assert_honest(*small_problem(seed), "energy")


@pytest.mark.parametrize("seed", range(200, 207))
def test_the_search_finds_the_least_energy_delay_of_all_mappings(seed):
    assert_honest(*small_problem(seed), "energy-delay")


@pytest.mark.parametrize("problem", [small_problem, overlapping])
@pytest.mark.parametrize("seed", range(300, 308))
def test_any_mapping_costs_what_counting_by_hand_says(seed, problem):
    """Not only the best: cycles, bytes and every action of mappings picked at random."""
    gemm, hardware = problem(seed)
    draw = np.random.default_rng(seed)
    mappings = list(claimed_array_mappings(hardware.tensor_engine, gemm))
    tilings = list(itertools.product(*(legal_sizes(gemm, axis) for axis in "mnk"), ORDERS))
    for number in draw.permutation(len(tilings))[:12]:
        m, n, k, order = tilings[number]
        for array in (mappings[index] for index in draw.permutation(len(mappings))[:3]):
            walk = tiled(gemm, hardware, (m, n, k), order, array.west)
            if not walk.fits:
                continue
            walked = Walked.of(walk)
            times = {tile: on_array(hardware, gemm, walk, array, tile) for tile in walked.tiles}
            mapping = Mapping(array=array, tile_m=m, tile_n=n, tile_k=k, order=order)
            cost = product_cost(gemm, hardware, mapping)
            assert cost.cycles == walked.cycles(times)
            assert cost.read_bytes + cost.write_bytes == gemm.count * walked.moved_bytes
            counted = walked.actions(gemm, array, times)
            # Half a column on average: half a byte a repetition may be lost.
            for halved in ("link_bits", "register_bits"):
                counts = counted.pop(halved)
                assert counts - 8 * gemm.count < cost.actions[halved] <= counts
            assert {name: cost.actions[name] for name in counted} == counted


def test_the_problems_reach_every_kind_and_the_buffers_bite():
    problems = [small_problem(seed) for seed in range(60)]
    seen = Counter()
    for gemm, hardware in problems:
        seen[gemm.name] += 1
        seen["compressed", gemm.compressed] += 1
        seen.update(hardware.tensor_engine.dataflows)
        seen["swap"] += hardware.tensor_engine.swap_operands
        seen["repeated"] += gemm.count > 1
        whole = [tiled(gemm, hardware, (gemm.m, gemm.n, gemm.k), "mnk", west) for west in "ab"]
        seen["whole product does not fit"] += not any(walk.fits for walk in whole)
    kinds = ["matrix", "patches", "weight gradient", "os", "ws", "is", "swap", "repeated", "whole product does not fit"]
    assert {kind: seen[kind] for kind in kinds if seen[kind] < 10} == {}
    assert min(seen["compressed", operand] for operand in ("", "a", "b")) >= 8
