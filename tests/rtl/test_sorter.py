"""The sorter in SystemVerilog keeps what the sorter's model and the masks of training keep, in as many cycles."""

import numpy as np
import pytest
from bisparse.configs.pattern import Pattern
from bisparse.sim.witness.machines.sorter import reduce_stream
from bisparse.sim.witness.rtl import icarus
from bisparse.sim.witness.rtl.sorter import Stream, sort

pytestmark = pytest.mark.skipif(not icarus.found(), reason="no iverilog on this machine; see tests/rtl/test_array.py")

PATTERNS = ((1, 1), (1, 2), (2, 4), (4, 4), (1, 8), (2, 8), (3, 7), (5, 16))


def streams():
    """Of each pattern: many ties, zeros of both signs, and short last groups; random numbers of two formats."""
    draw = np.random.default_rng(0)
    for place, (kept, group) in enumerate(PATTERNS):
        few = draw.integers(-2, 2, (12, 3 * group + place % group), endpoint=True).astype(np.float16)
        few[few == 0] *= draw.choice([-1.0, 1.0], np.count_nonzero(few == 0))
        yield Stream(values=few, pattern=Pattern(kept, group), lanes=1 + place % 3)
        many = draw.standard_normal((5, 4 * group + 1)).astype(np.float32)
        yield Stream(values=many, pattern=Pattern(kept, group), lanes=1)


@pytest.fixture(scope="module")
def played():
    given = list(streams())
    return list(zip(given, sort(given), strict=True))


def test_values_indices_and_cycles_are_the_models(played):
    for stream, found in played:
        model = reduce_stream(stream.values, stream.pattern, lanes=stream.lanes)
        assert found.indices.tolist() == model.indices.tolist(), stream
        assert found.values.tobytes() == model.values.tobytes(), stream
        assert found.cycles == model.cycles, stream


def test_what_is_kept_is_the_mask_of_training(played):
    torch = pytest.importorskip("torch")
    from bisparse.training.recipes.in_torch.top_n import top_n_mask

    for stream, found in played:
        wanted = top_n_mask(torch.tensor(stream.values).abs(), stream.pattern, 1).numpy()
        vectors, length = stream.values.shape
        groups = stream.pattern.groups_of(length)
        group = np.repeat(np.arange(groups), stream.pattern.kept)[: found.indices.shape[1]]
        mask = np.zeros((vectors, length), dtype=bool)
        np.put_along_axis(mask, group * stream.pattern.group + found.indices, True, axis=1)
        assert (mask == wanted).all(), stream


def test_a_tie_that_went_to_the_later_one_would_be_found_out(monkeypatch):
    texts = icarus.design()
    wrong = texts["sorter.sv"].replace("+:WIDTH-1] >= element", "+:WIDTH-1] > element")
    assert wrong != texts["sorter.sv"]
    monkeypatch.setattr(icarus, "design", lambda: {**texts, "sorter.sv": wrong})
    stream = Stream(values=np.ones((1, 4), dtype=np.float16), pattern=Pattern(2, 4), lanes=1)
    assert sort([stream])[0].indices.tolist() == [[2, 3]]
