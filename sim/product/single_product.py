"""One matrix product by itself: the array's own cycles, and the mapped time with ports and DRAM.

C[m, n] = A[m, k] B[k, n]. A sparse product has its weights, operand B, pruned N:M in consecutive groups along k. Two
figures are given, because they answer two questions. *Array*: the whole product laid on the tensor engine as one tile
with the best interleave of the dataflow, nothing waiting for memory; what SCALE-Sim without stalls reports. *Mapped*:
the best tiles, loop order and interleave that fit the buffers, with ports, DRAM, double buffering and energy.

Utilisation is multiply-accumulates kept by the pattern over what the array's R x C processing elements could issue in
those cycles: skipped multiplications never count as done, so it is never above 1.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from ...accel.energy import EnergyModel
from ...accel.energy_table import energy_table_of
from ...accel.specification import Hardware, TensorEngine
from ...configs.arrays import IntArray
from ...configs.errors import ConfigError, MappingError
from ...configs.operand_format import OperandFormat
from ...configs.pattern import DENSE, Pattern
from ...configs.permuted import Permuted
from ...configs.schema import Loaded
from ...configs.structured import Structured
from ...configs.terms import Terms
from ...dataflow.dataflows import dataflow_names, is_dataflow
from ...dataflow.dataflows.tile import ArrayTile, Sparsity
from ...dataflow.formats.skipped import met_by
from ...dataflow.forms import best_form, sparse_as_met
from ...dataflow.gemm import PLAIN, Form, Gemm
from ...dataflow.mapping import ArrayMapping, array_mappings, sides_of
from ...dataflow.objective import Name, Objective
from ...dataflow.product_cost import product_cost
from ...dataflow.shares import array_for, split_forms, tile_on_array, unit_forms
from ...dataflow.term_products import in_terms, terms_of
from ...training.graph import Stage

SCHEMA_VERSION = 1
BEST = "best"
"""The word that leaves the dataflow to the search."""

LARGEST_MACS = 10**15
"""Multiply-accumulates of a product from which bits and cycles could leave 64-bit integers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayFigures:
    """The tensor engine alone, the whole product as one tile.

    Attributes:
        dataflow: its name.
        mapping: how the product is laid on the array, readable.
        cycles: from the first operand in to the last result out.
        utilisation: kept multiply-accumulates over rows * cols * cycles.
    """

    dataflow: str
    mapping: str
    cycles: int
    utilisation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedFigures:
    """The product in tiles, with ports and DRAM.

    Attributes:
        dataflow: its name.
        mapping: array mapping, tile and block loop order, readable.
        cycles: from the first DRAM request to the last store.
        seconds: the same at the design's clock.
        utilisation: kept multiply-accumulates over rows * cols * cycles.
        stalls: cycles by cause, summing to ``cycles``.
        dram_read_bytes: read from DRAM.
        dram_write_bytes: written to DRAM.
        energy_joules: dynamic energy, and static power for that time.
        limit: the resource that is busy longest.
        candidates: legal mappings considered.
    """

    dataflow: str
    mapping: str
    cycles: int
    seconds: float
    utilisation: float
    stalls: dict[str, int]
    dram_read_bytes: int
    dram_write_bytes: int
    energy_joules: float
    limit: str
    candidates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductResult:
    """One product on one design.

    Attributes:
        hardware: name of the design.
        m: rows of A and C.
        n: columns of B and C.
        k: columns of A, rows of B.
        sparsity: the format of operand B along k, of A too where that is sparse, or ``dense``.
        useful_macs: multiply-accumulates that the pattern keeps.
        array: the tensor engine alone.
        mapped: with ports and DRAM.
    """

    hardware: str
    m: int
    n: int
    k: int
    sparsity: str
    useful_macs: int
    array: ArrayFigures
    mapped: MappedFigures

    def document(self) -> dict[str, Any]:
        """The result as plain data, ready for JSON."""
        return {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}


def parse_product(text: str) -> tuple[int, int, int]:
    """Read ``MxNxK``: rows of A, columns of B, length of the sums.

    >>> parse_product("512x256x1024")
    (512, 256, 1024)

    Raises:
        ConfigError: anything but three positive integers.
    """
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"product: got {text!r}, need MxNxK, three positive integers; try 512x256x1024")
    m, n, k = map(int, parts)
    if m * n * k > LARGEST_MACS:
        raise ConfigError(f"product: got {text}, need at most {LARGEST_MACS} multiply-accumulates")
    return m, n, k


