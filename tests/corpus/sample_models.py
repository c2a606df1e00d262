"""Models whose methods have each shape that a method may have, written in each way that a class may be written."""

# ruff: noqa: E501 - a program on one line reads better

from __future__ import annotations

from pathlib import Path

_HEAD = """\
from typing import Any, Dict, Generator, Iterator, List, Literal, Optional, Tuple, Union
import numpy as np
from PIL import Image as Picture
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Audio, Concept, Frame, Image, NamedFields, Region, Text, Video
from clarifai.runners.utils.data_utils import Param
"""
# Parameters, result and what the method does: `name(parameters) -> result: statement`.
_PLAIN = [
    "predict(self, prompt: str, n: int = 1) -> str: return prompt * n",
    "generate(self, prompt: str, limit: int = 3) -> Iterator[str]: yield from prompt[:limit]",
    "stream(self, prompts: Iterator[str]) -> Iterator[str]: yield from prompts",
    "nothing_needed(self) -> str: return 'x'",
    "all_defaults(self, text: str = 'a', number: int = 2, ratio: float = 0.5, loud: bool = False) -> str: return text",
    "one_text(self, text: str) -> str: return text",
    "one_int(self, number: int) -> int: return number",
    "one_float(self, ratio: float) -> float: return ratio",
    "one_bool(self, loud: bool) -> bool: return loud",
    "one_bytes(self, raw: bytes) -> bytes: return raw",
    "negative_default(self, text: str, shift: int = -1) -> int: return shift",
    "empty_default(self, text: str, system: str = '') -> str: return text",
    "none_default(self, text: str, system: str = None) -> str: return text",
    "no_image(self, text: str, image: Image = None) -> str: return text",
    "many(self, first: str, second: str, third: int, fourth: float = 0.1, fifth: bool = True) -> str: return first",
    "url(self, url: str, name: str) -> str: return name",
    "with_choices(self, text: str, style: str = Param(default='plain', choices=['plain', 'fancy'])) -> str: return text",
    "with_range(self, text: str, top: int = Param(default=5, min_value=1, max_value=10)) -> str: return text",
    "with_ratio(self, text: str, heat: float = Param(default=0.5, min_value=0.0, max_value=2.0)) -> str: return text",
    "described(self, text: str = Param(default='', description='What to say')) -> str: return 'x'",
    "kept(self, text: str, *, loud: bool = False) -> str: return text",
]
_KINDS = [
    "one_dict(self, settings: dict) -> dict: return settings",
    "one_typed_dict(self, counts: Dict[str, int]) -> Dict[str, int]: return counts",
    "nested_dict(self, table: Dict[str, List[int]]) -> Dict[str, List[int]]: return table",
    "one_list(self, messages: list) -> list: return messages",
    "list_of_texts(self, texts: List[str]) -> List[str]: return texts",
    "list_of_ints(self, numbers: List[int]) -> List[int]: return numbers",
    "list_of_floats(self, vector: List[float]) -> List[float]: return vector",
    "small_list(self, texts: list[str]) -> list[str]: return texts",
    "small_dict(self, counts: dict[str, int]) -> dict[str, int]: return counts",
    "list_of_images(self, images: List[Image]) -> int: return len(images)",
    "list_of_concepts(self, concepts: List[Concept]) -> List[Concept]: return concepts",
    "list_of_regions(self, regions: List[Region]) -> List[Region]: return regions",
    "list_of_dicts(self, messages: List[dict]) -> str: return 'x'",
    "pair(self, pair: Tuple[str, int]) -> Tuple[str, int]: return pair",
    "small_pair(self, pair: tuple[int, float]) -> tuple[int, float]: return pair",
    "fields(self, who: NamedFields(name=str, age=int)) -> NamedFields(name=str, age=int): return who",
    "one_json_list(self, rows: List[Dict[str, str]]) -> int: return len(rows)",
    "vector(self, vector: np.ndarray) -> np.ndarray: return vector",
    "one_text_object(self, text: Text) -> Text: return text",
    "one_image(self, image: Image) -> Image: return image",
    "one_picture(self, picture: Picture.Image) -> Picture.Image: return picture",
    "one_audio(self, audio: Audio) -> Audio: return audio",
    "one_video(self, video: Video) -> Video: return video",
    "one_frame(self, frame: Frame) -> Frame: return frame",
    "one_region(self, region: Region) -> Region: return region",
    "one_concept(self, concept: Concept) -> Concept: return concept",
    "image_to_text(self, image: Image, prompt: str = 'What is it?') -> str: return prompt",
    "image_to_concepts(self, image: Image) -> List[Concept]: return [Concept('cat', value=0.5)]",
    "text_to_image(self, prompt: str, size: int = 8) -> Image: return Image(bytes=b'x')",
    "text_to_audio(self, prompt: str) -> Audio: return Audio(bytes=b'x')",
    "two_results(self, text: str) -> Tuple[str, int]: return text, 1",
    "named_results(self, text: str) -> NamedFields(label=str, score=float): return NamedFields(label=text, score=0.5)",
]  # fmt: skip
_STREAMS = [
    "numbers(self, until: int) -> Iterator[int]: yield from range(until)",
    "ratios(self, until: int, step: float = 0.5) -> Iterator[float]: yield from [step] * until",
    "images(self, prompt: str, n: int = 2) -> Iterator[Image]: yield from [Image(bytes=b'x')] * n",
    "generated(self, prompt: str) -> Generator[str, None, None]: yield prompt",
    "tables(self, n: int) -> Iterator[Dict[str, int]]: yield from [{'n': n}]",
    "pairs(self, n: int) -> Iterator[Tuple[str, int]]: yield from [('x', n)]",
    "named(self, n: int) -> Iterator[NamedFields(text=str, n=int)]: yield NamedFields(text='x', n=n)",
    "lists(self, n: int) -> Iterator[List[str]]: yield ['x'] * n",
    "captions(self, image: Image, words: int = 3) -> Iterator[str]: yield from ['x'] * words",
    "echo_numbers(self, numbers: Iterator[int]) -> Iterator[int]: yield from numbers",
    "echo_images(self, frames: Iterator[Image]) -> Iterator[Image]: yield from frames",
    "echo_scaled(self, numbers: Iterator[int], factor: int) -> Iterator[int]: yield from (factor * each for each in numbers)",
    "texts_of(self, audio: Iterator[bytes], language: str = 'en') -> Iterator[str]: yield from (language for _ in audio)",
]  # fmt: skip


