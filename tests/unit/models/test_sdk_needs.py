"""An SDK needs packages that it does not name, by the versions that requirements allow; some cannot run a model."""

from __future__ import annotations

import pytest

from clarifai_emulator.errors import ModelError
from clarifai_emulator.inside.sdk_versions_main import DIFFERENCES, REPLACED, came_with, has, numbers
from clarifai_emulator.models.requirements import Line
from clarifai_emulator.models.sdk_needs import SdkNeeds, require_runnable, sdk_is, sdk_needs

BOTH, PROTOBUF, NOTHING = ("requests", "protobuf<7"), ("protobuf<7",), ()


def needs(*lines: str, own: str = "12.5.0") -> SdkNeeds:
    return sdk_needs([Line(each) for each in lines], f"clarifai=={own}")


@pytest.mark.parametrize(
    ("lines", "pins"),
    [
        (["clarifai==10.11.1"], BOTH),
        (["Clarifai == 10.11.1  "], BOTH),
        (["clarifai==11.1.0"], PROTOBUF),
        (["clarifai==12.1.7"], PROTOBUF),
        (["clarifai==12.2.0"], NOTHING),
        (["clarifai"], NOTHING),
        ([], NOTHING),
        (["clarifai<12"], PROTOBUF),
        (["clarifai~=11.5"], PROTOBUF),
        (["clarifai==11.*"], PROTOBUF),
        (["clarifai>=11,<12.3"], NOTHING),
        (["clarifai<=11.0.7"], BOTH),
        (["clarifai", "clarifai<12"], PROTOBUF),
        (["clarifai[all]==11.5.6"], PROTOBUF),
        (["clarifai==11.5.6; python_version < '3'"], NOTHING),
        (["git+https://example.com/Clarifai/clarifai-python@11.5.6"], PROTOBUF),
        (["git+https://example.com/Clarifai/clarifai-python"], NOTHING),
        (["https://example.com/clarifai-11.5.6-py3-none-any.whl"], PROTOBUF),
        (["clarifai-grpc==11.5.6"], NOTHING),
        (["clarifai==10.11.1", "requests>=2"], PROTOBUF),
        (["clarifai==11.5.6", "protobuf<6"], NOTHING),
        (["clarifai==11.5.6", "protobuf==6.31.1"], NOTHING),
        (["clarifai==11.5.6", "protobuf>=5"], PROTOBUF),
        (["an odd line"], NOTHING),
    ],
)
def test_what_the_sdk_does_not_name_is_added_unless_the_requirements_do(
    lines: list[str], pins: tuple[str, ...]
) -> None:
    assert needs(*lines).pins == pins


def test_a_constraint_on_the_sdk_counts() -> None:
    lines = [Line("clarifai"), Line("clarifai<12", constraint=True)]
    assert sdk_needs(lines, "clarifai").pins == PROTOBUF


def test_without_a_line_for_it_the_sdk_is_the_emulators_own() -> None:
    assert needs("numpy", own="11.5.6").pins == PROTOBUF
    assert needs("numpy", own="11.5.6").lines == ("clarifai==11.5.6",)


def test_packages_of_today_are_for_sdks_that_fit_them() -> None:
    assert needs("clarifai==12.1.7").is_of_another_time
    assert not needs("clarifai==12.2.0").is_of_another_time
    assert not needs("clarifai").is_of_another_time


def test_a_runner_that_a_python_cannot_import_is_kept_out_or_where_the_sdk_asks_for_it_replaced() -> None:
    (of_3_12, of_3_13_0) = [each.instead for each in REPLACED]
    assert (needs("clarifai").limits, needs("clarifai").replaced) == ((of_3_13_0,), ())
    assert (needs("clarifai==12.5.0").limits, needs("clarifai==12.5.0").replaced) == ((), (of_3_13_0,))
    assert needs("clarifai==10.11.1").replaced == (of_3_12,)
    assert needs("clarifai==11.0.7").replaced == ()


def test_an_sdk_of_before_there_was_a_runner_is_refused() -> None:
    require_runnable(needs("clarifai==10.8.9"))
    require_runnable(needs("clarifai"))
    with pytest.raises(ModelError) as refused:
        require_runnable(needs("clarifai>=9,<10"))
    assert refused.value.summary == (
        "clarifai>=9,<10 in requirements.txt is too old to run a model: the oldest that does is clarifai 10.8.9."
    )


def test_the_sdk_that_is_here_is_one_that_the_requirements_allow_or_not() -> None:
    assert sdk_is("12.5.0", [Line("numpy")])
    assert sdk_is("12.5.0", [Line("clarifai>=12")])
    assert not sdk_is("12.5.0", [Line("clarifai==12.1.7")])
    assert not sdk_is("", [Line("clarifai")])


def test_the_table_is_in_order_and_its_keys_are_its_own() -> None:
    assert len({each.key for each in DIFFERENCES}) == len(DIFFERENCES)
    assert [each.since for each in DIFFERENCES] == sorted((each.since for each in DIFFERENCES), key=numbers)
    assert has("methods", "11.3.0")
    assert not has("methods", "11.2.3")
    assert came_with("clarifai.runners.models.openai_class") == "11.4.5"
    assert came_with("clarifai.runners.models.nothing") is None
