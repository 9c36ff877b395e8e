from random import Random

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError, MappingError
from bisparse.configs.pattern import Pattern
from bisparse.sim.product import product_list
from bisparse.sim.product.product_list import read_products, timed
from bisparse.sim.product.single_product import (
    array_figures,
    parse_dataflow,
    parse_product,
    plain_product,
    simulate_product,
)

SAT = load_hardware("sat-vcu1525")
DATACENTER = load_hardware("datacenter-128x128")


def test_a_product_is_three_positive_integers():
    assert parse_product("3X4x5") == (3, 4, 5)
    for wrong in ("", "3x4", "3x4x5x6", "0x4x5", "-3x4x5", "3.5x4x5", "axbxc", "3x4x٣"):
        with pytest.raises(ConfigError, match="need MxNxK, three positive integers; try 512x256x1024"):
            parse_product(wrong)
    with pytest.raises(ConfigError, match="need at most 1000000000000000 multiply-accumulates"):
        parse_product("1000000x1000000x1000000")


def test_best_leaves_the_dataflow_to_the_search():
    assert [parse_dataflow(text) for text in ("os", "ws", "is", "best")] == ["os", "ws", "is", None]
    with pytest.raises(ConfigError, match="dataflow: got 'rs', need one of os, ws, is, best"):
        parse_dataflow("rs")


def test_array_cycles_are_the_closed_form_with_the_best_interleave():
    # 32x32 outputs, one fold, one accumulation a PE: each waits for the one before it (L = 4), then P, skew and drain.
    alone = array_figures(SAT.model.tensor_engine, plain_product(32, 32, 100), "os")
    assert alone.cycles == (99 * 4 + 1) + 31 + 31 + 7 + 32
    # Four folds that take turns in every PE hide the adder: 99 * 4 + 4 issues, and four results drain.
    turns = array_figures(SAT.model.tensor_engine, plain_product(64, 64, 100), "os")
    assert turns.cycles == (99 * 4 + 4) + 31 + 31 + 7 + 4 * 32
    assert turns.utilisation == 64 * 64 * 100 / (1024 * turns.cycles)


@pytest.mark.parametrize("pattern", ["1:1", "4:8", "2:8", "1:4"])
@pytest.mark.parametrize("dataflow", [None, "os", "ws", "is"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (7, 300, 40), (512, 512, 4096)])
def test_utilisation_counts_kept_work_and_is_never_above_one(sizes, dataflow, pattern):
    result = simulate_product(plain_product(*sizes, Pattern.parse(pattern)), DATACENTER, dataflow)
    m, n, k = sizes
    assert result.useful_macs == m * n * Pattern.parse(pattern).kept_of(k)
    assert 0 < result.mapped.utilisation <= 1
    assert 0 < result.array.utilisation <= 1
    assert dataflow is None or {result.array.dataflow, result.mapped.dataflow} == {dataflow}
    assert sum(result.mapped.stalls.values()) == result.mapped.cycles


def test_n_equal_to_m_is_the_dense_product():
    assert plain_product(64, 64, 64, Pattern(8, 8)) == plain_product(64, 64, 64)


def test_best_is_the_best_of_the_dataflows():
    gemm = plain_product(4, 512, 512)
    each = [simulate_product(gemm, DATACENTER, dataflow) for dataflow in ("os", "ws", "is")]
    best = simulate_product(gemm, DATACENTER)
    assert best.mapped.cycles == min(result.mapped.cycles for result in each)
    assert best.array.cycles == min(result.array.cycles for result in each)
    assert best.mapped.candidates == sum(result.mapped.candidates for result in each)


def test_what_the_design_lacks_is_refused():
    with pytest.raises(MappingError, match="dataflow: got is, need one that sat-vcu1525 offers: os, ws"):
        simulate_product(plain_product(8, 8, 8), SAT, "is")
    with pytest.raises(MappingError, match="8x8x8: got sparsity 3:7, need one that the tensor engine has: 1:4, 2:4"):
        simulate_product(plain_product(8, 8, 8, Pattern(3, 7)), SAT)


# Lists ---------------------------------------------------------------------------------------------------------------


def listed(tmp_path, text):
    (tmp_path / "list.csv").write_text(text)
    return list(read_products(tmp_path / "list.csv"))


def test_columns_may_stand_in_any_order_and_others_are_handed_through(tmp_path):
    (one, two) = listed(
        tmp_path, 'note,K,N,M,Dataflow,cols,rows,Sparsity\nfirst,3,2,1,OS,5,4,\n\n"a, b",16,8,8, ws ,8,8,2:8\n'
    )
    assert (one.rows, one.cols, one.m, one.n, one.k, one.dataflow) == (4, 5, 1, 2, 3, "os")
    assert one.pattern == Pattern(1, 1)
    assert two.pattern == Pattern(2, 8)
    _, row = timed([one, two], SAT.model)
    assert row["note"] == "a, b"
    assert list(row)[-3:] == ["useful_macs", "array_cycles", "array_utilisation"]
    assert row["useful_macs"] == 8 * 8 * 4