def _methods(lines: list[str], decorator: str = "@ModelClass.method") -> str:
    return "\n".join(f"    {decorator}\n    def {each}" for each in lines) + "\n"


_TIMED = "@ModelClass.method\n    @timed"
SOURCES: dict[str, str] = {
    "plain": f"{_HEAD}class Plain(ModelClass):\n{_methods(_PLAIN)}",
    "kinds": f"{_HEAD}class Kinds(ModelClass):\n{_methods(_KINDS)}",
    "streams": f"{_HEAD}class Streams(ModelClass):\n{_methods(_STREAMS)}",
    "inherited": f"""{_HEAD}import os, sys
sys.path.append(os.path.dirname(__file__))
from base_of_inherited import Base
class Inherited(Base):
{_methods(["added(self, text: str) -> str: return text", "changed(self, text: str, loud: bool = False) -> str: return text"])}""",
    "aliased": f"""{_HEAD}Base = ModelClass
method = Base.method
Words = List[str]
class Aliased(Base):
{_methods(["predict(self, prompt: str) -> str: return prompt", "words(self, words: Words) -> Words: return words"], "@method")}""",
    "decorated": f"""{_HEAD}import functools
def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper
class Decorated(ModelClass):
{_methods(["predict(self, prompt: str, n: int = 1) -> str: return prompt"], _TIMED)}""",
    "loaded": f"""{_HEAD}LIMIT = 5
class Loaded(ModelClass):
    def load_model(self):
        self.prefix = '>'
    def _cut(self, text, limit=LIMIT):
        return text[:limit]
{_methods(["predict(self, prompt: str, limit: int = LIMIT) -> str: return self.prefix + self._cut(prompt)"])}""",
}  # fmt: skip
_BESIDE = {
    "inherited": {
        "base_of_inherited.py": f"""{_HEAD}class Base(ModelClass):
{_methods(["predict(self, prompt: str) -> str: return prompt", "changed(self, text: str) -> str: return text"])}"""
    }
}
USER, APP = "me", "corpus"


def url_of(name: str) -> str:
    """Return the address by which clients mean a sample model."""
    return f"https://clarifai.com/{USER}/{APP}/models/{name}"


def write_models(folder: Path) -> list[Path]:
    """Write a directory for each sample model, and return them."""
    directories: list[Path] = []
    for name, source in SOURCES.items():
        code = folder / name / "1"
        code.mkdir(parents=True)
        (code / "model.py").write_text(source)
        for file, text in _BESIDE.get(name, {}).items():
            (code / file).write_text(text)
        (folder / name / "requirements.txt").write_text("clarifai\n")
        config = f"model: {{id: {name}, user_id: {USER}, app_id: {APP}, model_type_id: any-to-any}}\n"
        (folder / name / "config.yaml").write_text(config)
        directories.append(folder / name)
    return directories
