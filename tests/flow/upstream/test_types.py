"""The scenarios of the SDK's `runners/test_model_signatures.py`: every type goes to a model and comes back.

Upstream the client calls the model in its own process; here the calls go through the emulator, to a genuine runner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clarifai.runners.utils.data_types import Audio, Concept, Frame, Image, Region, Text, Video
from PIL import Image as PillowImage

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, running, sdk_model, write_model

CODE = '''
from typing import Iterator, List

import numpy as np
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Audio, Concept, Frame, Image, NamedFields, Region, Video


class Forms(ModelClass):
    @ModelClass.method
    def predict(self, a: str, n: int = 10) -> str:
        """Repeat a text."""
        return a * n

    @ModelClass.method
    def other(self, a: str = "one", b: str = "two") -> str:
        return a + b

    @ModelClass.method
    def length(self, a: np.ndarray = np.ones(3)) -> int:
        return int(a.sum())

    @ModelClass.method
    def double(self, a: np.ndarray, n: int) -> NamedFields(total=np.ndarray, mean=float):
        return NamedFields(total=a * n, mean=float(a.mean()))

    @ModelClass.method
    def describes(self, picture: Image) -> str:
        return str(picture.to_pil().size)

    @ModelClass.method
    def draws(self, text: str) -> Image:
        return Image.from_pil(__import__("PIL.Image").Image.new("RGB", (len(text), 1)))

    @ModelClass.method
    def concepts(self, picture: Image) -> List[Concept]:
        return [Concept("first", 0.9), Concept("second", 0.1)]

    @ModelClass.method
    def turned(self, text: str, pictures: List[Image]) -> NamedFields(text=str, pictures=List[Image]):
        return NamedFields(text=text, pictures=pictures[::-1])

    @ModelClass.method
    def fails(self, a: int) -> int:
        raise ValueError(f"not {a}")

    @ModelClass.method
    def breaks_off(self, n: int) -> Iterator[int]:
        yield n
        raise ValueError("in the middle")

    @ModelClass.method
    def counts(self, n: int) -> Iterator[int]:
        yield from range(n)

    @ModelClass.method
    def pairs(self, n: int) -> Iterator[NamedFields(number=int, name=str)]:
        for each in range(n):
            yield NamedFields(number=each, name=str(each))

    @ModelClass.method
    def wrong(self) -> int:
        return "no number"

    @ModelClass.method
    def adds(self, texts: Iterator[str], n: int = 1) -> Iterator[str]:
        for each in texts:
            yield each * n

    @ModelClass.method
    def joins(self, pairs: Iterator[NamedFields(a=str, b=str)]) -> Iterator[str]:
        for each in pairs:
            yield each.a + each.b

    @ModelClass.method
    def names(self, given: NamedFields(names=List[str])) -> NamedFields(names=List[str]):
        return given

    @ModelClass.method
    def rows(self, rows: List[NamedFields(picture=Image, name=str, n=int)]) -> int:
        return sum(each.n for each in rows)

    @ModelClass.method
    def wrong_pieces(self) -> Iterator[int]:
        yield "no number"

    @ModelClass.method
    def numbered(self, rows: Iterator[NamedFields(a=str, n=int)], a: str) -> Iterator[str]:
        for each in rows:
            yield f"{each.a}{each.n}{a}"

    @ModelClass.method
    def sounds(self, given: List[Audio]) -> List[Audio]:
        return given

    @ModelClass.method
    def films(self, given: List[Video]) -> List[Video]:
        return given

    @ModelClass.method
    def regions(self, given: List[Region]) -> List[Region]:
        return given

    @ModelClass.method
    def frames(self, given: List[Frame]) -> List[Frame]:
        return given

    @ModelClass.method
    def nested(self, given: dict) -> dict:
        return given

    @ModelClass.method
    def strings(self, given: List[str], n: str) -> List[str]:
        return [each + n for each in given]
'''
WRONG = """
from typing import Tuple
import PIL
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import NamedFields

class Wrong(ModelClass):
    @ModelClass.method
    def predict(self, a: {given}) -> {answered}:
        return a
