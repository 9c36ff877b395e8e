"""The form of a product: repetitions packed block-diagonally or one after another, a pruned operand as pairs or dense.

A depthwise convolution is thousands of products that fill a column or a row of the array each: packed they fill it, at
the price of multiplications by the zeros between them. Only groups of a convolution are packed, whose rows of A are
the same positions; heads of attention multiply rows of their own. A pruned operand may not lie where a dense one does,
or selecting for it may be slower than multiplying its zeros: then it gets them back on its way into the buffer. Both
need hardware that sets values among zeros (``buffers.zero_insertion``). Where outputs leave columns idle, groups of
columns may share k out (``shares``). Every form is mapped at its best; of those that
are as fast as the fastest, or nearly, the one is taken that takes the least energy; of equals the one that moves the
fewest bytes, of these the one that multiplies least.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..accel.specification import Hardware, TensorEngine
from ..configs.arrays import BoolArray, Counts, FloatArray, IntArray
from ..configs.errors import MappingError
from .design_table import DesignTable
from .formats.skipped import meets, met_by
from .gemm import OPERANDS, PLAIN, Form, Gemm, Operand, Place
from .objective import NEVER, TIME, Objective, slowest_alike
from .product_cost import MappedProducts
from .search import Choice, best_mappings
from .search_compiled import fastest_mappings
from .search_many import BestMappings, search_many
from .shares import most_shares, split_forms, unit_forms


def forms_of(gemm: Gemm, hardware: Hardware) -> tuple[Form, ...]:
    """The forms worth trying on a design, the plain one first."""
    engine = hardware.tensor_engine
    if hardware.buffers.zero_insertion:
        found = _forms(gemm, hardware, (1, *_packs(gemm, (engine.rows, engine.cols))))
    else:
        found = tuple(form for form in _forms(gemm, hardware, (1,)) if _inserts_none(gemm, form)) or (PLAIN,)
    found = (*found, *itertools.chain.from_iterable(split_forms(gemm, form, engine) for form in found))
    return tuple(itertools.chain.from_iterable(unit_forms(gemm, form, engine) for form in found))


def _inserts_none(gemm: Gemm, form: Form) -> bool:
    """Whether no operand gets zeros back in a form that were taken out before it was loaded."""
    return form.packed == 1 and all(each in gemm.encoded_on_load for each in gemm.formed(form).expanded)


def _forms(gemm: Gemm, hardware: Hardware, packs: tuple[int, ...]) -> tuple[Form, ...]:
    engine = hardware.tensor_engine
    if not gemm.compressed:
        return tuple(Form(packed=places) for places in packs)
    dense = tuple(Form(packed=places, expanded=True) for places in packs)
    kept_out: list[Operand | None] = [None] if gemm.compressed != "ab" or meets(gemm, hardware) else []
    if gemm.compressed == "ab":
        kept_out += ["b", "a"]
    return (*itertools.chain.from_iterable(_sparse_forms(gemm, each, engine, packs) for each in kept_out), *dense)


def _sparse_forms(gemm: Gemm, alone: Operand | None, engine: TensorEngine, packs: tuple[int, ...]) -> tuple[Form, ...]:
    """Forms in which an operand, or all, are taken as pairs."""
    formed = gemm.formed(Form(alone=alone))
    if formed.is_irregular:
        # Nobody says how lanes wait over the zeros between packed blocks.
        takes = all(engine.supports(gemm.format_of(each)) for each in OPERANDS if each in formed.compressed)
        return (Form(alone=alone),) if takes else ()
    return tuple(Form(packed=places, alone=alone) for places in packs if places == 1 or not _would_share_groups(formed))


def _packs(gemm: Gemm, array: tuple[int, int]) -> list[int]:
    """Repetitions to a pack: doubles, and as many as just fill a side of the array; no more than fill both."""
    if not gemm.packable or _would_share_groups(gemm):
        return []
    sides = [getattr(gemm, axis) for axis in gemm.block_axes]
    most = min(gemm.count, -(-max(array) // min(sides)))
    wanted = {extent // side for extent in array for side in sides} | {1 << power for power in range(1, 16)} | {most}
    return sorted({_near(gemm.count, places) for places in wanted if 1 < places <= most})


def _would_share_groups(gemm: Gemm) -> bool:
    """Whether blocks beside each other would have values in one group of M."""
    rules = (gemm.format_of(each) for each in OPERANDS if each in gemm.compressed)
    units = (each.unit for each in rules if not each.is_irregular)
    return gemm.tap_axis == "k" and any(gemm.channels % unit > 0 for unit in units)


def sparse_as_met(gemm: Gemm, hardware: Hardware) -> tuple[Gemm, ...]:
    """A product, not packed, with the operands sparse that a design may take as pairs; dense where it may take none."""
    forms = [form for form in forms_of(gemm, hardware) if form.packed == form.split == 1]
    met = (gemm.formed(form) for form in forms if not form.expanded)
    # Along which axis arrays share it is for whoever times them.
    return tuple(dict.fromkeys(replace(each, along="m") for each in met)) or (gemm.formed(forms[0]),)


def check_form(form: Form, gemm: Gemm, hardware: Hardware) -> None:
    """Refuse a form that a product, as it is lowered, cannot have on a design.

    Raises:
        MappingError: it cannot.
    """
    fault = ""
    if form.packed > 1 and not gemm.packable:
        fault = "need the groups of a convolution to pack them"
    elif form.packed > gemm.count:
        fault = f"need at most {gemm.count} packed, the times that it runs"
    elif form.packed > 1 and _would_share_groups(gemm):
        fault = f"need channels in whole groups of {gemm.pattern.unit} to pack them"
    elif form.packed > 1 and gemm.formed(replace(form, packed=1)).is_irregular:
        fault = f"need {gemm.pattern} multiplied densely to pack it"
    elif form.expanded and not gemm.compressed:
        fault = "need a pruned operand to multiply it densely"
    elif form.alone is not None and gemm.compressed != "ab":
        fault = "need two sparse operands to take one alone as pairs"
    elif not form.expanded and form.alone is None and gemm.compressed == "ab" and not meets(gemm, hardware):
        fault = f"need one of them multiplied densely: {hardware.name} skips zeros of one operand"
    elif not hardware.buffers.zero_insertion and not _inserts_none(gemm, form):
        fault = f"need neither on {hardware.name}: its buffers.zero_insertion is false"
    elif form.split > (most := most_shares(gemm.formed(form), hardware.tensor_engine, form.beside)):
        fault = f"need k split over at most {most} on {hardware.name}: see its tensor_engine.split_columns"
    elif form not in unit_forms(gemm, form, hardware.tensor_engine):
        fault = f"need what tensor_engine.units and share_from of {hardware.name} allow"
    if fault:
        raise MappingError(f"{gemm.name}: got {form}, {fault}")


def _near(count: int, places: int) -> int:
    """Places of packs that are all full, no more than so many and at least half; else with few to spare in the last.

    >>> _near(144, 32), _near(97, 32)  # 6 packs of 24; 4 packs of 25, three places to spare
    (24, 25)
    """
    full = max(size for size in range(1, places + 1) if count % size == 0)
    return full if 2 * full >= places else -(-count // -(-count // places))


def best_form(
    gemm: Gemm,
    hardware: Hardware,
    *,
    objective: Objective = TIME,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> Choice:
    """Find the best mapping of a product, as the design meets it, in its best form; as for ``best_mapping``.

    Raises:
        MappingError: the design lacks the pattern, or no tile fits its buffers, in any form.
    """
    (found,) = best_forms([gemm], hardware, objective=objective, dataflows=dataflows, interleave=interleave)
    if isinstance(found, MappingError):
        raise found
    return found


def best_forms(
    gemms: Sequence[Gemm],
    hardware: Hardware,
    *,
    objective: Objective = TIME,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> list[Choice | MappingError]:
    """Find the best mapping of each of some products in its best form, or why it has none; arguments as above."""
    gemms = [met_by(gemm, hardware) for gemm in gemms]
    find = best_mappings if objective.needs_energy else fastest_mappings
    tried = [_Tried() for _ in gemms]
    # A form of every product at a time: what one form takes rules out others.
    for of_each in itertools.zip_longest(*(forms_of(gemm, hardware) for gemm in gemms)):
        formed = {number: gemms[number].formed(form) for number, form in enumerate(of_each) if form is not None}
        if not objective.needs_energy:
            peak = hardware.peak_macs_per_cycle
            formed = {number: gemm for number, gemm in formed.items() if tried[number].may_win(gemm, peak)}
        found = find(list(formed.values()), hardware, objective=objective, dataflows=dataflows, interleave=interleave)
        for (number, gemm), choice in zip(formed.items(), found, strict=True):
            tried[number].add(gemm, choice)
    return [each.best(objective) for each in tried]


@dataclass(frozen=True, slots=True)
class _Tried:
    """Forms of a product that were searched.

    Attributes:
        found: their multiply-accumulates and best mappings.
        refused: why others have none.
    """

    found: list[tuple[int, Choice]] = field(default_factory=list)
    refused: list[MappingError] = field(default_factory=list)

    def may_win(self, gemm: Gemm, peak_macs_per_cycle: int) -> bool:
        """Whether the product in another form may be as fast as in those."""
        fastest = min((choice.cycles for _, choice in self.found), default=None)
        return fastest is None or least_cycles(gemm, peak_macs_per_cycle) <= slowest_alike(fastest)

    def add(self, gemm: Gemm, choice: Choice | MappingError) -> None:
        """One more form."""
        if isinstance(choice, MappingError):
            self.refused.append(choice)
        else:
            self.found.append((gemm.issued_macs, choice))

    def best(self, objective: Objective) -> Choice | MappingError:
        """The best of them; or why the first has none."""
        if not self.found:
            return self.refused[0]
        return replace(
            _best_of(self.found, objective),
            candidates=sum(choice.candidates for _, choice in self.found),
            timed_exactly=sum(choice.timed_exactly for _, choice in self.found),
        )


def _best_of(found: Sequence[tuple[int, Choice]], objective: Objective) -> Choice:
    """Of forms with their multiply-accumulates and best mappings the best."""
    if objective.needs_energy:
        return min((choice for _, choice in found), key=lambda choice: choice.value)
    told = {
        name: np.array([[getattr(choice, name)] for _, choice in found], dtype=object)
        for name in ("cycles", "joules", "moved_bytes")
    }
    return found[int(_best_form(**told, macs=[macs for macs, _ in found])[0])][1]


def least_cycles(gemm: Gemm, peak_macs_per_cycle: Counts) -> Counts:
    """Cycles that no mapping of a product beats; of many designs [S]."""
    return -(-gemm.count * gemm.m * gemm.n * gemm.slots // peak_macs_per_cycle)


@dataclass(frozen=True, kw_only=True)
class BestForms:
    """The forms and mappings found for one product, one each a design of a table, [S].

    Attributes:
        forms: in which the product was mapped.
        which: the number of the form; -1 where there is no mapping.
    """

    forms: Sequence[BestMappings]
    which: IntArray

    @property
    def feasible(self) -> BoolArray:
        """Where there is a mapping."""
        return np.asarray(self.which >= 0)

    def mapped(
        self, chosen: IntArray, resident: Mapping[Place, BoolArray] | None = None
    ) -> list[tuple[IntArray, MappedProducts]]:
        """The product on some of the designs, in parts of one form each: which of the designs, and the product there.

        Args:
            chosen: which designs; one that has no mapping is an error.
            resident: which of A, B and C stay on chip, a design each.
        """
        which, parts = self.which[chosen], []
        for number, form in enumerate(self.forms):
            rows = np.flatnonzero(which == number)
            if len(rows):
                staying = resident and {place: stays[rows] for place, stays in resident.items()}
                parts.append((rows, form.mapped(chosen[rows], staying)))
        return parts


def search_forms(
    gemm: Gemm,
    table: DesignTable,
    designs: IntArray,
    *,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> BestForms:
    """Find the fastest form and mapping of a product on designs of a table; arguments as for ``search_many``."""
    gemm = met_by(gemm, table.designs[0])
    wanted: dict[Form, list[IntArray]] = {}
    # How many groups, or shares of k, fill an array depends on its size; nothing else about forms differs in a table.
    by_size = gemm.packable or table.designs[0].tensor_engine.split_columns is not None
    first, which = table.alike(("rows", "cols") if by_size else (), designs)
    for number, design in enumerate(first.tolist()):
        for form in forms_of(gemm, table.designs[design]):
            wanted.setdefault(form, []).append(designs[which == number])
    peak = table.peak_macs_per_cycle
    found: list[BestMappings] = []
    # [F, S] of each form, and the fastest so far [S].
    cycles, joules, moved, macs = [], [], [], []
    fastest = np.full(len(table), NEVER)
    for form, on in wanted.items():
        formed, rows = gemm.formed(form), np.sort(np.concatenate(on))
        rows = rows[least_cycles(formed, peak[rows]) <= slowest_alike(fastest[rows])]
        if not len(rows):
            continue
        best = search_many(formed, table, rows, dataflows=dataflows, interleave=interleave)
        own_cycles, own_joules, own_moved = _told(best, rows[best.feasible[rows]], len(wanted) > 1)
        found.append(best)
        cycles.append(own_cycles)
        joules.append(own_joules)
        moved.append(own_moved)
        macs.append(formed.issued_macs)
        fastest = np.minimum(fastest, own_cycles)
    which = _best_form(np.stack(cycles), np.stack(joules), np.stack(moved), macs)
    return BestForms(forms=found, which=np.where(fastest < NEVER, which, -1))


def _told(best: BestMappings, rows: IntArray, several: bool) -> tuple[IntArray, FloatArray, IntArray]:
    """[S] cycles of mappings, their energy and the bytes that they move, all repetitions, where they were found."""
    cycles, moved = np.full(len(best.table), NEVER), np.full(len(best.table), NEVER)
    joules = np.full(len(best.table), np.inf)
    if not several:
        cycles[rows] = joules[rows] = moved[rows] = 0
    elif len(rows):
        cycles[rows], joules[rows], moved[rows] = best.cycles[rows], best.joules[rows], best.moved_bytes[rows]
    return cycles, joules, moved


def _best_form(cycles: IntArray, joules: FloatArray, moved_bytes: IntArray, macs: Sequence[int]) -> IntArray:
    """[S] which form is best, of [F, S] figures: of the fastest, or nearly, by energy, bytes and products."""
    fastest = cycles.min(axis=0)
    # Counts that 64 bits do not hold are below zero, and refused by whoever adds them up.
    least = np.where(cycles <= np.maximum(fastest, slowest_alike(fastest)), joules, np.inf)
    fewest = np.where(least <= least.min(axis=0), moved_bytes, NEVER)
    ranked = np.argsort(np.array(macs, dtype=object), kind="stable")
    return np.asarray(ranked[fewest[ranked].argmin(axis=0)])
