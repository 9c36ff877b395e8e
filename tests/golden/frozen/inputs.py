"""What goes into a frozen case: shipped files, read once a process, and designs that differ from a shipped one."""

import dataclasses
from functools import cache

from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.configs.library import content_hash
from bisparse.sim.options import Options
from bisparse.training.densities import LayerDensities, LayerDensity
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

workload = cache(load_workload)
recipe = cache(load_recipe)
_shipped = cache(load_hardware)


def hardware(name, changes=None):
    """A shipped design, with some of its values changed.

    Args:
        name: of the shipped design.
        changes: nested, such as ``{"tensor_engine": {"rows": 4}}``; not validated, for wild designs are not.
    """
    loaded = _shipped(name)
    if not changes:
        return loaded
    model = _changed(loaded.model, changes)
    return dataclasses.replace(loaded, model=model, sha256=content_hash(model.model_dump_json()))


def _changed(model, changes):
    update = {}
    for name, value in changes.items():
        if isinstance(value, dict):
            value = _changed(getattr(model, name), value)
        elif isinstance(value, list):
            value = tuple(value)
        update[name] = value
    return model.model_copy(update=update)


def pattern(text):
    """An N:M, perhaps one that no design has."""
    return parse_format(text)


def options(given, network, engine="analytic"):
    """Options of a step from plain data.

    Args:
        given: as JSON has them; ``densities`` stands for made-up ones of the network.
        network: the workload that they are for.
        engine: ``analytic`` or ``event``.
    """
    own = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    if own.get("densities"):
        own["densities"] = made_up_densities(network)
    return Options(engine=engine, **own)


def made_up_densities(network):
    """Densities of a training run that never was: every third module of a workload was not measured."""
    modules = list(dict.fromkeys(product.module for product in network.graph.products))
    rows = tuple(
        LayerDensity(
            epoch=epoch,
            module=module,
            input_density=(1 + number % 7) / 8,
            gradient_density=(1 + number % 5) / 5 - epoch / 16,
            forward_weight_density=0.25,
            backward_weight_density=0.25,
        )
        for epoch in range(2)
        for number, module in enumerate(modules)
        if number % 3
    )
    return LayerDensities(name="made-up", sha256="0" * 64, rows=rows)
