"""Names of files made of texts that come from anywhere."""

import pytest
from bisparse.configs.file_names import LONGEST, file_name, shortened


@pytest.mark.parametrize("text", ["0f3a9c", "bdwp-2-8-seed0", "base", "v1.2+local"])
def test_what_is_a_name_already_stays(text):
    assert file_name(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../PWN", "/etc/passwd", "a/b", "a\\b", "-rf", ".hidden", "a\nb", "a\0b", "\udc80", "1" * 300],
)
def test_no_text_leaves_its_folder(tmp_path, text):
    name = file_name(text)
    (tmp_path / name).write_text("")
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert len(name) <= LONGEST
    assert name[0] not in ".-"


def test_texts_that_differ_get_names_that_differ():
    texts = ["a/b", "a b", "a-b", "../a/b", "1" * 300, "1" * 301]
    assert len({file_name(text) for text in texts}) == len(texts)


def test_only_what_is_too_long_is_shortened():
    assert shortened("ünïcode 2:8") == "ünïcode 2:8"
    assert len(shortened("ü" * 100)) <= LONGEST
