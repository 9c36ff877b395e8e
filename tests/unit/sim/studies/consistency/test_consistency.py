"""What an unknown design may be: draws, claims that are held against them, and what further number would tell."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.reports import consistency_text, read_consistency, write_consistency
from bisparse.sim.studies.consistency.claims import load_claims
from bisparse.sim.studies.consistency.consistency import Consistency
from bisparse.sim.studies.consistency.drawn_designs import DrawnDesigns
from bisparse.sim.studies.consistency.judging import Judge
from bisparse.sim.studies.consistency.narrowing import told_by
from bisparse.sim.studies.consistency.run_consistency import consistent
from bisparse.sim.studies.explore.space import Space

import bisparse

SMALL = """\
name: small
base: {hardware: sat-vcu1525, recipe: bdwp, batch: 2}
axes:
  hardware.tensor_engine.rows: [16, 32, 64]
  hardware.vector_engine.lanes: [16, 32, 64]
derived: {hardware.buffers.west.port_bytes_per_cycle: "hardware.tensor_engine.rows * 8"}
runs: {workload: [resnet9-cifar10], sparsity: ["2:8", "2:4"]}
ranges: false
claims:
  - {name: fast, source: a test, value: speedup_vs_dense, where: {sparsity: "2:8"}, least: 1.7}
  - {name: sorters, source: a test, value: hardware.reduction_engine.lanes, least: 32, most: 32}
answers:
  - {name: speedup, value: speedup_vs_dense, over: each}
  - {name: joules more, value: dense.energy_joules / energy_joules, where: {sparsity: "2:8"}}
