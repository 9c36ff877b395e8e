"""Where two outcomes differ, leaf by leaf, with the name of each operator instead of its place in the list."""


def differences(frozen, found, path=""):
    """Yield ``(path, frozen value, found value)`` of every leaf that differs; floats differ when a bit does."""
    if isinstance(frozen, dict) and isinstance(found, dict):
        for name in dict.fromkeys((*frozen, *found)):
            inner = f"{path}.{name}" if path else name
            if name not in found:
                yield inner, frozen[name], "nothing"
            elif name not in frozen:
                yield inner, "nothing", found[name]
            else:
                yield from differences(frozen[name], found[name], inner)
    elif isinstance(frozen, list) and isinstance(found, list):
        if len(frozen) != len(found):
            yield f"{path}.length", len(frozen), len(found)
        for number, (one, other) in enumerate(zip(frozen, found, strict=False)):
            yield from differences(one, other, f"{path}[{_name(one, number)}]")
    elif repr(frozen) != repr(found):
        yield path, frozen, found


def _name(item, number):
    """What a row calls itself."""
    if isinstance(item, dict):
        for name in ("name", "parameter"):
            if item.get(name):
                return item[name]
    return number


def lines(key, frozen, found):
    """The differences of one case as lines to print."""
    return [
        f"{key}: {path}: frozen {_short(old)}, found {_short(new)}" for path, old, new in differences(frozen, found)
    ]


def _short(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
