import dataclasses
import json

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError, MappingError
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.schedule_file import load_decisions, load_schedule, save_schedule, schedule_table
from bisparse.sim.simulation import Simulator
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

BDWP = load_recipe("bdwp")


@pytest.fixture(scope="module")
def simulator():
    return Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=16),
        version="test",
    )


@pytest.fixture(scope="module")
def schedule(simulator):
    return simulator.schedule(BDWP.model, Pattern(2, 8))


@pytest.fixture
def saved(schedule, tmp_path):
    save_schedule(schedule, tmp_path / "made" / "schedule.json")
    return tmp_path / "made" / "schedule.json"


def edited(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=1))
    return load_schedule(path)


def test_a_replayed_schedule_gives_the_identical_result_without_searching(simulator, schedule, saved):
    replayed = simulator.schedule(BDWP.model, Pattern(2, 8), decisions=load_decisions(saved))
    load_schedule(saved).check_products(replayed)
    first, again = (simulator.run_schedule(each, BDWP) for each in (schedule, replayed))
    products = len(schedule.products)
    assert first.candidates["total"] > products
    assert again.candidates == {"total": products, "fewest": 1}

    def without_candidates(result):
        rows = tuple(dataclasses.replace(row, candidates=0) for row in result.rows)
        return dataclasses.replace(result, candidates={}, rows=rows)

    assert without_candidates(first) == without_candidates(again)


def test_forms_are_saved_beside_the_sizes_of_the_graph_and_replayed(tmp_path):
    """Depthwise convolutions, packed."""
    mobile = Simulator(
        workload=load_workload("mobilenet-v2-imagenet"),
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=1),
        version="test",
    )
    path = tmp_path / "schedule.json"
    made = mobile.schedule(BDWP.model, Pattern(2, 8))
    save_schedule(made, path)
    read = load_schedule(path)
    packed = [each for each in read.content.products if each.packed > 1]
    assert len(packed) > 30
    assert all(each.n == 1 and each.count >= each.packed for each in packed)
    replayed = mobile.schedule(BDWP.model, Pattern(2, 8), decisions=read.decisions)
    read.check_products(replayed)
    assert [each.gemm for each in replayed.products] == [each.gemm for each in made.products]
    forms = [row[3] for row in schedule_table(replayed)]
    assert any("packed" in each for each in forms)


def test_a_file_says_what_it_was_made_for(saved):
    content = load_schedule(saved).content
    assert (content.hardware, content.workload, content.recipe) == ("sat-vcu1525", "resnet9-cifar10", "bdwp")
    assert (content.sparsity, content.batch, content.objective, content.optimizer) == (
        "2:8",
        16,
        "time",
        "sgd-momentum",
    )


def test_other_inputs_are_refused_by_line_and_field(saved):
    read = load_schedule(saved)
    read.check_made_for(workload="resnet9-cifar10", batch=16)
    with pytest.raises(ConfigError) as caught:
        read.check_made_for(workload="resnet9-cifar10", batch=32)
    assert str(caught.value) == (
        f"{saved}:7: batch: got a schedule made for 16, need one for 32; try saving one for these inputs"
    )


def test_a_file_says_whether_tensors_stay_on_chip_and_an_older_one_means_that_none_do(saved, schedule):
    assert schedule.resident
    assert load_schedule(saved).content.keep_on_chip
    assert not edited(saved, lambda document: document.pop("keep_on_chip")).content.keep_on_chip


def test_a_product_that_is_missing_unknown_or_of_another_size(simulator, schedule, saved):
    decisions = load_decisions(saved)
    del decisions["0.0:FF"]
    with pytest.raises(
        MappingError, match=r"0\.0:FF: got no mapping in the schedule, need one; was it made for another graph"
    ):
        simulator.schedule(BDWP.model, Pattern(2, 8), decisions=decisions)
    read = edited(saved, lambda document: document["products"][1].update(name="elsewhere"))
    with pytest.raises(MappingError, match=r"elsewhere: got a product that resnet9-cifar10 does not have"):
        read.check_products(schedule)
    read = edited(saved, lambda document: document["products"][1].update(name="1.0:FF", k=7))
    with pytest.raises(MappingError, match=r"1\.0:FF: got .* x 7, need .* as in the graph"):
        read.check_products(schedule)


