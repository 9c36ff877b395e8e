"""Every kind of report that a directory may hold; a new kind is a line here."""

from __future__ import annotations

from .ablation.directory import ABLATION
from .codesign.directory import CODESIGN
from .consistency.directory import CONSISTENCY
from .explore.kind import EXPLORATION
from .run.directory import RUN
from .shared.report_kind import ReportKind

REPORT_KINDS: tuple[ReportKind, ...] = (RUN, ABLATION, CODESIGN, CONSISTENCY, EXPLORATION)
"""In the order in which their reports are made again."""
