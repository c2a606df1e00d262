"""Images are cut around their regions and into tiles, within bounds."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import BoundingBox, Data, Region
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unit.workflows.operators.asked_operator import answers, info_of, refusal


def picture(width: int, height: int, form: str = "PNG", mode: str = "RGB") -> bytes:
    written = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert(mode).save(written, form)
    return written.getvalue()


def region(left: float, top: float, right: float, bottom: float, name: str = "r") -> Region:
    box = BoundingBox(left_col=left, top_row=top, right_col=right, bottom_row=bottom)
    return Region(id=name, region_info={"bounding_box": box})


def sizes(found: Data) -> list[tuple[int, int]]:
    return [Image.open(io.BytesIO(each.data.image.base64)).size for each in found.regions]


def test_each_region_has_its_part_of_the_image() -> None:
    image = picture(100, 50)
    given = Data(image={"base64": image}, regions=[region(0.1, 0.2, 0.5, 0.6, "a"), region(0, 0, 1, 1, "b")])
    [found] = answers("image-crop", info_of({}), given)
    assert [each.id for each in found.regions] == ["a", "b"]
    assert sizes(found) == [(40, 20), (100, 50)]
    whole = Image.open(io.BytesIO(image))
    assert (
        Image.open(io.BytesIO(found.regions[0].data.image.base64)).tobytes()
        == whole.crop((10, 10, 50, 30)).tobytes()
    )


def test_a_margin_enlarges_a_region_about_its_middle_and_stays_in_the_image() -> None:
    given = Data(image={"base64": picture(100, 100)}, regions=[region(0.4, 0.4, 0.6, 0.6), region(0, 0, 0.5, 0.5)])
    [found] = answers("image-crop", info_of({"margin": 1.5}), given)
    assert sizes(found) == [(30, 30), (62, 62)]


def test_the_image_is_looked_for_in_the_nodes_before_nearest_first() -> None:
    near, far = Data(image={"base64": picture(10, 10)}), Data(image={"base64": picture(99, 99)})
    given = Data(regions=[region(0, 0, 1, 1)])
    [found] = answers("image-crop", info_of({}), given, before=(Data(), near, far))
    assert sizes(found) == [(10, 10)]


def test_an_image_without_regions_has_no_pieces() -> None:
    assert answers("image-crop", info_of({}), Data(image={"base64": picture(9, 9)})) == [Data()]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK"])
def test_pieces_have_the_form_of_the_image_where_that_is_jpeg_and_are_png_else(mode: str) -> None:
    forms = ["TIFF"] if mode == "CMYK" else ["PNG"]
    forms += ["JPEG"] if mode in ("L", "RGB", "CMYK") else []
    for form in forms:
        given = Data(image={"base64": picture(8, 8, form, mode)}, regions=[region(0, 0, 0.5, 0.5)])
        [found] = answers("image-crop", info_of({}), given)
        assert Image.open(io.BytesIO(found.regions[0].data.image.base64)).format == (
            "JPEG" if form == "JPEG" else "PNG"
        )


EDGE = st.floats(width=32) | st.floats(-0.5, 1.5, width=32)


@settings(max_examples=50)
@given(EDGE, EDGE, EDGE, EDGE, st.floats(0.01, 100))
def test_whatever_a_region_says_its_piece_lies_in_the_image(
    left: float, top: float, right: float, bottom: float, margin: float
) -> None:
    given = Data(image={"base64": picture(20, 30)}, regions=[region(left, top, right, bottom)])
    [found] = answers("image-crop", info_of({"margin": margin}), given)
    assert all(width <= 20 and height <= 30 for width, height in sizes(found))


@settings(max_examples=30)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(16, 64), st.integers(0, 10))
def test_whatever_is_small_enough_lies_whole_in_a_tile(
    width: int, height: int, size: int, object_size: int
) -> None:
    info = info_of({"tile_size": size, "max_object_size": object_size})
    [found] = answers("image-tiling-operator", info, Data(image={"base64": picture(width, height)}))
    boxes = [
        tuple(
            round(edge)
            for edge in (box.left_col * width, box.top_row * height, box.right_col * width, box.bottom_row * height)
        )
        for each in found.regions
        for box in (each.region_info.bounding_box,)
    ]
    assert sizes(found) == [(right - left, bottom - top) for left, top, right, bottom in boxes]
    for x, y in [(0, 0), (max(width - object_size, 0), max(height - object_size, 0)), (width // 2, height // 2)]:
        right, bottom = min(x + object_size, width), min(y + object_size, height)
        assert any(box[0] <= x and box[1] <= y and right <= box[2] and bottom <= box[3] for box in boxes)


def bomb(width: int, height: int) -> bytes:
    """Return a PNG that is hardly more than its header, which promises a large image."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header) - 4) + header + struct.pack(">I", zlib.crc32(header))
    data = b"IDAT" + zlib.compress(b"")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    )


@pytest.mark.parametrize(
    ("image", "code", "says"),
    [
        (b"no image", StatusCode.ALL_INPUT_INVALID_BYTES, "cannot be read: cannot identify image file"),
        (picture(50, 50)[:60], StatusCode.ALL_INPUT_INVALID_BYTES, "cannot be read: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", StatusCode.ALL_INPUT_INVALID_BYTES, "cannot be read: cannot identify"),
        (bomb(10_000, 8_000), StatusCode.INPUT_OVER_LIMIT, "has 10000 × 8000 pixels, more than 64000000"),
        (bomb(50_000, 50_000), StatusCode.INPUT_OVER_LIMIT, "2500000000 pixels"),
    ],
)
def test_what_is_no_image_or_far_too_large_is_refused(image: bytes, code: int, says: str) -> None:
    refused = refusal("image-crop", info_of({}), Data(image={"base64": image}, regions=[region(0, 0, 1, 1)]))
    assert refused.code == code
    assert refused.details.startswith("The image of input 1 ")
    assert says in refused.details


def test_an_image_by_url_is_not_downloaded() -> None:
    refused = refusal("image-tiling-operator", info_of({"tile_size": 64}), Data(image={"url": "http://x/i.png"}))
    assert refused.code == StatusCode.INPUT_DOWNLOAD_FAILED


def test_too_many_pieces_are_refused_before_one_is_cut() -> None:
    given = Data(image={"base64": picture(10, 10)}, regions=[region(0, 0, 1, 1)] * 1001)
    assert refusal("image-crop", info_of({}), given).details == (
        "The image of input 1 would be cut into 1001 pieces; the most are 1000 pieces, with 256000000 pixels in "
        "all."
    )
    tiles = refusal(
        "image-tiling-operator", info_of({"tile_size": 16}), Data(image={"base64": picture(2000, 2000)})
    )
    assert tiles.code == StatusCode.INPUT_OVER_LIMIT


def test_settings_that_are_none_are_refused() -> None:
    given = Data(image={"base64": picture(9, 9)}, regions=[region(0, 0, 1, 1)])
    assert refusal("image-crop", info_of({"margin": "wide"}), given).details == (
        "Operator image-crop: output_info.params.margin must be a number from 0.01 to 100, got 'wide'."
    )
    assert refusal("image-tiling-operator", info_of({}), given).details == (
        "Operator image-tiling-operator: output_info.params.tile_size must be a number from 16 to 65536, got "
        "nothing."
    )
    assert (
        "max_object_size"
        in refusal("image-tiling-operator", info_of({"tile_size": 16, "max_object_size": 16}), given).details
    )
