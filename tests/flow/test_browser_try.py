"""People call methods of models from the page and talk to models, in a real browser, by what is visible there."""

from __future__ import annotations

import io
import json
import re
import signal
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flow.driver import Client, figure, wait_for, write_model
from flow.page_driver import LIGHT_AND_DARK, PLANTED, deployed, opened, printed_address, violations
from flow.processes import EmulatorProcess
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

FORMS = f"""
import io
import time
from typing import Iterator, List, Tuple

import PIL.Image

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Audio, Image, NamedFields
from clarifai.runners.utils.data_utils import Param

PLANTED = {PLANTED!r}

class Forms(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        '''Repeats the <b>prompt</b>.'''
        return prompt

    @ModelClass.method
    def hostile(self) -> str:
        return PLANTED

    @ModelClass.method
    def declared(self, word: str = Param(default=PLANTED, description=PLANTED, choices=[PLANTED, "safe"])) -> str:
        return word

    @ModelClass.method
    def fail(self) -> str:
        raise ValueError("raised " + PLANTED)

    @ModelClass.method
    def turn(self, image: Image, angle: int = 90) -> Image:
        return Image.from_pil(image.to_pil().rotate(angle, expand=True))

    @ModelClass.method
    def play(self, sound: Audio) -> Audio:
        return sound

    @ModelClass.method
    def large(self, megabytes: int = 50) -> str:
        return "x" * (megabytes << 20)

    @ModelClass.method
    def flood(self, answers: int = 3000) -> Iterator[str]:
        for number in range(answers):
            yield f"{{number}} "

    @ModelClass.method
    def boxes(self, points: List[Tuple[int, int]], about: NamedFields(name=str, scores=List[float])) -> dict:
        return {{"points": [list(each) for each in points], "name": about.name, "scores": list(about.scores)}}

    @ModelClass.method
    def raw(self, data: bytes) -> bytes:
        return data[::-1]
"""
TALKER = """
import json
import time
from typing import Iterator

from clarifai.runners.models.model_class import ModelClass

class Talker(ModelClass):
    @ModelClass.method
    def openai_transport(self, msg: str) -> str:
        return json.dumps({"choices": [{"message": {"role": "assistant", "content": "whole"}}]})

    @ModelClass.method
    def openai_stream_transport(self, msg: str) -> Iterator[str]:
        request = json.loads(msg)
        said = request["messages"][-1]["content"]
        if said == "fail":
            raise ValueError("out of order")
        if said == "refuse":
            yield json.dumps({"code": 21000, "description": "Refused", "details": "not today"})
            return
        if said == "request":
            said = json.dumps({key: value for key, value in request.items() if key != "messages"}, sort_keys=True)
        if said == "history":
            said = " | ".join(each["role"] + "=" + each["content"] for each in request["messages"])
        words = ["word "] * 400 if said == "long" else ["You said: ", said]
        for word in words:
            yield json.dumps({"object": "chat.completion.chunk", "choices": [{"delta": {"content": word}}]})
            time.sleep(0.1)
        yield json.dumps({"object": "chat.completion.chunk", "choices": []})
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("emulator")
    own = [str(write_model(folder, name, source)) for name, source in (("forms", FORMS), ("talker", TALKER))]
    with deployed(folder, "hello", "types", "slow", "aborting", *own) as process:
        yield process


@pytest.fixture
def page(browser: Any, emulator: EmulatorProcess) -> Iterator[Any]:
    with opened(browser, emulator) as page:
        page.get_by_role("link", name="Try it").click()
        page.get_by_role("heading", name="Try it").wait_for()
        yield page


@pytest.fixture
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url)
    yield client
    client.close()


def choose(page: Any, model: str, method: str = "") -> Any:
    """Choose a model and a method; return the form."""
    page.get_by_label("Model", exact=True).select_option(f"me/demo/{model}")
    chosen = page.get_by_label("Method", exact=True)
    if method:
        chosen.select_option(method)
    name = method or chosen.input_value()
    form = page.get_by_role("form", name=f"Call {name}", exact=True)
    form.wait_for()
    return form


def send(form: Any) -> None:
    form.get_by_role("button", name="Send", exact=True).click()


def answer(page: Any) -> Any:
    return page.get_by_role("region", name="Answer")


def ended(page: Any, how: str = "done") -> Any:
    """Wait until the call has ended; return what is shown of it."""
    region = answer(page)
    region.get_by_role("status").get_by_text(how).wait_for()
    return region


def png(colour: str = "red", size: tuple[int, int] = (40, 20)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    return file.getvalue()


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_method_is_called_from_its_form_and_its_request_says_why_it_went_there(page: Any) -> None:
    form = choose(page, "hello", "predict")
    assert form.get_by_label("n", exact=True).input_value() == "1"
    page.get_by_text("One input, one output: greets `prompt`, with `n` exclamation marks.").wait_for()
    form.get_by_label("prompt").fill("you")
    form.get_by_label("n", exact=True).fill("3")
    send(form)
    ended(page).get_by_text("Hello, you!!!").wait_for()
    answer(page).get_by_role("link", name="Why it went there").click()
    detail = page.get_by_role("region", name="hello.predict")
    detail.get_by_text("owner_default: The model's owner has deployment 'me/deploy-hello'").wait_for()


def test_the_keyboard_sends_and_what_is_filled_in_stays(page: Any) -> None:
    form = choose(page, "hello", "predict")
    form.get_by_label("prompt").fill("keyboard")
    page.keyboard.press("Control+Enter")
    ended(page).get_by_text("Hello, keyboard!").wait_for()
    page.get_by_role("link", name="Map").click()
    page.get_by_role("heading", name="Map").wait_for()
    page.get_by_role("link", name="Try it").click()
    assert page.get_by_role("form", name="Call predict").get_by_label("prompt").input_value() == "keyboard"
    answer(page).get_by_text("Hello, keyboard!").wait_for()


def test_the_address_has_the_model_and_the_method(page: Any) -> None:
    choose(page, "hello", "generate")
    assert page.url.endswith("#/try/me/demo/hello/generate")
    page.goto(f"{page.url.partition('#')[0]}#/try/me/demo/slow")
    page.reload()
    page.get_by_text("Sleeps, then says how long.").wait_for()
    page.goto(f"{page.url.partition('#')[0]}#/try/me/demo/gone")
    page.get_by_role("alert").get_by_text("There is no model me/demo/gone here").wait_for()


def test_bounds_choices_and_defaults_are_those_of_the_model(page: Any) -> None:
    form = choose(page, "types", "echo_params")
    form.get_by_text("How daring to be").wait_for()
    temperature = form.get_by_label("temperature", exact=True)
    assert temperature.input_value() == "0.5"
    form.get_by_text("float · 0.1 to 1").wait_for()
    temperature.fill("7")
    form.get_by_text("Outside of what the model declares, 0.1 to 1. It is sent all the same.").wait_for()
    form.get_by_role("button", name="Use the default of temperature").click()
    assert temperature.input_value() == "0.5"
    form.get_by_label("style").select_option("fancy")
    form.get_by_label("prompt").fill("go")
    send(form)
    ended(page).get_by_text("go temperature=0.5 tokens=16 style=fancy").wait_for()


def test_what_is_wrong_is_told_by_its_field_and_not_sent(page: Any) -> None:
    form = choose(page, "types", "echo_params")
    form.get_by_label("tokens").fill("many")
    send(form)
    form.get_by_text("A whole number is needed, not ‘many’.").wait_for()
    form.get_by_role("alert").get_by_text("Not sent: look at tokens.").wait_for()
    wait_for(lambda: page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true")
    assert answer(page).count() == 0
    form = choose(page, "types", "echo_dict")
    form.get_by_label("value").fill('{"a": ')
    form.get_by_text("This is no JSON yet").wait_for()
    form.get_by_label("value").fill('{"a": [1, null]}')
    send(form)
    ended(page).get_by_text('"a"').wait_for()


@pytest.mark.parametrize(
    ("method", "value", "shown"),
    [
        ("predict", "grüß 🙂", "grüß 🙂"),
        ("echo_int", "9007199254740993", "9007199254740993"),
        ("echo_float", "1e-3", "0.001"),
        ("echo_text", "a text", "a text"),
        ("echo_ndarray", "[[1, 2], [3, 4]]", "array of int64, 2 × 2"),
        ("echo_concept", '"cat"', '"cat"'),
        ("echo_region", '{"box": [0, 0.5, 1, 1]}', "region_info"),
        ("echo_list", "[1, 2, 3]", "3 items"),
    ],
)
def test_each_type_is_filled_in_and_comes_back(page: Any, method: str, value: str, shown: str) -> None:
    form = choose(page, "types", method)
    form.get_by_label("value", exact=True).fill(value)
    send(form)
    ended(page).get_by_text(shown).first.wait_for()


def test_yes_and_no_lists_tuples_and_named_fields_have_fields_of_their_own(page: Any) -> None:
    form = choose(page, "types", "echo_bool")
    form.get_by_label("value", exact=True).check()
    send(form)
    ended(page).get_by_text("True").wait_for()
    form = choose(page, "forms", "boxes")
    add = form.get_by_role("button", name="Add an item to points")
    add.click()
    add.click()
    form.get_by_role("button", name="Remove points, item 1", exact=True).click()
    form.get_by_label("points, item 1, item 1").fill("3")
    form.get_by_label("points, item 1, item 2").fill("4")
    form.get_by_label("about.name").fill("n")
    form.get_by_role("button", name="Add an item to about.scores").click()
    form.get_by_label("about.scores, item 1", exact=True).fill("0.5")
    send(form)
    text = re.sub(r"\s+", "", ended(page).inner_text())
    assert '"name":"n"' in text
    assert "0.5" in text


def test_a_method_without_arguments_is_called_at_once(page: Any) -> None:
    form = choose(page, "slow", "counts")
    form.get_by_text("counts takes no arguments.").wait_for()
    send(form)
    ended(page).get_by_text('"started"').wait_for()


def test_an_image_is_shown_before_it_is_sent_and_when_it_comes_back(page: Any) -> None:
    form = choose(page, "forms", "turn")
    send(form)
    form.get_by_text("Choose a file, or give an address.").wait_for()
    file = {"name": "red.png", "mimeType": "image/png", "buffer": png()}
    form.get_by_label("image, file").set_input_files(file)
    form.get_by_role("img", name="Preview of image").wait_for()
    form.get_by_text(f"red.png, {len(png())} bytes, image/png").wait_for()
    send(form)
    result = ended(page).get_by_role("img")
    wait_for(lambda: result.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [20, 40])
    form.get_by_role("button", name="Remove the file of image").click()
    form.get_by_label("image, address").wait_for()


def test_sound_is_played_before_it_is_sent_and_when_it_comes_back(page: Any) -> None:
    form = choose(page, "forms", "play")
    file = {"name": "tone.wav", "mimeType": "audio/wav", "buffer": wav()}
    form.get_by_label("sound, file").set_input_files(file)
    form.get_by_label("Preview of sound").wait_for()
    send(form)
    player = ended(page).get_by_label("the result", exact=True)
    wait_for(lambda: player.evaluate("audio => audio.duration") > 0.09)


def test_a_file_that_is_no_image_is_told_so_and_sent_all_the_same(page: Any) -> None:
    form = choose(page, "forms", "turn")
    file = {"name": "x.png", "mimeType": "image/png", "buffer": b"no image"}
    form.get_by_label("image, file").set_input_files(file)
    form.get_by_text("This browser cannot show it; it is sent as it is.").wait_for()
    send(form)
    ended(page, "failed").get_by_text("cannot identify image file").first.wait_for()


def test_a_file_is_dropped_onto_its_field(page: Any) -> None:
    form = choose(page, "forms", "raw")
    data = page.evaluate_handle(
        "() => { const data = new DataTransfer(); data.items.add(new File(['abc'], 'a.txt')); return data; }"
    )
    form.get_by_text("or drop one here").dispatch_event("drop", {"dataTransfer": data})
    form.get_by_text("a.txt, 3 bytes").wait_for()
    send(form)
    ended(page).get_by_text("cba").wait_for()


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────


def test_answers_of_a_stream_are_shown_as_they_come(page: Any) -> None:
    form = choose(page, "slow", "generate")
    form.get_by_label("chunks").fill("3")
    form.get_by_label("delay").fill("0.4")
    send(form)
    answer(page).get_by_text("chunk 0").wait_for()
    assert "chunk 2" not in answer(page).inner_text()
    ended(page).get_by_text("chunk 0chunk 1chunk 2").wait_for()
    page.get_by_label("each answer by itself").check()
    assert answer(page).get_by_role("listitem").count() == 3


def test_items_of_a_stream_are_sent_one_by_one(page: Any) -> None:
    form = choose(page, "hello", "stream")
    form.get_by_label("prompts").fill("one")
    send(form)
    answer(page).get_by_text("Hello, one!").wait_for()
    form.get_by_label("prompts").fill("two")
    form.get_by_role("button", name="Send the next item").click()
    answer(page).get_by_text("Hello, two!").wait_for()
    form.get_by_text("2 items were sent").wait_for()
    form.get_by_role("button", name="End the stream").click()
    ended(page).get_by_text("2 answers").wait_for()


def test_a_long_call_is_cancelled_and_its_model_hears_of_it(page: Any) -> None:
    form = choose(page, "aborting", "generate")
    send(form)
    answer(page).get_by_text("chunk 1").wait_for()
    form.get_by_role("button", name="Cancel").click()
    region = ended(page, "cancelled")
    assert "chunk 1" in region.inner_text()
    region.get_by_role("link", name="Why it went there").click()
    page.get_by_role("region", name="aborting.generate").get_by_text("cancelled").first.wait_for()
    page.get_by_role("link", name="Try it").click()
    form = choose(page, "aborting", "finished_items")
    send(form)
    ended(page).get_by_text("1", exact=True).wait_for()


def test_a_page_that_is_closed_cancels_its_call(browser: Any, emulator: EmulatorProcess, page: Any) -> None:
    with opened(browser, emulator) as other:
        other.get_by_role("link", name="Try it").click()
        form = choose(other, "slow", "generate")
        form.get_by_label("chunks").fill("500")
        send(form)
        answer(other).get_by_text("chunk 0").wait_for()
    page.get_by_role("link", name="Requests").click()
    page.get_by_label("Filter requests").fill("status:cancelled model:slow")
    page.get_by_role("link", name="slow.generate").first.wait_for()


def test_very_many_answers_leave_the_page_usable(page: Any) -> None:
    form = choose(page, "forms", "flood")
    send(form)
    ended(page).get_by_text("3,000 answers").wait_for(timeout=30_000)
    answer(page).get_by_text("1,000 earlier answers are no longer shown.").wait_for()
    answer(page).get_by_label("each answer by itself").check()
    assert answer(page).get_by_role("listitem").count() == 200


# ── where it goes ───────────────────────────────────────────────────────────────────────────────────────


def test_a_call_names_a_deployment_a_nodepool_or_another_user(page: Any) -> None:
    form = choose(page, "hello", "predict")
    form.get_by_label("prompt").fill("x")
    for chosen, rule in (
        ("deployment me/deploy-hello", "explicit_deployment"),
        ("nodepool me/local/cpu", "explicit_nodepool"),
    ):
        page.get_by_label("Where it goes").select_option(chosen)
        send(form)
        ended(page).get_by_role("link", name="Why it went there").click()
        page.get_by_role("region", name="hello.predict").get_by_text(f"{rule}:").wait_for()
        page.get_by_role("link", name="Try it").click()
    page.get_by_label("Where it goes").select_option("")
    page.get_by_label("as user").fill("bob")
    send(form)
    ended(page, "failed").get_by_role("alert").wait_for()
    page.get_by_label("as user").fill("")


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_shows_its_traceback(page: Any) -> None:
    form = choose(page, "forms", "fail")
    send(form)
    region = ended(page, "failed")
    region.get_by_text("Traceback (most recent call last)").wait_for()
    region.get_by_text("ValueError: raised").first.wait_for()


def test_html_and_script_in_answers_are_shown_as_text(page: Any) -> None:
    form = choose(page, "forms", "predict")
    page.get_by_text("Repeats the <b>prompt</b>.").wait_for()
    for method in ("hostile", "fail"):
        form = choose(page, "forms", method)
        send(form)
        ended(page, "ed" if method == "fail" else "done").get_by_text(PLANTED).first.wait_for()
    form = choose(page, "forms", "predict")
    form.get_by_label("prompt").fill(PLANTED)
    send(form)
    ended(page).get_by_text(PLANTED).first.wait_for()
    form = choose(page, "forms", "declared")
    form.get_by_text(PLANTED).last.wait_for()
    form.get_by_label("word", exact=True).select_option("safe")
    form.get_by_label("word", exact=True).select_option(PLANTED)
    send(form)
    ended(page).get_by_text(PLANTED).first.wait_for()
    page.wait_for_timeout(300)
    assert "planted" not in page.title()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


def test_an_answer_of_50_megabytes_is_cut_and_the_page_stays_usable(page: Any) -> None:
    form = choose(page, "forms", "large")
    send(form)
    region = answer(page)
    region.get_by_text("The first 65,536 of 52,428,800 characters.").wait_for(timeout=60_000)
    region.get_by_text("The rest was not kept.").wait_for()
    began = page.evaluate("performance.now()")
    form = choose(page, "hello", "predict")
    form.get_by_label("prompt").fill("still usable")
    send(form)
    ended(page).get_by_text("Hello, still usable!").wait_for()
    figure(f"after an answer of 50 MB, another call takes {page.evaluate('performance.now()') - began:.0f} ms")
    heap = page.evaluate("performance.memory.usedJSHeapSize") // 1024
    figure(f"the page holds {heap} KiB then")
    assert heap < 60_000


TYPE = """async () => {
    const box = document.activeElement, times = [];
    for (let number = 0; number < 20; number++) {
        const began = performance.now();
        box.value += "x";
        box.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
        times.push(performance.now() - began);
    }
    return times.sort((one, other) => one - other)[10];
}"""


def test_typing_stays_quick_with_ten_thousand_models_and_deployments(
    browser: Any, emulator: EmulatorProcess
) -> None:
    def crowd(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        state = told["state"]
        names = [f"me/demo/model-{number}" for number in range(10_000)]
        state["models"] += names
        state["deployments"] += [
            {**state["deployments"][0], "deployment_id": f"deploy-{number}", "model": name}
            for number, name in enumerate(names)
        ]
        route.fulfill(response=answer, json=told)

    with opened(browser, emulator) as page:
        page.route("**/_page/state", crowd)
        page.reload()
        page.get_by_role("link", name="Try it").click()
        page.get_by_label("Where it goes").select_option("deployment me/deploy-9999")
        page.get_by_label("Where it goes").select_option("")
        form = choose(page, "hello", "predict")
        form.get_by_label("prompt").focus()
        typed = page.evaluate(TYPE)
        figure(f"with 10,000 models and deployments, a letter is typed into a form in {typed:.1f} ms")
        assert typed < 100
        page.unroute_all(behavior="wait")


def test_an_emulator_that_stops_is_told(browser: Any, tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path, "slow")
    process.client().close()
    with opened(browser, process) as page:
        page.get_by_role("link", name="Try it").click()
        form = choose(page, "slow", "generate")
        form.get_by_label("chunks").fill("500")
        send(form)
        answer(page).get_by_text("chunk 0").wait_for()
        process.end(signal.SIGKILL)
        ended(page, "failed").get_by_role("alert").wait_for()
        send(form)
        answer(page).get_by_role("alert").get_by_text("The emulator does not answer").wait_for()


def test_an_emulator_without_models_says_what_to_do_first(browser: Any, tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path)
    process.client().close()
    try:
        with opened(browser, process) as page:
            page.get_by_role("link", name="Try it").click()
            page.get_by_text("No model is here yet. Deploy one").wait_for()
            assert violations(page) == []
    finally:
        process.end(signal.SIGTERM)


def test_a_model_without_methods_says_so(page: Any, client: Client) -> None:
    client.call(
        "PostModels",
        user_app_id={"user_id": "me", "app_id": "demo"},
        models=[{"id": "empty", "model_type_id": "text-to-text"}],
    )
    page.goto(f"{page.url.partition('#')[0]}#/try/me/demo/empty")
    page.get_by_text("me/demo/empty has no methods to call: it has no version.").wait_for()


def test_no_more_calls_run_at_once_than_a_browser_has_connections_for(page: Any) -> None:
    for model, method in (("hello", "stream"), ("slow", "stream"), ("types", "stream_ndarrays")):
        form = choose(page, model, method)
        if model == "types":
            form.get_by_label("values", exact=True).fill("[1]")
        send(form)
        answer(page).get_by_role("status").get_by_text("running").wait_for()
    form = choose(page, "hello", "predict")
    send(form)
    said = "3 calls of this page are running: let one end, or cancel one, and send again."
    answer(page).get_by_role("alert").get_by_text(said).wait_for()
    choose(page, "slow", "stream").get_by_role("button", name="Cancel").click()
    send(choose(page, "hello", "predict"))
    ended(page).get_by_text("Hello, ").wait_for()


def test_two_pages_call_at_once(browser: Any, emulator: EmulatorProcess, page: Any) -> None:
    with opened(browser, emulator) as other:
        other.get_by_role("link", name="Try it").click()
        forms = [choose(each, "hello", "stream") for each in (page, other)]
        for name, form in zip(("first", "second"), forms, strict=True):
            form.get_by_label("prompts").fill(name)
            send(form)
        answer(page).get_by_text("Hello, first!").wait_for()
        answer(other).get_by_text("Hello, second!").wait_for()
        forms[0].get_by_role("button", name="End the stream").click()
        ended(page)
        forms[1].get_by_label("prompts").fill("again")
        forms[1].get_by_role("button", name="Send the next item").click()
        answer(other).get_by_text("Hello, again!").wait_for()


# ── conversations ───────────────────────────────────────────────────────────────────────────────────────


def talk(page: Any) -> Any:
    """Choose a model that talks; return the conversation with it."""
    page.get_by_label("Model", exact=True).select_option("me/demo/talker")
    chat = page.get_by_role("region", name="Conversation")
    chat.wait_for()
    return chat


def say(chat: Any, text: str) -> None:
    messages = chat.get_by_role("listitem")
    before = messages.count()
    chat.get_by_label("Message", exact=True).fill(text)
    chat.get_by_role("button", name="Send").click()
    wait_for(lambda: messages.count() == before + 2)


def last(chat: Any, how: str = "done") -> Any:
    message = chat.get_by_role("listitem").last
    message.get_by_role("status").get_by_text(how).wait_for()
    return message


def test_a_conversation_goes_on_with_what_was_said(page: Any) -> None:
    chat = talk(page)
    chat.get_by_text("Say something to me/demo/talker").wait_for()
    box = chat.get_by_label("Message", exact=True)
    box.fill("hello")
    box.press("Shift+Enter")
    box.press_sequentially("there")
    box.press("Enter")
    assert last(chat).get_by_text("You said: hello\nthere").count() == 1
    say(chat, "history")
    history = last(chat).inner_text()
    assert "user=hello\nthere | assistant=You said: hello\nthere | user=history" in history
    chat.get_by_role("link", name="its request").last.click()
    page.get_by_role("region", name="talker.openai_stream_transport").wait_for()
    page.get_by_role("link", name="Try it").click()
    page.get_by_role("region", name="Conversation").get_by_text("You said: hello").first.wait_for()


def test_the_methods_behind_a_conversation_can_be_called_too(page: Any) -> None:
    talk(page)
    page.get_by_role("button", name="Chat", exact=True).click()
    form = page.get_by_role("form", name="Call openai_transport")
    form.get_by_label("msg").fill("{}")
    send(form)
    ended(page).get_by_text('"whole"').wait_for()
    page.get_by_role("button", name="Chat", exact=True).click()
    page.get_by_role("region", name="Conversation").wait_for()


def test_a_model_of_the_sdks_openai_class_is_talked_to(browser: Any, tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path, "openai")
    process.client().close()
    try:
        with opened(browser, process) as page:
            page.get_by_role("link", name="Try it").click()
            chat = page.get_by_role("region", name="Conversation")
            say(chat, "hello there")
            assert "You" in last(chat).inner_text()
            chat.get_by_text("You").first.wait_for()
            say(chat, "fail")
            last(chat).get_by_role("alert").get_by_text("the backend is out of order").first.wait_for()
    finally:
        process.end(signal.SIGTERM)


def test_a_conversation_has_a_system_prompt_and_settings(page: Any) -> None:
    chat = talk(page)
    chat.get_by_text("System prompt and settings").click()
    chat.get_by_label("System prompt").fill("Be brief.")
    chat.get_by_label("temperature", exact=True).fill("warm")
    chat.get_by_text("temperature is a number, as 0.7.").wait_for()
    chat.get_by_label("temperature", exact=True).fill("0.2")
    chat.get_by_label("max_tokens").fill("9")
    say(chat, "request")
    told = last(chat).inner_text()
    wanted = {"max_tokens": 9, "openai_endpoint": "/chat/completions", "stream": True, "temperature": 0.2}
    found = json.loads(told[told.index("{") : told.rindex("}") + 1])
    assert found == {"model": "me/demo/models/talker", **wanted}
    say(chat, "history")
    assert "system=Be brief. | user=request" in last(chat).inner_text()


def test_an_answer_is_stopped_and_a_conversation_cleared(page: Any) -> None:
    chat = talk(page)
    say(chat, "long")
    chat.get_by_text("word word word").wait_for()
    chat.get_by_role("button", name="Stop").click()
    assert "word word" in last(chat, "cancelled").inner_text()
    say(chat, "after")
    assert "You said: after" in last(chat).inner_text()
    chat.get_by_role("button", name="Clear the conversation").click()
    chat.get_by_text("Say something to me/demo/talker").wait_for()


def test_what_goes_wrong_in_a_conversation_is_told(page: Any) -> None:
    chat = talk(page)
    say(chat, "fail")
    last(chat, "failed").get_by_role("alert").get_by_text("ValueError: out of order").first.wait_for()
    say(chat, "refuse")
    last(chat).get_by_role("alert").get_by_text("21000: not today").wait_for()
    say(chat, PLANTED)
    last(chat).get_by_text(PLANTED).wait_for()
    assert "planted" not in page.title()


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_forms_and_conversations_are_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 900}
    with opened(browser, emulator, color_scheme=scheme, viewport=size) as page:
        page.get_by_role("link", name="Try it").click()

        def look() -> None:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == []

        for method in ("boxes", "turn", "fail"):
            form = choose(page, "forms", method)
            if method == "boxes":
                form.get_by_role("button", name="Add an item to points").click()
            send(form)
            look()
        ended(page, "failed")
        look()
        choose(page, "types", "echo_params")
        look()
        chat = talk(page)
        chat.get_by_text("System prompt and settings").click()
        say(chat, "hello")
        last(chat)
        look()
        assert printed_address(emulator)


def test_an_older_version_shows_its_own_methods_and_a_call_says_that_it_is_not_deployed(
    page: Any, client: Client
) -> None:
    own = {"user_id": "me", "app_id": "demo"}
    client.call("PostModels", user_app_id=own, models=[{"id": "twice", "model_type_id": "any-to-any"}])
    for name in ("before", "after"):
        signature = {"name": name, "method_type": "UNARY_UNARY"}
        version = {"method_signatures": [signature]}
        client.call("PostModelVersions", user_app_id=own, model_id="twice", model_versions=[version])
    page.reload()
    choose(page, "twice", "after")
    versions = page.get_by_label("Version", exact=True)
    versions.select_option(index=2)  # behind "the newest", and that one's id
    send(choose(page, "twice", "before"))
    page.get_by_role("alert").filter(has_text="deploy").wait_for()
    versions.select_option(label="the newest")
    choose(page, "twice", "after")
