"""People see in a browser what a request was asked and answered, and send it again."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Audio, Data, Image, Video

from flow.driver import Client, inference_request, wait_for, write_model
from flow.page_driver import LIGHT_AND_DARK, PLANTED, deployed, opened, violations
from flow.processes import EmulatorProcess
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

HOSTILE = f"""
from typing import Iterator
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import NamedFields, Text

PLANTED = {PLANTED!r}

class Hostile(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return PLANTED

    @ModelClass.method
    def as_json(self, prompt: str) -> dict:
        return {{PLANTED: [PLANTED, 1, None], "__proto__": {{"toString": PLANTED}}}}

    @ModelClass.method
    def as_bytes(self, prompt: str) -> bytes:
        return PLANTED.encode()

    @ModelClass.method
    def fails(self, prompt: str) -> str:
        raise ValueError(PLANTED)
"""


def png(width: int = 8, height: int = 8) -> bytes:
    """Return a red picture."""
    rows = b"".join(b"\x00" + b"\xff\x00\x00" * width for _ in range(height))

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wav(seconds: float = 0.1) -> bytes:
    """Return silence."""
    samples = bytes(int(8000 * seconds))
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("emulator")
    hostile = write_model(folder, "hostile", HOSTILE)
    with deployed(folder, "hello", "types", "crash_method", hostile) as process:
        yield process


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url)
    yield client
    client.close()


@pytest.fixture
def page(browser: Any, emulator: EmulatorProcess) -> Iterator[Any]:
    with opened(browser, emulator) as page:
        yield page


def typed(method: str, **value: Any) -> Any:
    request = inference_request("types", method)
    request.inputs[0].data.parts.add(id="value").data.CopyFrom(Data(**value))
    return request


def call(client: Client, request: Any) -> Any:
    return client.call("PostModelOutputs", request)


def shown(page: Any, name: str, answer: Any) -> Any:
    """Open the request that was answered so, when it is the newest of its name; return what is shown of it."""
    page.get_by_role("link", name="Requests", exact=True).click()
    link = page.get_by_role("link", name=name, exact=True).first
    wait_for(lambda: answer.status.req_id in link.get_attribute("href"))
    link.click()
    detail = page.get_by_role("region", name=name)
    detail.get_by_role("heading", name="Arguments").wait_for()
    return detail


# ── arguments and answers ───────────────────────────────────────────────────────────────────────────────


def test_a_request_shows_what_it_was_asked_and_answered(page: Any, client: Client) -> None:
    answer = call(client, inference_request("hello", prompt="a reader"))
    detail = shown(page, "hello.predict", answer)
    detail.get_by_text("a reader", exact=True).wait_for()
    detail.get_by_text("Hello, a reader!", exact=True).wait_for()
    detail.get_by_text("predict(prompt: str, n: int = 1) -> str").wait_for()
    detail.get_by_text(re.compile(r"at 1/model\.py:\d+")).wait_for()


def test_json_opens_and_closes(page: Any, client: Client) -> None:
    data = Data()
    data.struct_value.update({"outer": {"inner": {"deep": "found"}}, "list": [1, 2.5, None]})
    answer = call(client, typed("echo_dict", struct_value=data.struct_value))
    detail = shown(page, "types.echo_dict", answer)
    assert detail.get_by_text('"found"').count() == 0
    detail.get_by_text('"inner":').first.click()
    detail.get_by_text('"found"').wait_for()


def test_images_and_sound_are_shown_as_such(page: Any, client: Client) -> None:
    answer = call(client, typed("echo_image", image=Image(base64=png())))
    detail = shown(page, "types.echo_image", answer)
    picture = detail.get_by_role("img", name="the result")
    picture.scroll_into_view_if_needed()
    wait_for(lambda: picture.evaluate("each => each.complete && each.naturalWidth") == 8)
    answer = call(client, typed("echo_audio", audio=Audio(base64=wav())))
    detail = shown(page, "types.echo_audio", answer)
    sound = detail.get_by_label("the result", exact=True)
    wait_for(lambda: sound.evaluate("each => each.duration") > 0.05)
    answer = call(client, typed("echo_video", video=Video(url="https://example.com/film.mp4?signature=s")))
    detail = shown(page, "types.echo_video", answer)
    detail.get_by_text("https://example.com/film.mp4", exact=True).first.wait_for()


def test_what_only_claims_to_be_an_image_is_saved_and_not_shown(page: Any, client: Client) -> None:
    svg = f"<svg xmlns='http://www.w3.org/2000/svg'>{PLANTED}</svg>".encode()
    answer = call(client, typed("echo_image", image=Image(base64=svg)))
    detail = shown(page, "types.echo_image", answer)
    detail.get_by_text("image in a form that browsers do not show").first.wait_for()
    assert detail.get_by_role("img").count() == 0
    with page.expect_download() as saving:
        detail.get_by_role("link", name="Save the result").click()
    assert saving.value.suggested_filename == "result.bin"
    assert saving.value.path().read_bytes() == svg


def test_a_long_text_is_cut_and_shown_whole_when_asked_for(page: Any, client: Client) -> None:
    text = "words and more words, " * 20_000 + "the end"
    answer = call(client, typed("predict", string_value=text))
    detail = shown(page, "types.predict", answer)
    detail.get_by_text("The first 65,536 of 440,007 characters.").first.wait_for()
    assert "the end" not in detail.inner_text()
    detail.get_by_role("button", name="Show all of the result").click()
    wait_for(lambda: "the end" in detail.inner_text())


def test_of_fifty_megabytes_the_size_is_said(page: Any, client: Client) -> None:
    answer = call(client, typed("echo_bytes", bytes_value=bytes(50 * 1024 * 1024)))
    detail = shown(page, "types.echo_bytes", answer)
    detail.get_by_text("Answer of 50 MiB: too large to be kept, so it cannot be shown.").wait_for()
    detail.get_by_text("It cannot be sent again from here.").wait_for()


def test_a_stream_is_read_as_one_text_and_each_chunk_has_its_time(page: Any, client: Client) -> None:
    answer, *_ = client.generate(inference_request("hello", "generate", prompt="dear reader"))
    detail = shown(page, "hello.generate", answer)
    detail.get_by_text("Hello,dearreader!", exact=True).wait_for()
    steps = detail.get_by_role("table").inner_text()
    assert "first chunk" in steps
    assert "chunk 3" in steps
    detail.get_by_text("3 messages, each with its time").click()
    detail.get_by_text("reader!", exact=True).wait_for()


def test_a_very_long_stream_is_bounded(page: Any, client: Client) -> None:
    requests = [inference_request("hello", "stream", prompts=f"reader {number}") for number in range(700)]
    answers = list(client.stream(iter(requests)))
    assert len(answers) == 700
    detail = shown(page, "hello.stream", answers[0])
    detail.get_by_text("700 messages, each with its time").first.wait_for()
    detail.get_by_text(re.compile("It sent 700 messages, of which the first 500 are kept")).wait_for()
    assert detail.get_by_role("row").count() < 50


def test_html_and_script_in_values_stay_text(page: Any, client: Client) -> None:
    for method in ("predict", "as_json", "as_bytes", "fails"):
        answer = call(client, inference_request("hostile", method, prompt=PLANTED))
        detail = shown(page, f"hostile.{method}", answer)
        wait_for(lambda detail=detail: detail.inner_text().count("document.title='planted'") > 1)
    assert "planted" not in page.title()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


# ── bad days ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_request_opens_to_its_traceback_in_one_click(page: Any, client: Client) -> None:
    call(client, inference_request("crash_method", prompt="a planted failure"))
    page.get_by_role("row").filter(has_text="a planted failure").first.get_by_role("link").click()
    detail = page.get_by_role("region", name="crash_method.predict")
    detail.get_by_role("heading", name="Traceback").wait_for()
    assert "model.py" in detail.inner_text()


def test_a_contract_finding_names_the_line_of_the_method(page: Any, client: Client) -> None:
    answer = call(client, inference_request("hello", prompt="x", unknown="y"))
    detail = shown(page, "hello.predict", answer)
    finding = detail.get_by_role("listitem").filter(has_text="unknown").first
    finding.get_by_text(re.compile(r"^1/model\.py:\d+$")).wait_for()


def test_a_call_that_is_not_kept_is_said(page: Any, client: Client) -> None:
    client.call("PostWorkflowResults", workflow_id="none")
    page.get_by_role("link", name="PostWorkflowResults").first.click()
    page.get_by_text("What this request was asked and answered is not kept").wait_for()


# ── again ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_sent_again_and_the_page_goes_to_it(page: Any, client: Client) -> None:
    answer = call(client, inference_request("hello", prompt="once more"))
    detail = shown(page, "hello.predict", answer)
    first = page.url
    detail.get_by_role("button", name="Send again").click()
    wait_for(lambda: page.evaluate("location.href") != first)
    detail.get_by_text("Hello, once more!", exact=True).wait_for()
    assert page.get_by_role("region", name="hello.predict").count() == 1
    page.go_back()
    wait_for(lambda: page.evaluate("location.href") == first)


def test_a_request_is_copied_in_each_form(page: Any, client: Client) -> None:
    answer = call(client, typed("echo_image", image=Image(base64=png())))
    detail = shown(page, "types.echo_image", answer)
    detail.get_by_text("Copy as Python, command line, curl, or test").click()
    for form, said in (
        ("Python", 'pat=os.environ["CLARIFAI_PAT"]'),
        ("Command line", "clarifai-emulator predict me/demo/models/types echo_image value=@value.png"),
        ("curl", "Authorization: Key $CLARIFAI_PAT"),
        ("pytest", "def test_types_echo_image(clarifai):"),
    ):
        detail.get_by_role("group", name="Copy as").get_by_role("button", name=form, exact=True).click()
        detail.get_by_text(said).wait_for()
        assert violations(page) == []
    detail.get_by_role("button", name="Command line", exact=True).click()
    with page.expect_download() as saving:
        detail.get_by_role("link", name="value.png").click()
    assert saving.value.path().read_bytes() == png()


def test_requests_are_found_by_their_rpc(page: Any, client: Client) -> None:
    list(client.generate(inference_request("hello", "generate", prompt="x")))
    page.get_by_label("Filter requests").fill("rpc:generate")
    page.get_by_role("link", name="hello.generate").first.wait_for()
    assert page.get_by_role("link", name="hello.predict").count() == 0


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_values_are_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, client: Client, scheme: str, width: int
) -> None:
    data = Data()
    data.struct_value.update({"a": {"b": "x" * 300}, "n": 1.5, "t": True})
    stream, *_ = client.generate(inference_request("hello", "generate", prompt="y" * 500))
    answers = {
        "types.echo_dict": call(client, typed("echo_dict", struct_value=data.struct_value)),
        "types.echo_image": call(client, typed("echo_image", image=Image(base64=png(3000, 4)))),
        "types.echo_audio": call(client, typed("echo_audio", audio=Audio(base64=wav()))),
        "hello.generate": stream,
    }
    with opened(browser, emulator, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        for name, answer in answers.items():
            shown(page, name, answer)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == []
