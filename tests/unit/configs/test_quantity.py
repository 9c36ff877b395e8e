import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.quantity import (
    BYTE_UNITS,
    parse_bytes,
    parse_bytes_per_second,
    parse_hertz,
    parse_seconds,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_bytes, "512 KiB", 524_288),
        (parse_bytes, "2MiB", 2_097_152),
        (parse_bytes, "2 kB", 2_000),
        (parse_bytes, "1.5 GB", 1_500_000_000),
        (parse_bytes, " 64 B ", 64),
        (parse_bytes, "64", 64),
        (parse_bytes, 0, 0),
        (parse_bytes, 1e6, 1_000_000),
        (parse_hertz, "200 MHz", 200e6),
        (parse_hertz, "1.2 GHz", 1.2e9),
        (parse_hertz, 2e8, 2e8),
        (parse_bytes_per_second, "19.2 GB/s", 19.2e9),
        (parse_bytes_per_second, "1 GiB/s", 2.0**30),
        (parse_seconds, "100 ns", 100e-9),
        (parse_seconds, "0.1 us", 100e-9),
        (parse_seconds, 1e-7, 1e-7),
    ],
)
def test_units_are_exact(parse, text, value):
    assert parse(text) == value
    assert type(parse(text)) is type(value)


ACCEPTED_BYTES = "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        *(
            (
                parse_bytes,
                text,
                f"got {text!r}, need bytes: a number, alone or with one of {ACCEPTED_BYTES}; try 512 KiB",
            )
            for text in ["2 KB", "2 Mib", "2 mb", "two", "", "1 000 B", "2 MiB/s", "1e999 B", True, None, [1]]
        ),
        (parse_bytes, -1, "got -1, need bytes that are not negative; try 512 KiB"),
        (parse_bytes, "-2 MiB", "got '-2 MiB', need bytes that are not negative; try 512 KiB"),
        (parse_bytes, "0.5 B", "got '0.5 B', need a whole number of bytes; try 1"),
        (parse_bytes, 1e40, "got 1e+40, need bytes below 1e+30; try 512 KiB"),
        (
            parse_hertz,
            "200 mhz",
            "got '200 mhz', need hertz: a number, alone or with one of Hz, kHz, MHz, GHz; try 200 MHz",
        ),
        (
            parse_seconds,
            "3 min",
            "got '3 min', need seconds: a number, alone or with one of s, ms, us, ns, ps; try 100 ns",
        ),
        (
            parse_bytes_per_second,
            "19.2 Gb/s",
            "got '19.2 Gb/s', need bytes per second: a number, alone or with one of "
            "B/s, kB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s, GiB/s, TiB/s; try 19.2 GB/s",
        ),
    ],
)
def test_refusals_list_the_accepted_units(parse, text, message):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value) == message


@given(number=st.integers(0, 10**9), unit=st.sampled_from(sorted(BYTE_UNITS)))
def test_whole_sizes_are_exact_in_every_unit(number, unit):
    assert parse_bytes(f"{number} {unit}") == number * BYTE_UNITS[unit]
