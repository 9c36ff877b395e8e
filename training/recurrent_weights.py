"""Weights of torch's recurrent layers: several in one module, each a layer of its own to a recipe.

A layer and direction has a weight that the input meets (``weight_ih_l0``), and one that the state does
(``weight_hh_l0``); a cell has ``weight_ih`` and ``weight_hh``. Free of torch.
"""

from __future__ import annotations

import re

_RECURRENT = re.compile(r"weight_(ih|hh)(_l\d+(_reverse)?)?")


def is_recurrent(parameter: str) -> bool:
    """Whether a parameter's own name is that of such a weight.

    >>> is_recurrent("weight_hh_l1_reverse"), is_recurrent("weight"), is_recurrent("weight_hr_l0")
    (True, False, False)
    """
    return _RECURRENT.fullmatch(parameter) is not None


def meets_state(parameter: str) -> bool:
    """Whether it is one that a layer's own state meets.

    >>> meets_state("weight_hh_l0"), meets_state("weight_ih_l0")
    (True, False)
    """
    return is_recurrent(parameter) and parameter.startswith("weight_hh")


def own_place(module: str, parameter: str | None) -> str:
    """The dotted path under which a product is known: its module's, or its weight's where the module has several.

    >>> own_place("cells", "cells.weight_hh_l0"), own_place("", "weight_hh"), own_place("head", "head.weight")
    ('cells.weight_hh_l0', 'weight_hh', 'head')
    """
    if parameter is not None and is_recurrent(parameter.rpartition(".")[2]):
        return parameter
    return module