def plain_product(m: int, n: int, k: int, pattern: OperandFormat = DENSE, *, inputs: OperandFormat = DENSE) -> Gemm:
    """A product of two plain matrices, of weights of a format and inputs of another; N = M prunes nothing.

    Raises:
        ConfigError: the format leaves dense products of other sizes, or asks for more than a product.
    """
    if isinstance(pattern, Structured):
        parts = " and ".join(f"{m}x{part.outputs}x{part.inputs}" for part in pattern.on(n, k).parts())
        raise ConfigError(f"sparsity: got {pattern}, which leaves dense products of their own; try {parts}")
    if isinstance(pattern, Permuted):
        raise ConfigError(f"sparsity: got {pattern}, whose gather is no part of one product; try {pattern.in_order}")
    if isinstance(pattern, Terms):
        return in_terms(plain_product(m, n, k), pattern)
    return Gemm(
        name=f"{m}x{n}x{k}",
        operator="gemm",
        stage=Stage.FORWARD,
        m=m,
        n=n,
        k=k,
        a=DENSE if inputs.is_dense else inputs,
        b=DENSE if pattern.is_dense else pattern,
    )


def parse_dataflow(text: str) -> str | None:
    """Read the name of a dataflow, or ``best`` (None).

    Raises:
        ConfigError: anything else.
    """
    if text == BEST:
        return None
    if is_dataflow(text):
        return text
    raise ConfigError(f"dataflow: got {text!r}, need one of {', '.join(dataflow_names())}, {BEST}")


def check_dataflow(hardware: Hardware, dataflow: str | None) -> None:
    """Refuse a dataflow that the design does not offer.

    Raises:
        MappingError: it does not.
    """
    offered = hardware.tensor_engine.dataflows
    if dataflow is not None and dataflow not in offered:
        raise MappingError(f"dataflow: got {dataflow}, need one that {hardware.name} offers: {', '.join(offered)}")


def array_figures(engine: TensorEngine, gemm: Gemm, dataflow: str | None = None) -> ArrayFigures:
    """The fewest cycles in which the array alone does a product, over every array mapping of a dataflow (all, if None).

    And over every split of its k, and every way in which arrays share it, where the design has such.

    Raises:
        MappingError: the engine lacks the pattern or the dataflow.
    """
    dataflows = None if dataflow is None else (dataflow,)
    gemm = replace(gemm, units=engine.units)
    ways = [replace(gemm, along=form.along) for form in unit_forms(gemm, PLAIN, engine)]
    laid = [(each, mapping) for each in ways for mapping in array_mappings(engine, each, dataflows)]
    for split in (gemm.formed(form) for form in split_forms(gemm, PLAIN, engine)):
        if sides_of(engine, split, dataflows):
            laid += [(split, mapping) for mapping in array_mappings(engine, split, dataflows)]
    cycles = [_cycles(engine, each, mapping) for each, mapping in laid]
    best = int(np.argmin(cycles))
    formed, mapping = laid[best]
    return ArrayFigures(
        dataflow=mapping.dataflow,
        mapping=", ".join(filter(None, (str(mapping), str(Form(split=formed.split, along=formed.along))))),
        cycles=cycles[best],
        utilisation=gemm.issued_macs / (engine.processing_elements * cycles[best]),
    )


