"""Cuts pieces out of an image: around its regions (``image-crop``), or tile by tile (``image-tiling-operator``).

Pillow does the work, which comes with the SDK. One image at a time is open, in whichever thread: an image of a few
kilobytes may be one of hundreds of megabytes when it is opened.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from clarifai_grpc.grpc.api.resources_pb2 import BoundingBox, Data, RegionInfo
from clarifai_grpc.grpc.api.resources_pb2 import Image as ImageMessage
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.operators.operator import OperatorInput, not_downloaded, unsupported
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 64_000_000
_MOST_PIECES = 1_000
# Of all pieces of an image together.
_MOST_CUT = 4 * MOST_PIXELS
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Box:
    """Names a part of an image in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def pixels(self) -> int:
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)

    def bounding_box(self, width: int, height: int) -> BoundingBox:
        """Return the box in fractions of the image, as the platform says them."""
        return BoundingBox(
            left_col=self.left / width,
            top_row=self.top / height,
            right_col=self.right / width,
            bottom_row=self.bottom / height,
        )


def crop(settings: OperatorSettings, item: OperatorInput) -> Data:
    """Return each region with the part of the image that lies in it. ``margin`` enlarges a region about its middle:
    1.1 makes it a tenth wider and higher. The image is looked for in the nodes before, too."""
    margin = settings.number("margin", 1.0, least=0.01, most=100)
    if not item.data.regions:
        if item.data.ListFields() and not item.data.HasField("image"):
            raise unsupported(item, "regions, and an image here or in a node before")
        return Data()
    made = Data()
    with _opened(_image(item), item) as image:
        boxes = [_enlarged(each.region_info.bounding_box, margin, *image.size) for each in item.data.regions]
        _require_few(item, boxes)
        for region, box in zip(item.data.regions, boxes, strict=True):
            if not box.pixels:
                continue  # it lies outside of the image
            new = made.regions.add(id=region.id, value=region.value, track_id=region.track_id)
            new.region_info.CopyFrom(region.region_info)
            new.data.image.base64 = _cut(image, box)
    return made


def tile(settings: OperatorSettings, item: OperatorInput) -> Data:
    """Return the image in tiles of ``tile_size`` pixels, the last of a row or column smaller. They overlap by
    ``max_object_size``: whatever is smaller lies whole in one of them."""
    size = int(settings.number("tile_size", None, least=16, most=65_536))
    overlap = int(settings.number("max_object_size", 0, least=0, most=size - 1))
    if not item.data.HasField("image"):
        raise unsupported(item, "an image")
    made = Data()
    with _opened(item.data.image, item) as image:
        width, height = image.size
        boxes = list(_tiles(width, height, size, overlap))
        _require_few(item, boxes)
        for box in boxes:
            new = made.regions.add(region_info=RegionInfo(bounding_box=box.bounding_box(width, height)))
            new.id, new.data.image.base64 = f"{box.left}-{box.top}", _cut(image, box)
    return made


def _image(item: OperatorInput) -> ImageMessage:
    for data in chain((item.data,), item.before()):
        if data.HasField("image"):
            return data.image
    raise unsupported(item, "regions, and an image here or in a node before")


@contextmanager
def _opened(message: ImageMessage, item: OperatorInput) -> Generator[Image]:
    """Open an image. Raises ``CallerError`` for one that is none, is too large, or is only an address."""
    if not message.base64:
        raise not_downloaded(item, "image")
    try:
        from PIL import Image
    except ImportError:
        raise CallerError(
            StatusCode.NOT_IMPLEMENTED,
            "This operator cuts images, which takes Pillow, and that is not installed beside the emulator.",
            hint="pip install pillow",
        ) from None
    with _ONE_AT_A_TIME:
        try:
            with Image.open(io.BytesIO(message.base64), formats=_FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise _too_large(item, f"has {image.width} × {image.height} pixels, more than {MOST_PIXELS}")
                image.load()
                yield image
        except Image.DecompressionBombError as error:
            raise _too_large(item, f"is too large: {error}") from None
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise CallerError(
                StatusCode.ALL_INPUT_INVALID_BYTES,
                f"The image of input {item.number} cannot be read: {error}.",
                hint=f"Send one of {', '.join(_FORMATS)}.",
            ) from None


def _too_large(item: OperatorInput, problem: str) -> CallerError:
    return CallerError(
        StatusCode.INPUT_OVER_LIMIT, f"The image of input {item.number} {problem}.", hint="Send a smaller image."
    )


def _require_few(item: OperatorInput, boxes: Sequence[_Box]) -> None:
    """Refuse to make so many pieces, or so large ones, that the answer is of no use to anybody."""
    if len(boxes) > _MOST_PIECES or sum(each.pixels for each in boxes) > _MOST_CUT:
        raise _too_large(
            item,
            f"would be cut into {len(boxes)} pieces; the most are {_MOST_PIECES} pieces, with {_MOST_CUT} pixels "
            "in all",
        )


def _enlarged(box: BoundingBox, margin: float, width: int, height: int) -> _Box:
    left, top, right, bottom = map(_within, (box.left_col, box.top_row, box.right_col, box.bottom_row))
    wider, higher = (right - left) * (margin - 1) / 2, (bottom - top) * (margin - 1) / 2
    return _Box(
        max(round((left - wider) * width), 0),
        max(round((top - higher) * height), 0),
        max(min(round((right + wider) * width), width), 0),
        max(min(round((bottom + higher) * height), height), 0),
    )


def _within(edge: float) -> float:
    """Return an edge of a region, which is no number, or far outside, only where a model errs."""
    return 0.0 if math.isnan(edge) else min(max(edge, -1.0), 2.0)


def _tiles(width: int, height: int, size: int, overlap: int) -> Iterator[_Box]:
    step = size - overlap
    for top in _starts(height, size, step):
        for left in _starts(width, size, step):
            yield _Box(left, top, min(left + size, width), min(top + size, height))


def _starts(length: int, size: int, step: int) -> range:
    return range(0, max(length - size + step, 1), step)


def _cut(image: Image, box: _Box) -> bytes:
    """Return a part of an image, in its own format where that is JPEG, as PNG else."""
    piece = image.crop((box.left, box.top, box.right, box.bottom))
    written = io.BytesIO()
    if image.format == "JPEG":
        piece.save(written, "JPEG", quality=95)
    else:
        plain = piece if piece.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else piece.convert("RGB")
        plain.save(written, "PNG", compress_level=1)
    return written.getvalue()
