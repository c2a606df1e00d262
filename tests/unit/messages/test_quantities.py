"""Kubernetes quantities are read exactly, and a wrong one is refused with a text that says how to write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.messages.quantities import format_cpu, format_memory, parse_cpu, parse_memory

GIBIBYTE = 1024**3


@pytest.mark.parametrize(
    ("text", "millicores"),
    [("500m", 500), ("2", 2000), ("1.5", 1500), ("7525m", 7525), (".5", 500), ("4.", 4000), ("1e1", 10_000)],
)
def test_cpus_are_read_in_millicores(text: str, millicores: int) -> None:
    assert parse_cpu(text) == millicores


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16Gi", 16 * GIBIBYTE),
        ("16G", 16_000_000_000),
        ("23028Mi", 23028 * 1024**2),
        ("1500Ki", 1500 * 1024),
        ("128974848", 128974848),
        ("2Ti", 2048 * GIBIBYTE),
        ("5K", 5000),
        ("1E", 10**18),
        ("1E3", 1000),
        (" 1Gi ", GIBIBYTE),
    ],
)
def test_memory_is_read_in_bytes(text: str, size: int) -> None:
    assert parse_memory(text) == size


def test_a_fraction_is_rounded_up_as_kubernetes_does() -> None:
    assert parse_memory("13.86Gi") == 14_882_061_681  # 14882061680.64 bytes
    assert parse_cpu("0.1m") == 1


@pytest.mark.parametrize("text", ["", "lots", "-1", "1 Gi", "1,5", "Gi", "0x10", "1.2.3", "٣"])
def test_what_is_not_a_quantity_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number with an optional suffix") as refusal:
        parse_memory(text)
    assert str(refusal.value) == (
        f"{text!r} is not an amount of memory: expected a number with an optional suffix,"
        ' like "16Gi", "512Mi" or "16G"'
    )


def test_an_unknown_suffix_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError) as refusal:
        parse_memory("16GB")
    assert str(refusal.value) == (
        "'16GB' is not an amount of memory: the suffix 'GB' is not one of"
        " n, u, m, k, K, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"
    )


def test_a_quantity_that_kubernetes_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="'1e99' is not a number of CPUs: it is larger than Kubernetes can hold"):
        parse_cpu("1e99")


def test_sizes_are_written_for_people() -> None:
    assert [format_cpu(each) for each in (500, 1000, 2000, 7525)] == ["0.5 CPUs", "1 CPU", "2 CPUs", "7.525 CPUs"]
    assert [format_memory(each) for each in (0, 512, 1024, 16 * GIBIBYTE, 24_146_608_128)] == [
        "0",
        "512",
        "1Ki",
        "16Gi",
        "22.49Gi",
    ]


@given(st.integers(min_value=0, max_value=2**53))
def test_whole_numbers_of_every_unit_come_back_exactly(number: int) -> None:
    assert parse_cpu(f"{number}m") == number
    assert parse_memory(str(number)) == number


@given(st.text(max_size=12))
def test_any_text_is_either_a_quantity_or_refused_by_name(text: str) -> None:
    refusal = ""
    try:
        size = parse_memory(text)
    except ValueError as error:
        size, refusal = 0, str(error)
    assert size >= 0
    assert not refusal or repr(text) in refusal
