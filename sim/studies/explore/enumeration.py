"""The designs of a space, in order and each once, though axes may apply under conditions.

A design is told by the values of the axes that apply to it. Of the many combinations of values that give one design,
the one that has the first value of every axis that does not apply stands for it; all others are passed over. Since a
condition sees only axes that apply, the value so chosen never changes which apply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from random import Random

from .axis_values import Axis, Settings, Value

Applies = Callable[[str, Settings], bool]
"""Whether an axis applies to a design of which the axes that its condition needs are settled."""


class Enumeration:
    """The designs over some axes."""

    def __init__(self, axes: Sequence[Axis], needs: Mapping[str, frozenset[str]], applies: Applies) -> None:
        """Of these axes.

        Args:
            axes: in the order of the file.
            needs: of each conditional axis, the axes that its condition depends on, and those that theirs do.
            applies: judges a condition.
        """
        self._axes = tuple(axes)
        self._needs = needs
        self._applies = applies
        self._first: Mapping[str, Value] = {axis.name: axis.values[0] for axis in self._axes}
        self._known: dict[tuple[object, ...], bool] = {}
        # Whatever another depends on comes first: it depends on less.
        self._conditional = sorted(needs, key=lambda name: len(needs[name]))

    def settings(self, indices: Sequence[int]) -> Settings:
        """The design that a combination of values gives.

        Args:
            indices: into the values of each axis.
        """
        chosen = {axis.name: axis.values[at] for axis, at in zip(self._axes, indices, strict=True)}
        return self._kept(chosen, self._conditional)

    def _kept(self, chosen: Settings, conditional: Sequence[str]) -> Settings:
        """The settings without the conditional axes that do not apply."""
        for name in conditional:
            if not self._judged(name, chosen):
                del chosen[name]
        return chosen

    def _judged(self, name: str, chosen: Settings) -> bool:
        needed = self._needs[name]
        # A bool equals an int, but is another value.
        key = (name, *((each, type(chosen[each]), chosen[each]) for each in sorted(needed) if each in chosen))
        if key not in self._known:
            self._known[key] = self._applies(name, {each: chosen[each] for each in chosen if each in needed})
        return self._known[key]

    def __iter__(self) -> Iterator[Settings]:
        """Every design once, the last axis fastest, made as it is asked for."""
        if not self._needs:
            names = [axis.name for axis in self._axes]
            for values in product(*(axis.values for axis in self._axes)):
                yield dict(zip(names, values, strict=True))
            return
        yield from self._below(0, {}, ())

    def beginning_at(self, indices: Sequence[int]) -> Iterator[Settings]:
        """The designs from a combination of values on, in their order, without a look at those before.

        Args:
            indices: into the values of each axis.
        """
        yield from self._below(0, {}, indices)

    def drawn(self, draw: Random) -> Settings | None:
        """A combination by chance, if it stands for its design: every design is as likely as any other."""
        chosen = {axis.name: draw.choice(axis.values) for axis in self._axes}
        return self._kept(chosen, self._conditional) if self._stands(chosen, self._conditional) else None

    @cached_property
    def _settled(self) -> Mapping[str, int]:
        """Of each conditional axis, where the last axis that its verdict depends on has its value."""
        position = {axis.name: at for at, axis in enumerate(self._axes)}
        return {name: max(position[each] for each in (name, *self._needs[name])) for name in self._conditional}

    def _below(self, depth: int, chosen: Settings, first: Sequence[int]) -> Iterator[Settings]:
        """Designs that begin with what is chosen, from those indices on, or all where there are none."""
        if depth == len(self._axes):
            yield self._kept(dict(chosen), self._conditional)
            return
        axis = self._axes[depth]
        known = [name for name, at in self._settled.items() if at <= depth]
        deciding = any(self._settled[name] == depth for name in known)
        begin = first[depth] if first else 0
        for at in range(begin, len(axis.values)):
            chosen[axis.name] = axis.values[at]
            if not deciding or self._stands(chosen, known):
                yield from self._below(depth + 1, chosen, first if at == begin else ())
        del chosen[axis.name]

    def _stands(self, chosen: Settings, known: Sequence[str]) -> bool:
        """Whether a combination stands for its design, as far as the axes whose verdict is known tell."""
        kept = self._kept(dict(chosen), known)
        return all(name in kept or chosen[name] is self._first[name] for name in known)

    def count(self) -> tuple[int, frozenset[str]]:
        """How many designs there are, and the conditional axes that apply to none.

        Only combinations of the axes that conditions depend on are gone through.
        """
        inner = {each for needed in self._needs.values() for each in needed}
        deciding = Enumeration(
            [axis for axis in self._axes if axis.name in inner],
            {name: needed for name, needed in self._needs.items() if name in inner},
            self._applies,
        )
        free = math.prod(len(axis.values) for axis in self._axes if axis.name not in inner | set(self._needs))
        outer = [axis for axis in self._axes if axis.name in self._needs and axis.name not in inner]
        if not self._needs:
            return free, frozenset()
        total, unused = 0, set(self._needs)
        for chosen in deciding:
            designs = 1
            unused -= set(chosen)
            for axis in outer:
                if self._judged(axis.name, chosen):
                    designs *= len(axis.values)
                    unused.discard(axis.name)
            total += designs
        return total * free, frozenset(unused)
