"""Training runs that tests share."""

from __future__ import annotations

import pytest
from bisparse.training.loop import run as training_run

from .short_runs import run


@pytest.fixture(scope="module")
def captured_once():
    """The graph of a network known by name is captured once for all runs of the same batch."""
    capture, known = training_run.captured, {}

    def captured(model, settings, data):
        if ":" in settings.model:
            return capture(model, settings, data)
        asked = (settings.model, settings.data, settings.batch)
        if asked not in known:
            known[asked] = capture(model, settings, data)
        return known[asked]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training_run, "captured", captured)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directory of a finished run of certain settings, which tests share and leave as it is."""
    known = {}

    def directory_of(settings):
        if settings not in known:
            directory = tmp_path_factory.mktemp("trained")
            run(settings, directory)
            known[settings] = directory
        return known[settings]

    return directory_of