draws: 9
"""


@pytest.fixture
def claims_in(tmp_path):
    def load(text):
        file = tmp_path / "claims.yaml"
        file.write_text(text)
        return load_claims(file)

    return load


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    file = tmp_path_factory.mktemp("claims") / "small.yaml"
    file.write_text(SMALL)
    loaded, sweep = load_claims(file)
    return consistent(loaded, sweep, file.parent, version="test", jobs=1)


def test_python_and_the_library_find_the_same_and_the_directory_has_the_report(found, tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    asked = bisparse.consistent(file, out=tmp_path / "out", jobs=1)
    assert replace(asked, bisparse_version=found.bisparse_version) == found
    command = (tmp_path / "out" / "consistent-command.txt").read_text()
    assert command == f"bisparse consistent {file} --out {tmp_path / 'out'}\n"
    assert bisparse.consistent(file, out=tmp_path / "out", jobs=1, resume=True) == asked
    with pytest.raises(ConfigError, match="resume"):
        bisparse.consistent(file, out=tmp_path / "out", jobs=1)


def simulated(settings, sparsity="2:8"):
    """The drawn design, as anybody would change and simulate it."""
    rows = settings["hardware.tensor_engine.rows"]
    lanes = settings["hardware.vector_engine.lanes"]
    words = [f"tensor_engine.rows={rows}", f"vector_engine.lanes={lanes}"]
    design = set_fields(load_hardware("sat-vcu1525"), [*words, f"buffers.west.port_bytes_per_cycle={8 * rows}"])
    return bisparse.simulate("resnet9-cifar10", design, "bdwp", sparsity, batch=2)


def test_designs_that_agree_are_those_whose_simulation_does(found):
    assert 0 < len(found.survivors) < len(found.designs) == 9
    for design in found.designs[:4]:
        result = simulated(design.settings)
        assert design.answers[0] == result.speedup_vs_dense, "to the last bit"
        assert design.answers[2] == result.dense.energy_joules / result.energy_joules
        assert design.agrees == (result.speedup_vs_dense >= 1.7)
        assert design.misses[0] == max(1.7 - result.speedup_vs_dense, 0) / 1.7


def test_answers_are_those_of_the_designs_that_agree(found):
    speedups = [each.answers[0] for each in found.survivors]
    answer = found.answers[0]
    assert answer.name == "speedup, 2:8"
    assert (answer.after.least, answer.after.most) == (min(speedups), max(speedups))
    assert answer.after.least >= 1.7 > answer.before.least
    assert answer.assumed == bisparse.simulate("resnet9-cifar10", sparsity="2:8", batch=2).speedup_vs_dense
    (lanes,) = (each for each in found.regions if each.name == "hardware.vector_engine.lanes")
    assert sum(lanes.survivors.values()) == len(found.survivors)
    assert lanes.drawn == {"16": 3, "32": 3, "64": 3}, "each value as often"


def test_a_claim_that_nothing_satisfies_is_named(claims_in, tmp_path):
    loaded, sweep = claims_in(SMALL.replace("least: 1.7", "least: 9"))
    found = consistent(loaded, sweep, None, version="test", jobs=1, draws=3)
    assert found.survivors == ()
    assert found.hardest.name == "fast"
    assert found.hardest.alone_excludes == 3
    assert [each.after for each in found.answers] == [None] * 3
    text = " ".join(consistency_text(found).split())
    assert "None of 3 drawn designs agrees with all 2 claims. The claim that excludes most is 'fast': 3 of them" in text
    nearest = max(each.answers[0] for each in found.designs)
    assert max(found.nearest.misses) == (9 - nearest) / 9


def test_runs_are_kept_and_used_again_whatever_is_claimed(claims_in, tmp_path):
    told = []

    def run(text, **more):
        loaded, sweep = claims_in(text)
        return consistent(
            loaded, sweep, tmp_path, version="test", jobs=1, draws=2, told=lambda *a: told.append(a), **more
        )

    first = run(SMALL)
    assert told[-1] == ("small: runs", 4, 4)
    with pytest.raises(ConfigError, match="got a store with 4 runs, need an empty directory; try --resume"):
        run(SMALL)
    told.clear()
    other = run(SMALL.replace("least: 1.7", "least: 1.0"), resume=True)
    assert not told, "nothing is simulated again"
    assert [each.answers for each in other.designs] == [each.answers for each in first.designs]
    assert len(other.survivors) == 2


def test_the_document_is_whole_and_its_files_are_made_of_it(found, tmp_path):
    assert Consistency.from_document(json.loads(json.dumps(found.document()))) == found
    page = write_consistency(found, tmp_path / "out", command="bisparse consistent small")
    assert read_consistency(page.parent) == found
    assert "small: what agrees with all that is claimed" in page.read_text()
    assert len((page.parent / "designs.csv").read_text().splitlines()) == 10
    (page.parent / "consistent.json").write_text('{"schema_version": 1, "claims": 3}')
    with pytest.raises(ConfigError, match="got a document that is not whole"):
        read_consistency(page.parent)


def designs_of(pair, **more):
    loaded, sweep = pair
    return loaded, DrawnDesigns(Space(sweep, version="test"), ranges=loaded.model.ranges, **more)


def test_ranges_of_the_files_are_drawn_with_the_axes_and_their_prices_too(claims_in):
    _, designs = designs_of(claims_in(SMALL.replace("ranges: false", "ranges: true")))
    names = [each.name for each in designs.unknowns]
    assert "energy.static_watts" in names
    assert names.count("hardware.vector_engine.lanes") == 1, "an axis has no range beside"
    assert "hardware.buffers.west.port_bytes_per_cycle" not in names, "nor what is derived"
    first, second = (list(designs.draws(4, 0)) for _ in range(2))
    assert first == second != list(designs.draws(4, 1))
    settings = first[0] | {"workload": "resnet9-cifar10", "sparsity": "2:8"}
    point = designs.point(settings)
    assert point.prices.model.static_watts == settings["energy.static_watts"]
    engine = point.hardware.model.tensor_engine
    assert engine.rows == settings["hardware.tensor_engine.rows"]
    assert point.hardware.model.buffers.west.port_bytes_per_cycle == 8 * engine.rows
    keys = {designs.key(designs.point(settings | {"energy.static_watts": watts})) for watts in (2.0, 2.0, 3.0)}
    assert len(keys) == 2, "prices are in a run's key"


def test_any_sweep_gives_its_axes(claims_in):
    text = SMALL.replace(SMALL[SMALL.index("base:") : SMALL.index("runs:")], "sweep: sat-nm\n")
    loaded, designs = designs_of(claims_in(text.replace(', sparsity: ["2:8", "2:4"]', "").replace('"2:8"', "x")))
    assert "hardware.dram.channels" in {each.name for each in designs.unknowns}
    with pytest.raises(ConfigError, match=r"claims\.0\.where: got sparsity, need one of workload"):
        Judge(loaded, designs.space.scenarios())


def test_some_of_the_runs_are_those_whose_mean_suits(claims_in):
    text = SMALL.replace("least: 1.7", "over: some, at_least: 2, least: 1.745, most: 1.755")
    text = text.replace(', where: {sparsity: "2:8"}, over', ", over").replace('["2:8", "2:4"]', '["1:8", "2:8", "2:4"]')
    loaded, designs = designs_of(claims_in(text))
    judge = Judge(loaded, designs.space.scenarios())

    def judged(*values):
        return judge.judged(0, [{"speedup_vs_dense": each} for each in values], lambda: None)

    assert judged(1.9, 1.6, 1.0).value == pytest.approx(1.75), "of the first two"
    assert judged(1.9, 1.6, 1.0).miss == 0
    assert judged(1.75, 1.75, 1.75).miss == 0
    assert judged(1.75, 1.2, 1.0).miss > 0, "of one alone it would be"


def test_what_tells_an_answer_stands_first_and_what_tells_nothing_at_nothing():
    generator = np.random.default_rng(0)
    side, other = generator.integers(1, 4, 200).tolist(), generator.random(200).tolist()
    answer = [each + 0.01 * noise for each, noise in zip(side, generator.random(200), strict=True)]
    first, last = told_by({"other": other, "side": side}, {"answer": answer}, apart={})
    assert (first.name, last.name) == ("side", "other")
    assert first.reduction > 0.95
    assert last.reduction < 0.05
    few = told_by({"side": side[:6]}, {"answer": answer[:6]}, apart={})
    assert few == (), "of six designs nothing can be said"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("least: 1.7", "", "claims.0.least: got neither least nor most"),
        (
            "value: speedup_vs_dense, where",
            "value: speedup_vs_dens, where",
            "claims.0.value: got speedup_vs_dens, need",
        ),
        ('where: {sparsity: "2:8"}, least', 'where: {sparsity: "1:8"}, least', "claims.0.where: got"),
        ("least: 1.7", "over: some, at_least: 3, least: 1.7", "claims.0.at_least: got 3 of 1 runs"),
        ("rows: [16, 32, 64]", "rows: [16, none]", "tensor_engine.rows"),
        ("base: {hardware: sat-vcu1525, recipe: bdwp, batch: 2}", "base: {recipe: bdwp}", "hardware"),
        ("draws: 9", "draws: 0", "draws: got 0"),
    ],
)
def test_a_mistake_is_a_line_with_its_place(claims_in, before, after, message):
    text = SMALL.replace(before, after)
    assert text != SMALL

    def read():
        loaded, designs = designs_of(claims_in(text))
        Judge(loaded, designs.space.scenarios())

    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        read()
    assert re.match(r".*claims\.yaml:\d+: ", str(error.value))


def test_the_shipped_claims_can_be_judged():
    loaded, designs = designs_of(load_claims("sat"))
    judge = Judge(loaded, designs.space.scenarios())
    assert len(judge.scenarios) == 10
    assert all(claim.source for claim, _, _ in judge.claims)
    ones = [dict.fromkeys(names_in(judge), 1.0) for _ in judge.scenarios]
    assert judge.judged(0, ones, lambda: None).miss == pytest.approx((1.745 - 1) / 1.745)


def names_in(judge):
    return {name for _, value, _ in judge.claims for name in value.names}
