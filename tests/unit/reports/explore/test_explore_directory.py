"""A study's directory: files that load, commands that repeat a row to the last digit, pages that share a library."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.reports.explore import designs as explore_designs
from bisparse.reports.explore.command import hardware_file, simulate_command
from bisparse.reports.explore.designs import LIBRARY, best_files, reported_rows, write_design
from bisparse.reports.explore.directory import write_exploration
from bisparse.reports.explore.findings import Findings
from bisparse.reports.explore.start import find
from bisparse.reports.shared.html import plotly_library
from bisparse.sim.studies.explore.evaluation import evaluate

from . import explore_sample as sample

AXES = {"hardware.tensor_engine.rows": (16, 32), "sparsity": ("2:4", "2:8")}


def simulated(space):
    """The space, judged by real simulations."""

    def judge(settings):
        (outcome,) = evaluate([space.point(settings)], sample.VERSION)
        return outcome.figures, outcome.reason

    return sample.study_of(space, judge)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("study")
    space = sample.space_of(axes=AXES, objectives=(("step_seconds", False), ("pe_count", False)))
    study = simulated(space)
    files = write_exploration(study, space, directory, version=sample.VERSION, command="bisparse explore sat-shape")
    return directory, space, study, files


def test_every_file_that_is_named_is_there(written):
    directory, _, _, files = written
    assert files[0] == directory / "report.html"
    assert {"report.md", "best/01.yaml", "designs/base/report.html"} <= {
        file.relative_to(directory).as_posix() for file in files
    }
    assert all(file.is_file() for file in files)


def test_the_best_design_s_command_gives_the_very_figures_of_its_row(written):
    from bisparse import simulate

    directory, space, study, _ = written
    findings, _, _ = find(study, space, version=sample.VERSION)
    for number, row in enumerate(findings.chosen.best.tolist(), start=1):
        file = directory / "best" / f"{number:02d}.yaml"
        command = next(line for line in file.read_text().splitlines() if line.startswith("# bisparse simulate"))
        words = shlex.split(command.removeprefix("# "))
        given = dict(zip(words[3::2], words[4::2], strict=True))
        assert Path(given["--hardware"]) == file
        result = simulate(
            words[2],
            given["--hardware"],
            given["--recipe"],
            given["--sparsity"],
            batch=int(given["--batch"]),
        )
        for name in ("total_cycles", "step_seconds", "energy_joules", "dram_read_bytes", "speedup_vs_dense"):
            assert getattr(result, name) == study.table[name].iloc[row]


def test_a_hardware_file_says_what_the_design_is_and_how_well_each_value_is_known():
    for shipped in ("sat-vcu1525", "sat-vcu1525-timed", "edge-16x16"):
        hardware = load_hardware(shipped)
        design = replace(sample.space_of().base_point({}), hardware=hardware)
        path = Path(f"{shipped}.yaml")
        text = hardware_file(design, name=hardware.model.name, title=hardware.model.title, comment=["a", "b"])
        assert text.startswith("# a\n# b\n")
        again = _loaded(text, path.name)
        assert again.model == hardware.model
        assert again.sha256 == hardware.sha256
        known = {name: (each.value, each.status, each.source) for name, each in again.provenance.items()}
        wanted = {name: (each.value, each.status, each.source) for name, each in hardware.provenance.items()}
        # What was said of the name of a part, which now stands in the file itself.
        wanted.pop("dram.timing.name", None)
        assert known == wanted


def _loaded(text, name):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text)
        return load_hardware(str(file))


def test_options_that_are_not_the_usual_ones_stand_in_the_command():
    options = {"optimizer": "adam", "interleave": False, "keep_on_chip": True}
    design = sample.space_of(options=options, batch=8).base_point({})
    assert simulate_command(design, "my design.yaml") == (
        "bisparse simulate resnet9-cifar10 --hardware 'my design.yaml' --recipe bdwp --sparsity 2:8 --batch 8 "
        "--optimizer adam --no-interleave --keep-on-chip"
    )


def test_designs_share_one_library(written):
    directory, *_ = written
    assert (directory / "designs" / LIBRARY).read_bytes() == plotly_library()
    pages = list((directory / "designs").glob("*/report.html"))
    assert len(pages) >= 3
    for page in pages:
        assert page.stat().st_size < 1_000_000
        assert f'<script src="../{LIBRARY}"></script>' in page.read_text()
    assert plotly_library() in (directory / "report.html").read_bytes()


def test_a_press_on_a_design_of_the_front_finds_its_page(written):
    directory, space, study, _ = written
    html = (directory / "report.html").read_text()
    links = re.search(r'id="links">(.*?)</script>', html)[1]
    findings = Findings(study=study, space=space)
    for row in findings.chosen.front.tolist():
        link = f"designs/{findings.key(row)}/report.html"
        assert link in links
        assert (directory / link).is_file()


def test_reports_of_single_designs_stop_before_they_outweigh_the_study(tmp_path, monkeypatch):
    monkeypatch.setattr(explore_designs, "MOST_BYTES", 0)
    space = sample.space_of(axes=AXES, objectives=(("step_seconds", False), ("pe_count", False)))
    findings = Findings(study=simulated(space), space=space)
    assert len(explore_designs.write_reports(findings, tmp_path, sample.VERSION)) == 1
    assert len(reported_rows(findings)) > 1


def test_the_report_of_any_design_can_be_written_later(written, tmp_path):
    _, space, study, _ = written
    findings = Findings(study=study, space=space)
    page = write_design(study, space, str(study.table["key"].iloc[3])[:8], tmp_path, version=sample.VERSION)
    assert page == tmp_path / "designs" / findings.key(3) / "report.html"
    with pytest.raises(ConfigError, match="got no design zz, need the key of one"):
        write_design(study, space, "zz", tmp_path, version=sample.VERSION)


def test_every_scenario_has_its_command():
    scenarios = {"workload": ["resnet9-cifar10", "vit-cifar10"]}
    space = sample.space_of(axes=AXES, scenarios=scenarios)
    study = sample.study_of(space, lambda settings: sample.invented({**_usual(), **settings}))
    findings = Findings(study=study, space=space)
    text = best_files(findings, Path("out"))["best/01.yaml"]
    assert [line.split()[3] for line in text.splitlines() if line.startswith("# bisparse")] == [
        "resnet9-cifar10",
        "vit-cifar10",
    ]


def _usual():
    return {name: values[0] for name, values in sample.AXES.items()}


def test_a_key_out_of_a_store_is_no_path(written, tmp_path):
    _, space, study, _ = written
    table = study.table.assign(key=[f"../../../PWN{row}" for row in range(len(study.table))])
    crafted = SimpleNamespace(**vars(study) | {"table": table})
    inside = tmp_path / "a" / "b" / "c"
    write_exploration(crafted, space, inside, version=sample.VERSION)
    assert list((inside / "designs").glob("PWN*/report.html"))
    outside = [each for each in tmp_path.rglob("*") if each.is_file() and not each.is_relative_to(inside)]
    assert not outside
