"""Which scores of causal attention are computed where they are computed in blocks.

Query i attends to the keys j <= i, both counted from the first, as torch's ``is_causal`` does. The matrix of scores is
cut into blocks of B queries by B keys, short ones last. A block is computed whole where one of its pairs attends, and
not at all where it lies wholly above the diagonal: so a row of blocks needs a prefix of the keys, and a column of
blocks is needed by the queries from its own first key on.
"""

from __future__ import annotations

from collections import Counter
from functools import cache


def block_rows(queries: int, keys: int, block: int) -> dict[tuple[int, int], int]:
    """Rows of blocks: how many there are of each (queries, keys of the prefix).

    >>> block_rows(5, 5, 2), block_rows(6, 3, 2)
    ({(2, 2): 1, (2, 4): 1, (1, 5): 1}, {(2, 2): 1, (2, 3): 2})
    """
    rows = ((min(block, queries - first), min(first + block, keys)) for first in range(0, queries, block))
    return dict(Counter(rows))


def block_columns(queries: int, keys: int, block: int) -> dict[tuple[int, int], int]:
    """Columns of blocks: how many there are of each (keys, queries that need them); none of keys that nobody needs.

    >>> block_columns(5, 5, 2), block_columns(3, 6, 2)
    ({(2, 5): 1, (2, 3): 1, (1, 1): 1}, {(2, 3): 1, (2, 1): 1})
    """
    columns = ((min(block, keys - first), queries - first) for first in range(0, min(queries, keys), block))
    return dict(Counter(columns))


@cache
def kept_scores(queries: int, keys: int, block: int) -> int:
    """Scores that are computed.

    >>> kept_scores(5, 5, 2), kept_scores(5, 5, 5), kept_scores(1024, 1024, 128)
    (17, 25, 589824)
    """
    return sum(rows * prefix * times for (rows, prefix), times in block_rows(queries, keys, block).items())