@pytest.mark.parametrize("design", [SAT, load_hardware("systolic-textbook")], ids=["sat", "textbook"])
def test_rows_timed_side_by_side_have_the_figures_of_each_alone(tmp_path, design, monkeypatch):
    """Extents of one, of the array and to both sides of it, and as large as a list may have; several blocks."""
    monkeypatch.setattr(product_list, "_BLOCK", 64)
    draw, largest = Random(1), 2**31 - 1
    extents = (1, 2, 7, 8, 9, 31, 32, 33, 100, 1000, 4095)
    rows = [f"{draw.choice(extents)},{draw.choice(extents)},{draw.choice(extents)}" for _ in range(200)]
    rows += [f"{largest},1,1", f"1,{largest},1", f"1,1,{largest}", f"{largest},400000,1", f"1,{largest},400000"]
    sparsities = ("1:1", "2:8", "1:4") if design is SAT else ("1:1",)
    text = "M,N,K,rows,cols,dataflow,sparsity\n" + "".join(
        f"{row},{draw.choice((1, 8, 32))},{draw.choice((1, 4, 32))},{draw.choice(('os', 'ws', 'best'))},"
        f"{draw.choice(sparsities)}\n"
        for row in rows
    )
    products = listed(tmp_path, text)
    for product, row in zip(products, timed(products, design.model), strict=True):
        alone = product.on(design.model)
        assert (row["array_cycles"], row["array_utilisation"]) == (alone.cycles, alone.utilisation), product.place
        assert row["useful_macs"] == plain_product(product.m, product.n, product.k, product.pattern).issued_macs


