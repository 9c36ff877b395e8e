"""FPGA parts, as files in ``configs/parts`` say them: what each has, and in which regions a design may use how much.

A region is a die of a part made of several (super logic region); wires between two are few and slow, so that a row of
an array lies in one. Of a card the regions are what its shell leaves.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from ...configs.schema import Loaded, load_annotated
from ...configs.section import Section
from .amounts import RESOURCES, TITLES, Amounts


class Region(Section):
    """What a design may use in one region."""

    name: str = Field(description="name of the region, as the vendor's tools have it")
    luts: PositiveInt = Field(description="look-up tables of six inputs")
    flip_flops: PositiveInt = Field(description="registers of one bit")
    dsps: NonNegativeInt = Field(description="multiplier slices")
    bram36: NonNegativeInt = Field(description="block RAMs of 36 Kib")
    urams: NonNegativeInt = Field(default=0, description="UltraRAMs of 288 Kib")

    @property
    def amounts(self) -> Amounts:
        """What it has."""
        return Amounts(*(getattr(self, resource) for resource in RESOURCES))


class Part(Section):
    """A part, bare or on a card under its shell."""

    name: str = Field(description="name of the part")
    title: str = ""
    device: str = Field(description="device, as the vendor's tools name it")
    operators: str = Field(description="name or path of the table of arithmetic operators")
    luts: PositiveInt = Field(description="look-up tables of the whole device")
    flip_flops: PositiveInt = Field(description="registers of the whole device")
    dsps: NonNegativeInt = Field(description="multiplier slices of the whole device")
    bram36: NonNegativeInt = Field(description="block RAMs of 36 Kib of the whole device")
    urams: NonNegativeInt = Field(default=0, description="UltraRAMs of 288 Kib of the whole device")
    regions: tuple[Region, ...] = Field(
        default=(), description="what a design may use, region by region; none: the whole device in one"
    )

    @model_validator(mode="after")
    def _regions_lie_within(self) -> Self:
        for resource in RESOURCES:
            whole, regions = getattr(self, resource), sum(getattr(region, resource) for region in self.regions)
            if regions > whole:
                need = f"need at most the {whole:,} of the device"
                raise ValueError(f"regions: got {regions:,} {TITLES[resource]} in all, {need}")
        if len({region.name for region in self.regions}) < len(self.regions):
            raise ValueError(f"regions: got {', '.join(each.name for each in self.regions)}, need names that differ")
        return self

    @property
    def room(self) -> tuple[Region, ...]:
        """Every region that a design may use."""
        device = {resource: getattr(self, resource) for resource in RESOURCES}
        return self.regions or (Region(name="device", **device),)


def load_part(name_or_path: str) -> Loaded[Part]:
    """Load a shipped part by name, or a user's file by path.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    return load_annotated(name_or_path, Part, "parts")
