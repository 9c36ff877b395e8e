import pytest
from bisparse.configs.near import nearest

NAMES = ["bert-base", "gpt2-small", "resnet18-tinyimagenet", "resnet50-imagenet", "resnet9-cifar10", "vit-cifar10"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("resnet18", "resnet18-tinyimagenet"),
        ("ResNet-50", "resnet50-imagenet"),
        ("tinyimagenet", "resnet18-tinyimagenet"),
        ("cifar10", "vit-cifar10"),
        ("resnet9-cifar100", "resnet9-cifar10"),
        ("brt-base", "bert-base"),
        ("nothing like it", None),
        ("", None),
    ],
)
def test_a_name_that_begins_with_the_word_comes_before_one_that_is_like_it(word, meant):
    assert nearest(word, NAMES) == meant