HEADER = "rows,cols,dataflow,M,N,K"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: M: got no such column, need M, N, K, or the columns of a SCALE-Sim topology"),
        ("rows,cols,dataflow,M,N\n8,8,os,1,1\n", ":1: K: got no such column"),
        (f"{HEADER},sparsty\n8,8,os,1,1,1,2:8\n", ":1: sparsty: got an unknown column, need .*; try sparsity"),
        (f"{HEADER},k\n8,8,os,1,1,1,1\n", ":1: k: got the column twice, need it once"),
        (f"{HEADER},array_cycles\n8,8,os,1,1,1,1\n", ":1: array_cycles: got a column of this name"),
        (f"{HEADER}\n8,8,os,1,1,1\n8,8,os,1,1\n", ":3: got 5 values, need 6, one a column"),
        (f"{HEADER}\n8,8,os,1,1,x\n", ":2: K: got 'x', need a positive integer"),
        (f"{HEADER}\n0,8,os,1,1,1\n", ":2: rows: got '0', need a positive integer"),
        (f"{HEADER}\n8,8,os,-4,1,1\n", ":2: M: got '-4', need a positive integer"),
        (f"{HEADER}\n8,8,rs,1,1,1\n", ":2: dataflow: got 'rs', need one of os, ws, is, best"),
        (f"{HEADER},sparsity\n8,8,os,1,1,1,9:8\n", ":2: sparsity: got 9:8, need N:M"),
        (f"{HEADER}\n8,8,os,9999999,9999999,9999999\n", ":2: K: got 9999999x9999999x9999999, need at most"),
        (f'{HEADER}\n8,8,os,1,1,"1\n', ":2: got broken CSV"),
    ],
)
def test_a_bad_row_is_named_by_line_and_column(tmp_path, text, message):
    with pytest.raises(ConfigError, match=rf"list\.csv{message}") as caught:
        listed(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_what_a_list_does_not_say_is_the_designs_or_what_is_asked_for(tmp_path):
    (plain,) = listed(tmp_path, "Layer, M, N, K,\nG1,64,32,128,\n")
    assert (plain.rows, plain.cols, plain.dataflow, plain.pattern) == (None, None, "best", Pattern(1, 1))
    assert plain.on(SAT.model) == array_figures(SAT.model.tensor_engine, plain_product(64, 32, 128))
    (asked,) = read_products(tmp_path / "list.csv", dataflow="ws", sparsity="2:8")
    assert (asked.dataflow, asked.pattern) == ("ws", Pattern(2, 8))
    (tmp_path / "list.csv").write_text(f"{HEADER}\n8,8,os,1,1,1\n")
    with pytest.raises(ConfigError, match=r"^sparsity: got 'x', need N:M"):
        list(read_products(tmp_path / "list.csv", sparsity="x"))
    with pytest.raises(ConfigError, match="--dataflow: got it with a list that has such a column"):
        list(read_products(tmp_path / "list.csv", dataflow="ws"))


LAYERS = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"


CAPITALS = LAYERS.removesuffix(",").lower().replace("num filter", "num filters")
TWO_STRIDES = "IFMAP_Height,IFMAP_Width,Filter_Height,Filter_Width,Channels,Num_Filter,Stride_Height,Stride_Width"


@pytest.mark.parametrize(
    ("text", "products"),
    [
        # 224 of 7 at stride 2: 110 positions in SCALE-Sim, whose last one is short of a row.
        (f"{LAYERS}\n,,,,,,,,\nConv1,224,224,7,7,3,64,2,\n", [(110 * 110, 64, 147)]),
        (f"{LAYERS}\nConv1,9,9,3,3,3,64,2,\nFC,1,1,1,1,512,1000,1, \n\n\n", [(16, 64, 27), (1, 1000, 512)]),
        # A product spelt as a convolution of one row a position; other capitals, plurals and no comma at the end.
        (f"{CAPITALS}\nMLP,128,13,1,13,1,512,1", [(128, 512, 13)]),
        (f"{LAYERS} Batch Size,\nA,8,8,1,1,4,16,1,3,\nB,8,8,1,1,4,16,1,\n", [(3 * 64, 16, 4), (64, 16, 4)]),
        (f"{TWO_STRIDES}\n9,9,3,3,2,6,2,3\n", [(4 * 3, 6, 18)]),
        (f"{LAYERS}\nA,9,9,3,3,2,6,2,3\nB,9,9,3,3,2,6,2,\n", [(4 * 3, 6, 18), (16, 6, 18)]),
        (f"{LAYERS}\nA,9,7,3,3,2,6,1,".replace("Height", "Width", 1), [(7 * 5, 6, 18)]),
        (f"{LAYERS}\nA,9,9,3,3,2,6,2,\n".replace(",", "\t"), [(16, 6, 18)]),
    ],
)
def test_topologies_of_scale_sim_are_read_as_it_reads_them(tmp_path, text, products):
    assert [(each.m, each.n, each.k) for each in listed(tmp_path, text)] == products


def test_a_layers_product_stands_beside_what_was_given(tmp_path):
    (layer,) = listed(tmp_path, f"{LAYERS} Sparsity,\nCONV_1, 5, 5, 3, 3, 8, 6, 1, 2:4,\n")
    (row,) = timed([layer], SAT.model)
    assert (row["M"], row["N"], row["K"], row["useful_macs"]) == ("9", "6", "72", 9 * 6 * 36)
    (dense,) = listed(tmp_path, "Layer Name, M, N, K, Sparsity,\nGEMM_1, 1, 5, 16, 1,\n")
    assert dense.pattern == Pattern(1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("M;N;K\n1;2;3\n", ":1: got columns parted by semicolons, need commas or tabs"),
        (f"M,N,K,rows\n1,2,3,{10**19}\n", ":2: rows: got '10000000000000000000', need a positive integer up to"),
        (f"M,N,K\n{'9' * 5000},2,3\n", ":2: M: got '9{40}', need a positive integer up to"),
        ("M,N,K,Array_Cycles\n1,2,3,4\n", ":1: Array_Cycles: got a column of this name"),
        (f"{LAYERS}\nA,5,5,7,3,1,1,1,\n", ":2: Filter Height: got 7 in an image of 5, need no more"),
        (f"{LAYERS}\nA,5,5,3,3,1,1,0,\n", ":2: Strides: got '0', need a positive integer"),
        (LAYERS.replace(" Strides,", "") + "\nA,5,5,3,3,1,1,\n", ":1: Strides: got no such column"),
        (LAYERS.replace("Channels", "Chanels") + "\nA,5,5,3,3,1,1,1,\n", ":1: Chanels: got an .*; try Channels"),
        (f"{LAYERS} M,\nA,5,5,3,3,1,1,1,9,\n", ":1: M: got a column of this name, need another: it is added here"),
        (f"{LAYERS}\nA,5,5,3,3,1,1,1,2,3,\n", ":2: got 10 values, need 8, one a column"),
        (f"{LAYERS}\nA,5,5,3,3,1,1,\n", ":2: got 7 values, need 8, one a column"),
    ],
)
def test_a_bad_layer_is_named_by_line_and_column(tmp_path, text, message):
    with pytest.raises(ConfigError, match=rf"list\.csv{message}"):
        listed(tmp_path, text)


def test_what_a_row_asks_of_a_design_that_lacks_it(tmp_path):
    (row,) = listed(tmp_path, f"{HEADER}\n8,8,is,1,1,1\n")
    with pytest.raises(ConfigError, match=r"list\.csv:2: dataflow: got is, need one that sat-vcu1525 offers: os, ws"):
        row.on(SAT.model)
    (row,) = listed(tmp_path, f"{HEADER},sparsity\n8,8,os,1,1,1,3:7\n")
    with pytest.raises(ConfigError, match=r"list\.csv:2: sparsity: got 3:7, need one that sat-vcu1525 offers: 1:4"):
        row.on(SAT.model)


def test_a_list_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="got no such file, need a CSV list of products"):
        list(read_products(tmp_path / "none.csv"))
    with pytest.raises(ConfigError, match="got a folder, need a CSV list of products"):
        list(read_products(tmp_path))
    (tmp_path / "list.csv").write_bytes(b"rows\xff")
    with pytest.raises(ConfigError, match="got byte 4 that is not UTF-8"):
        list(read_products(tmp_path / "list.csv"))