"""
IN_APP = {"user_id": "me", "app_id": "demo"}
PICTURE = PillowImage.new("RGB", (3, 2), (1, 2, 3))


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with running(hold_seconds=20) as emulator:
        emulator.deploy(MODELS / "types")
        emulator.deploy(write_model(tmp_path_factory.mktemp("forms"), "forms", CODE))
        yield emulator


@pytest.fixture
def types(serving: EmulatorThread) -> Any:
    return sdk_model("types", base_url=serving.url, pat="any")


@pytest.fixture
def forms(serving: EmulatorThread) -> Any:
    return sdk_model("forms", base_url=serving.url, pat="any")


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("predict", "text"), ("predict", ""), ("echo_bytes", b"\x00\xff"), ("echo_int", -3), ("echo_int", 0),
        ("echo_float", 1.5), ("echo_bool", True), ("echo_bool", False), ("echo_dict", {"a": [1, {"b": None}]}),
        ("echo_dict_of_str", {"a": "b"}), ("echo_list", [1, "two", [3]]), ("echo_strings", ["a", "b"]),
        ("echo_strings", []), ("echo_ints", [1, 2]), ("echo_tuple", ("a", 1)),
    ],
)  # fmt: skip
def test_a_plain_value_comes_back_as_it_was(types: Any, method: str, value: Any) -> None:
    answered = getattr(types, method)(value=value)
    assert (answered, type(answered)) == (value, type(value))


def test_an_array_comes_back_with_its_shape_and_type(types: Any) -> None:
    for array in (np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 2], dtype=np.uint8)):
        answered = types.echo_ndarray(value=array)
        assert answered.dtype == array.dtype
        assert np.array_equal(answered, array)


def test_pictures_sounds_films_and_texts_come_back(types: Any, forms: Any) -> None:
    picture = Image.from_pil(PICTURE)
    assert types.echo_image(value=picture).to_pil().tobytes() == PICTURE.tobytes()
    assert types.echo_pil_image(value=PICTURE).to_pil().tobytes() == PICTURE.tobytes()
    assert types.echo_audio(value=Audio(bytes=b"sound")).bytes == b"sound"
    assert types.echo_video(value=Video(bytes=b"film")).bytes == b"film"
    assert [each.bytes for each in forms.sounds(given=[Audio(bytes=b"a"), Audio(bytes=b"b")])] == [b"a", b"b"]
    assert [each.bytes for each in forms.films(given=[Video(bytes=b"a"), Video(bytes=b"b")])] == [b"a", b"b"]
    assert types.echo_text(value=Text("said")).text == "said"
    frame = types.echo_frame(value=Frame(time=1.5, image=picture))
    assert (frame.time, frame.image.to_pil().size) == (1.5, (3, 2))


def test_concepts_and_regions_come_back(types: Any, forms: Any) -> None:
    concept = types.echo_concept(value=Concept("cat", 0.5))
    assert (concept.name, concept.value) == ("cat", 0.5)
    assert [each.name for each in types.echo_concepts(value=[Concept("cat"), Concept("dog")])] == ["cat", "dog"]
    point = types.echo_region(value=Region(point=(0.1, 0.2, 0.3), mask=Image.from_pil(PICTURE)))
    assert (point.point, point.mask.to_pil().size) == (pytest.approx([0.1, 0.2, 0.3]), (3, 2))
    region = Region(box=[0.1, 0.2, 0.3, 0.4], concepts=[Concept("cat", 0.5)], mask=Image.from_pil(PICTURE))
    answered = types.echo_region(value=region)
    assert answered.box == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert answered.concepts[0].name == "cat"
    assert answered.mask.to_pil().size == (3, 2)
    assert [each.box for each in forms.regions(given=[region, region])] == [answered.box, answered.box]
    assert [each.time for each in forms.frames(given=[Frame(time=1.0), Frame(time=2.0)])] == [1.0, 2.0]


def test_several_arguments_and_several_results(forms: Any) -> None:
    assert forms.predict(a="ab", n=0) == ""
    assert forms.predict(a="ab", n=2) == forms.predict("ab", 2) == "abab"
    found = forms.double(a=np.array([1.0, 3.0]), n=2)
    assert (found.total.tolist(), found.mean) == ([2.0, 6.0], 2.0)
    turned = forms.turned(text="t", pictures=[Image.from_pil(PICTURE), Image.from_pil(PICTURE.resize((5, 5)))])
    assert (turned.text, [each.to_pil().size for each in turned.pictures]) == ("t", [(5, 5), (3, 2)])
    assert forms.strings(given=["a", "b"], n="!") == ["a!", "b!"]
    assert forms.nested(given={"a": {"b": [1, "c"]}}) == {"a": {"b": [1, "c"]}}


def test_a_picture_becomes_text_and_text_a_picture(forms: Any) -> None:
    assert forms.describes(picture=Image.from_pil(PICTURE)) == "(3, 2)"
    assert forms.draws(text="four").to_pil().size == (4, 1)
    assert [(each.name, each.value) for each in forms.concepts(picture=Image.from_pil(PICTURE))] == [
        ("first", pytest.approx(0.9)), ("second", pytest.approx(0.1))
    ]  # fmt: skip


def test_defaults_are_filled_in(forms: Any) -> None:
    assert forms.predict(a="a") == "a" * 10
    assert forms.other() == "onetwo"
    assert forms.other(b="three") == "onethree"
    assert forms.length() == 3


def test_streams_of_answers_and_of_arguments(forms: Any) -> None:
    assert list(forms.counts(n=3)) == [0, 1, 2]
    assert [(each.number, each.name) for each in forms.pairs(n=2)] == [(0, "0"), (1, "1")]
    assert list(forms.adds(texts=iter(["a", "b"]), n=2)) == ["aa", "bb"]
    rows = iter([{"a": "a", "n": 1}, {"a": "b", "n": 2}])
    assert list(forms.numbered(rows=rows, a="z")) == ["a1z", "b2z"]  # one name, in the stream and beside it
    assert list(forms.joins(pairs=iter([{"a": "a", "b": "b"}, {"a": "c", "b": "d"}]))) == ["ab", "cd"]


def test_what_the_code_does_wrong_reaches_the_caller(forms: Any) -> None:
    with pytest.raises(Exception, match="not 3"):
        forms.fails(a=3)
    answers = forms.breaks_off(n=7)
    with pytest.raises(Exception, match="in the middle"):
        list(answers)
    with pytest.raises(Exception, match="int"):
        forms.wrong()
    with pytest.raises(Exception, match="int"):
        list(forms.wrong_pieces())


def test_what_is_called_wrong_is_refused(forms: Any) -> None:
    with pytest.raises(AttributeError, match="gone"):
        forms.gone(a="x")
    with pytest.raises(TypeError):
        forms.predict(b="x")
    with pytest.raises(TypeError):
        forms.predict(range(5))


def test_the_docstring_of_a_method_comes_with_its_signature(serving: EmulatorThread, forms: Any) -> None:
    with closing(Client(serving.url)) as client:
        (version,) = client.call("ListModelVersions", user_app_id=IN_APP, model_id="forms").model_versions
    described = {each.name: each.description for each in version.method_signatures}
    assert described["predict"] == "Repeat a text."
    assert forms.names(given={"names": ["a"]}).names == ["a"]
    row = {"picture": Image.from_pil(PICTURE), "name": "n", "n": 2}
    assert forms.rows(rows=[row, row]) == 4


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("str", "Tuple"), ("NamedFields", "str"), ("PIL.Image", "PIL.Image.Image"),
        ("PIL.Image.Image", "PIL.Image"), ("PIL.Image", "PIL.Image"),
    ],
)  # fmt: skip
def test_a_signature_of_no_type_is_refused_when_it_is_deployed(
    serving: EmulatorThread, tmp_path: Path, given: str, answered: str
) -> None:
    directory = write_model(tmp_path, "wrong", WRONG.format(given=given, answered=answered))
    with pytest.raises(Exception, match=re.compile("predict|type", re.IGNORECASE)):
        serving.deploy(directory)
