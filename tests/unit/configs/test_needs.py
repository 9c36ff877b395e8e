"""A missing package is told with a line that installs it here: from a checkout, a wheel or an index."""

import importlib.metadata
import json

import pytest
from bisparse.configs import needs
from bisparse.configs.errors import ConfigError


class Installed:
    def __init__(self, told):
        self.told = told

    def read_text(self, file):
        assert file == "direct_url.json"
        return self.told


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The module as it lies in site-packages, and how it came there."""
    monkeypatch.setattr(needs, "__file__", str(tmp_path / "site-packages" / "bisparse" / "configs" / "needs.py"))

    def came(told):
        monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed(told))

    return came


def test_from_a_checkout_the_line_names_the_checkout(tmp_path, monkeypatch):
    (tmp_path / "my work").mkdir()
    (tmp_path / "my work" / "pyproject.toml").touch()
    monkeypatch.setattr(needs, "__file__", str(tmp_path / "my work" / "configs" / "needs.py"))
    assert needs.install_line("train") == f"pip install -e '{tmp_path}/my work[train]'"


def test_of_a_wheel_the_line_names_the_wheel(installed):
    wheel = "file:///home/me/bisparse-0.1.0-py3-none-any.whl"
    installed(json.dumps({"archive_info": {}, "url": wheel}))
    assert needs.install_line("explore") == f"pip install 'bisparse[explore] @ {wheel}'"


def test_of_an_index_the_line_names_the_package(installed):
    installed(None)
    assert needs.install_line("onnx") == "pip install 'bisparse[onnx]'"


def test_without_metadata_the_line_names_the_package(installed, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    installed(None)
    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert needs.install_line("onnx") == "pip install 'bisparse[onnx]'"


def test_a_missing_package_is_named_with_its_line():
    with pytest.raises(ConfigError) as told:
        needs.check_package("a_package_nobody_has", "train", extra="train")
    assert str(told.value) == (
        f"train: got no package 'a_package_nobody_has', need it; try {needs.install_line('train')}"
    )