def fewest_cycles(
    engine: TensorEngine, pattern: Pattern, products: IntArray, dataflow: str | None = None
) -> tuple[IntArray, IntArray]:
    """What ``array_figures`` finds for many plain products of one pattern, side by side.

    Args:
        engine: with its array.
        pattern: N:M of operand B along k; 1:1 when dense.
        products: m, n and k of each, [3, products].
        dataflow: only this one; the best of all that the engine offers when None.

    Returns:
        Cycles of the array alone, and multiply-accumulates that the pattern keeps, [products] each.

    Raises:
        MappingError: the engine lacks the pattern or the dataflow.
    """
    m, n, k = products
    if engine.split_columns is not None or engine.units > 1:
        # Over how many columns k is split, and which axis arrays share, differs from product to product.
        each = [plain_product(rows, columns, depth, pattern) for rows, columns, depth in products.T.tolist()]
        fewest = [array_figures(engine, gemm, dataflow).cycles for gemm in each]
        return np.array(fewest, dtype=np.int64), np.asarray(m * n * pattern.slots(k))
    of_one = plain_product(1, 1, 1, pattern)
    tile = ArrayTile(
        m=m,
        n=n,
        slots=of_one.pattern.slots(k),
        groups=of_one.pattern.groups(k),
        sparsity=Sparsity.of(of_one),
    )
    mappings = array_mappings(engine, of_one, None if dataflow is None else (dataflow,))
    cycles = np.full(m.shape, np.iinfo(np.int64).max)
    for side, on_side in groupby(mappings, key=lambda each: each.side):
        numbers = [each.numbers for each in on_side]
        beside = {name: np.array([[each[name]] for each in numbers]) for name in side.lying.parameters}
        found = np.broadcast_to(side.lying.cycles(engine.timing, tile, beside), (len(numbers), len(m)))
        cycles = np.minimum(cycles, found.min(axis=0))
    return cycles, m * n * tile.slots


def simulate_product(
    gemm: Gemm, design: Loaded[Hardware], dataflow: str | None = None, objective: Name = "time"
) -> ProductResult:
    """Both figures of one product.

    Args:
        gemm: the product.
        design: the design, with the file that it comes from.
        dataflow: only this one; the best of all that the design offers when None.
        objective: what the mapping minimises; the array alone is always timed at its fastest.

    Raises:
        MappingError: the design lacks the pattern or the dataflow, or no tile fits its buffers; the message names file,
            line and field.
        ConfigError: the design's energy table is missing or lacks a figure.
    """
    hardware = design.model
    energy = EnergyModel.of(hardware, energy_table_of(design).model)
    try:
        check_dataflow(hardware, dataflow)
        gemm = met_by(gemm, hardware)
        met = sparse_as_met(gemm, hardware)
        array = min((array_figures(hardware.tensor_engine, each, dataflow) for each in met), key=lambda one: one.cycles)
        mapped = _mapped(gemm, hardware, Objective(name=objective, energy=energy), dataflow)
    except MappingError as error:
        raise design.placed(error) from None
    return ProductResult(
        hardware=hardware.name,
        m=gemm.m,
        n=gemm.n,
        k=gemm.k // terms_of(gemm),
        sparsity=_sparse_text(gemm),
        useful_macs=gemm.issued_macs,
        array=array,
        mapped=mapped,
    )


def _sparse_text(gemm: Gemm) -> str:
    if "a" not in gemm.sparse:
        return str(gemm.b) if gemm.sparse else "dense"
    return f"{gemm.a} of A" + (f", {gemm.b} of B" if "b" in gemm.sparse else "")


def _cycles(engine: TensorEngine, gemm: Gemm, mapping: ArrayMapping) -> int:
    whole = tile_on_array(gemm, m=gemm.m, n=gemm.n, slots=gemm.slots, groups=gemm.groups_along(gemm.k, 1))
    return int(mapping.lying.cycles(array_for(gemm, engine.timing), whole, mapping.numbers))


def _mapped(gemm: Gemm, hardware: Hardware, objective: Objective, dataflow: str | None) -> MappedFigures:
    dataflows, energy = None if dataflow is None else (dataflow,), objective.energy
    assert energy is not None, "a product is priced whatever is minimised"
    choice = best_form(gemm, hardware, objective=objective, dataflows=dataflows)
    cost = product_cost(gemm.formed(choice.mapping.form), hardware, choice.mapping)
    seconds = cost.cycles / hardware.clock_hz
    return MappedFigures(
        dataflow=choice.mapping.array.dataflow,
        mapping=str(choice.mapping),
        cycles=cost.cycles,
        seconds=seconds,
        utilisation=gemm.issued_macs / (hardware.peak_macs_per_cycle * cost.cycles),
        stalls={cause: cycles for cause, cycles in cost.causes.items() if cycles},
        dram_read_bytes=cost.read_bytes,
        dram_write_bytes=cost.write_bytes,
        energy_joules=float(energy.dynamic_joules(cost.actions)) + energy.static_watts * seconds,
        limit=cost.limit,
        candidates=choice.candidates,
    )