def test_an_edited_mapping_must_be_one_that_the_design_can_do(simulator, saved):
    def deeper(document):
        document["products"][0].update(dataflow="os", interleave_m=8, interleave_n=2)

    read = edited(saved, deeper)
    replayed = simulator.schedule(BDWP.model, Pattern(2, 8), decisions=read.decisions)
    with pytest.raises(MappingError, match=r"got OS, interleave 8x2, need an array mapping of sat-vcu1525"):
        read.check_products(replayed)


def test_a_schedule_without_interleave_is_replayed_as_one_and_an_older_file_as_one_with_it(simulator, tmp_path):
    """Its weight-stationary mappings have interleave 1, which a search with interleave leaves out as dominated."""
    one_at_a_time = dataclasses.replace(simulator, options=Options(batch=16, interleave=False))
    path = tmp_path / "schedule.json"
    save_schedule(one_at_a_time.schedule(BDWP.model, Pattern(2, 8)), path)
    read = load_schedule(path)
    assert read.content.interleave is False
    read.check_products(one_at_a_time.schedule(BDWP.model, Pattern(2, 8), decisions=read.decisions))
    with pytest.raises(ConfigError, match="interleave: got a schedule made for False, need one for True"):
        read.check_made_for(interleave=True)
    assert edited(path, lambda document: document.pop("interleave")).content.interleave is True


def test_a_mapping_that_interleaves_is_refused_in_a_schedule_that_says_it_does_not(simulator, saved):
    read = edited(saved, lambda document: document.update(interleave=False))
    one_at_a_time = dataclasses.replace(simulator, options=Options(batch=16, interleave=False))
    replayed = one_at_a_time.schedule(BDWP.model, Pattern(2, 8), decisions=read.decisions)
    with pytest.raises(MappingError, match="need an array mapping of sat-vcu1525 without interleave"):
        read.check_products(replayed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version: got 2, need 1 or older; try a newer bisparse"),
        ({"bach": 3}, "bach: got bach, need a known field; try batch"),
        ({"batch": 0}, "batch: got 0, need a number > 0"),
        ({"batch": "many"}, "batch: got 'many', need an integer"),
        ({"sparsity": "9:8"}, "sparsity: got 9:8, need N:M"),
        ({"products": []}, "products: got"),
    ],
)
def test_a_wrong_file_is_named_by_line_and_field(saved, change, message):
    with pytest.raises(ConfigError) as caught:
        edited(saved, lambda document: document.update(change))
    assert f": {message}" in str(caught.value)
    assert str(caught.value).startswith(f"{saved}:")


def test_a_file_that_cannot_be_read_or_written(schedule, tmp_path):
    with pytest.raises(ConfigError, match="got no such file"):
        load_schedule(tmp_path / "none.json")
    with pytest.raises(ConfigError, match=r"got .*, need a file that can be written; try another --save-schedule"):
        save_schedule(schedule, tmp_path)


def test_a_schedule_reads_as_a_table(schedule):
    header, *rows = schedule_table(schedule)
    assert header[0] == "product"
    assert len(rows) == len(schedule.products)
    assert rows[0][0] == "0.0:FF"
    assert rows[0][2] == "dense"
    assert rows[1][2] == "2:8"
    assert "tile" in rows[0][3]


@pytest.mark.parametrize("field", ["interleave_m", "resident_groups", "tile_m", "count", "packed"])
def test_a_number_larger_than_any_machine_has_is_refused_by_name(saved, field):
    with pytest.raises(ConfigError, match=rf"products\.1\.{field}: got {2**64}, need a number <= "):
        edited(saved, lambda document: document["products"][1].update({field: 2**64}))
