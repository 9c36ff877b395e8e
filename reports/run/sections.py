"""The sections of a run's report, in the order of the page and of the Markdown; a new one is a line here."""

from __future__ import annotations

from collections.abc import Callable

from ..shared.section import Section
from . import time_sections as time
from . import work_sections as work
from .decision_sections import range_section, verdict_section
from .extra_work import extra_work_section
from .run_view import RunView
from .throughput import throughput_section
from .weights_section import weights_section

SECTIONS: tuple[Callable[[RunView], Section | None], ...] = (
    range_section,
    verdict_section,
    weights_section,
    time.training_section,
    time.stage_section,
    time.engine_section,
    extra_work_section,
    time.ladder_section,
    time.cause_section,
    time.timeline_section,
    work.operator_section,
    work.roofline_section,
    work.traffic_section,
    work.memory_section,
    work.density_section,
    work.energy_section,
    throughput_section,
    work.hardware_section,
    work.mapping_section,
    work.settings_section,
)
"""What makes each; None where a run has nothing to say in it."""


def sections_of(view: RunView) -> list[Section]:
    """The sections that a run has."""
    return [section for section in (make(view) for make in SECTIONS) if section is not None]
