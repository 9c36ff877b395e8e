"""How stationary values reach their PEs: the shadow bank of every PE, and the port above each column that fills it.

A PE copies its shadow bank into its active bank in the cycle in which its first operation of a fold issues; the shadow
bank may be written again at the end of that cycle. One word enters a column in a cycle, and each column does what the
one to its west did a cycle before. Without overlap the shadow bank is the active bank; no cycle differs.

- ``StationaryChain``: the shadow words of a column are one rigid shift register. It moves as a whole, so a new fold
  cannot enter before the last row has taken the one before.
- ``StationaryLatches``: words are written by row address, so a row can be filled as soon as it has taken its own. Of
  the rows that wait for words the one that will open its fold soonest is served first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....configs.arrays import FloatArray, IntArray
from .links import SkewLine
from .sequencer import NONE
from .specification import HazardError


class StationaryChain:
    """Rigid shift chains, one a column.

    Args:
        words: what each fold keeps in the array, [folds, rows, words a PE, cols, 2]: value and index.
    """

    def __init__(self, words: FloatArray) -> None:
        self._folds, rows, words_a_row, cols, _ = words.shape
        self._words_a_row = words_a_row
        self._depth = rows * words_a_row
        self._incoming = words.reshape(self._folds, self._depth, cols, 2)
        self._chain = np.zeros((self._depth, cols, 2))
        self._waits_for = np.full((rows, cols), NONE)
        self._commands = SkewLine(cols, 1, NONE)
        self.words_sent: int = 0

    def loaded_folds(self) -> int:
        """Folds that the first column has loaded."""
        return int(self.words_sent // self._depth)

    def take(self, row: IntArray, column: IntArray, fold: IntArray) -> FloatArray:
        """Copy the shadow banks of some PEs that open ``fold``, each [banks]; the words, [banks, words a PE, 2].

        Raises:
            HazardError: a bank does not hold that fold, whole and in place.
        """
        if (self._waits_for[row, column] != fold).any():
            raise HazardError("a PE opened a fold before its stationary values were in place")
        self._waits_for[row, column] = NONE
        by_row = self._chain.reshape(len(self._waits_for), self._words_a_row, -1, 2)
        return by_row[row, :, column]

    def cycle(self, allowed_folds: int, interval: int) -> None:
        """One cycle of every column's port, which loads no fold at or past ``allowed_folds``.

        Raises:
            HazardError: the chain moved under a PE that had not taken its words.
        """
        fold, position = divmod(self.words_sent, self._depth)
        taken = position > 0 or bool((self._waits_for[:, 0] == NONE).all())
        sends = fold < min(self._folds, allowed_folds) and taken
        command = self._commands.push(self.words_sent if sends else NONE)
        self.words_sent += sends
        column = np.nonzero(command != NONE)[0]
        if not column.size:
            return
        if (self._waits_for[:, column] != NONE).any():
            raise HazardError("a chain shifted stationary values away that had not been taken")
        fold_sent, position_sent = np.divmod(command[column], self._depth)
        self._chain[1:, column] = self._chain[:-1, column]
        # What enters first travels furthest.
        self._chain[0, column] = self._incoming[fold_sent, self._depth - 1 - position_sent, column]
        whole = position_sent == self._depth - 1
        self._waits_for[:, column[whole]] = fold_sent[whole]


class StationaryLatches:
    """Row-addressed latches, and for each column a bus that writes one of them in a cycle.

    Args:
        words: what each fold keeps in the array, [folds, rows, words a PE, cols, 2]: value and index.
        row_delay: cycles by which a row opens its folds later than the row above.

    Attributes:
        opens: the cycle in which each fold opens in the first row, where that is known ahead.
        words_sent: on the bus of the first column.
    """

    def __init__(self, words: FloatArray, row_delay: int) -> None:
        self._words = words
        self._folds, self._rows, self._words_a_row, cols, _ = words.shape
        self._row_delay = row_delay
        self._latches = np.zeros((self._rows, self._words_a_row, cols, 2))
        self._waits_for = np.full((self._rows, self._words_a_row, cols), NONE)
        self._commands = SkewLine(cols, 1, NONE)
        self._sent_to_row = [0] * self._rows
        self.opens: Sequence[int] | None = None
        self.words_sent: int = 0

    def loaded_folds(self) -> int:
        """Folds that every row of the first column has loaded."""
        return int(min(self._sent_to_row) // self._words_a_row)

    def take(self, row: IntArray, column: IntArray, fold: IntArray) -> FloatArray:
        """Copy the shadow banks of some PEs that open ``fold``, each [banks]; the words, [banks, words a PE, 2].

        Raises:
            HazardError: a bank does not hold all of that fold's words.
        """
        if (self._waits_for[row, :, column] != fold[:, None]).any():
            raise HazardError("a PE opened a fold before its stationary values were in place")
        self._waits_for[row, :, column] = NONE
        return self._latches[row, :, column]

    def cycle(self, allowed_folds: int, interval: int) -> None:
        """One cycle of every column's bus, which loads no fold at or past ``allowed_folds``.

        Args:
            allowed_folds: folds that may be loaded by now.
            interval: cycles from one fold's opening to the next, by which the bus knows which row opens soonest.

        Raises:
            HazardError: a latch was written over a word that had not been taken.
        """
        row = self._most_urgent_row(min(self._folds, allowed_folds), interval)
        if row is None:
            command = self._commands.push(NONE)
        else:
            fold, word = divmod(self._sent_to_row[row], self._words_a_row)
            command = self._commands.push((fold * self._rows + row) * self._words_a_row + word)
            self._sent_to_row[row] += 1
            self.words_sent += 1
        column = np.nonzero(command != NONE)[0]
        if not column.size:
            return
        rest, word_sent = np.divmod(command[column], self._words_a_row)
        fold_sent, row_sent = np.divmod(rest, self._rows)
        if (self._waits_for[row_sent, word_sent, column] != NONE).any():
            raise HazardError("a latch was written over a stationary value that had not been taken")
        self._latches[row_sent, word_sent, column] = self._words[fold_sent, row_sent, word_sent, column]
        self._waits_for[row_sent, word_sent, column] = fold_sent

    def _most_urgent_row(self, allowed_folds: int, interval: int) -> int | None:
        """The row of the first column whose latches can take a word and that opens its fold soonest."""
        waiting = []
        for row, sent in enumerate(self._sent_to_row):
            fold, word = divmod(sent, self._words_a_row)
            taken = word > 0 or self._waits_for[row, 0, 0] == NONE
            if fold < allowed_folds and taken:
                opens = fold * interval if self.opens is None else self.opens[fold]
                waiting.append((opens + row * self._row_delay, row))
        return min(waiting)[1] if waiting else None
