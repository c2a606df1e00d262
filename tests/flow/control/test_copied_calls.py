"""A call that is copied from the page runs as it is, in each form, and gets the same answer."""

from __future__ import annotations

import io
import json
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Audio, Concept, Data, Image, NDArray, Region, Text

from flow.driver import MODELS, Client, inference_request
from flow.page_driver import printed_address
from flow.processes import EmulatorProcess, environment

pytestmark = pytest.mark.of_processes("copied calls are the same for containers")

TOKEN = "a-token-of-this-test"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
TRICKY = 'it\'s "quoted" $HOME `ls` \\n {x}\nsecond line <b>ä</b> \U0001f600 --flag'
FORMS = ("Python", "Command line", "curl", "pytest")


def as_struct(content: Any) -> Any:
    data = Data()
    data.struct_value.update(content)
    return data.struct_value


def parts(*values: Data, names: tuple[str, ...] = ()) -> Any:
    data = Data()
    for index, each in enumerate(values):
        data.parts.add(id=names[index] if names else str(index)).data.CopyFrom(each)
    return data.parts


FLOATS = NDArray(buffer=struct.pack("<4f", 1, 2.5, -3, 4), shape=[2, 2], dtype="float32")
LARGE = NDArray(buffer=bytes(8000), shape=[1000], dtype="int64")
REGION = Region(id="r1")
REGION.region_info.bounding_box.left_col = 0.1
REGION.region_info.bounding_box.bottom_row = 0.9
REGION.data.concepts.add(id="cat", name="cat", value=0.9)
# Each a method of the model `types`, its value, and what the page cannot write it as.
VALUES: dict[str, tuple[str, Data, tuple[str, ...]]] = {
    "text": ("predict", Data(string_value=TRICKY), ()),
    "empty text": ("predict", Data(), ()),
    "long text": ("predict", Data(string_value="word " * 10_000), ()),
    "number": ("echo_int", Data(int_value=-(2**60)), ()),
    "float": ("echo_float", Data(float_value=0.1), ()),
    "bool": ("echo_bool", Data(bool_value=True), ()),
    "bytes": ("echo_bytes", Data(bytes_value=b"\x00\xff" * 300), ()),
    "json": ("echo_dict", Data(struct_value=as_struct({"a'b": [1, 2.5, None, True, {"c": TRICKY}]})), ()),
    "json list": ("echo_list", Data(struct_value=as_struct({"_list": [1, "x"]})), ()),
    "array": ("echo_ndarray", Data(ndarray=FLOATS), ()),
    "large array": ("echo_ndarray", Data(ndarray=LARGE), ()),
    "rich text": ("echo_text", Data(text=Text(raw=TRICKY)), ()),
    "image": ("echo_image", Data(image=Image(base64=PNG)), ()),
    "image by address": ("echo_image", Data(image=Image(url="https://example.com/a.png")), ()),
    "audio": ("echo_audio", Data(audio=Audio(base64=b"RIFF\x00\x00\x00\x00WAVE" + bytes(100))), ()),
    "concept": ("echo_concept", Data(concepts=[Concept(id="cat", name="cat", value=0.9)]), ()),
    "concepts": (
        "echo_concepts",
        Data(concepts=[Concept(id=n, name=n, value=0.5) for n in "ab"]),
        ("Command line",),
    ),
    "region": ("echo_region", Data(regions=[REGION]), ("Command line",)),
    "strings": ("echo_tuple", Data(parts=parts(Data(string_value="x"), Data(int_value=3))), ()),
    "named": (
        *("echo_named_fields",),
        Data(parts=parts(Data(string_value="cat"), Data(int_value=2), names=("name", "count"))),
        (),
    ),
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("emulator")
    process = EmulatorProcess(folder, "hello", "types", "crash_method")
    process.client().close()
    yield process
    process.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url, TOKEN)
    yield client
    client.close()


@pytest.fixture(scope="module")
def cookie(emulator: EmulatorProcess) -> str:
    with urlopen(Request(printed_address(emulator), headers={"accept": "text/html"})) as answer:
        return str(answer.headers["set-cookie"]).partition(";")[0]


class Copied:
    """Copies calls from the page of an emulator, and runs them in a folder of their own."""

    def __init__(self, emulator: EmulatorProcess, cookie: str, folder: Path) -> None:
        self._emulator = emulator
        self._cookie = cookie
        self._folder = folder

    def load(self, address: str) -> bytes:
        request = Request(f"{self._emulator.url}/_page/{address}", headers={"cookie": self._cookie})
        with urlopen(request) as answer:
            return bytes(answer.read())

    def form(self, request_id: str, name: str) -> dict[str, Any]:
        """Return a call in one form, with its files beside it."""
        forms = json.loads(self.load(f"snippets?id={quote(request_id)}"))["forms"]
        found: dict[str, Any] = next(each for each in forms if each["name"] == name)
        for file in found["files"]:
            (self._folder / file["name"]).write_bytes(self.load(file["address"]))
        return found

    def values(self, request_id: str) -> Any:
        return json.loads(self.load(f"call?id={request_id}"))

    def run(self, request_id: str, name: str) -> str:
        """Run a call as it was copied; return what it printed."""
        form = self.form(request_id, name)
        assert form["text"], form
        assert TOKEN not in form["text"]
        if name == "Python":
            return self._python(form["text"])
        words = ["bash", "-c", form["text"].replace("clarifai-emulator", f"{sys.executable} -m clarifai_emulator")]
        state = str(self._emulator.temporary.parent / "state")
        done = subprocess.run(
            words,
            cwd=self._folder,
            env=environment(CLARIFAI_PAT=TOKEN, XDG_STATE_HOME=state, CLARIFAI_API_BASE=self._emulator.url),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _python(self, text: str) -> str:
        said = io.StringIO()
        patch = pytest.MonkeyPatch()
        patch.setenv("CLARIFAI_PAT", TOKEN)
        with chdir(self._folder), redirect_stdout(said):
            exec(compile(text, "copied.py", "exec"), {"__name__": "__main__"})  # as it was copied
        patch.undo()
        return said.getvalue()

    def events(self) -> list[Any]:
        """Return the events that are kept, oldest first."""
        request = Request(f"{self._emulator.url}/_page/events", headers={"cookie": self._cookie})
        found = list[Any]()
        with urlopen(request, timeout=0.5) as answer, suppress(TimeoutError):
            while line := answer.readline():
                told = json.loads(line[5:]) if line.startswith(b"data:") else None
                found += told if isinstance(told, list) else []
        return found


@pytest.fixture
def copied(emulator: EmulatorProcess, cookie: str, tmp_path: Path) -> Copied:
    return Copied(emulator, cookie, tmp_path)


def typed(method: str, value: Data) -> Any:
    request = inference_request("types", method)
    request.inputs[0].data.parts.add(id="value").data.CopyFrom(value)
    return request


def last_call(emulator: EmulatorProcess, copied: Copied) -> Any:
    """Return the newest call of a model, from the events that the page reads."""
    done = [each for each in copied.events() if each["kind"] == "request.finished" and "method" in each]
    return copied.values(done[-1]["request_id"])


def messages(told: Any) -> list[Any]:
    """Return what was asked and answered, without addresses and times."""
    text = json.dumps([[each["values"] for each in told[way]] for way in ("inputs", "outputs")])
    return [json.loads(text.replace(told["id"], "ID")), told["method"], told["kind"]]


# A command takes seconds: of the other values, `make test-all` runs them.
QUICK = ("text", "json", "large array", "image", "named")


@pytest.mark.parametrize(
    ("form", "name"),
    [
        pytest.param(form, name, marks=[pytest.mark.slow] if form == "Command line" and name not in QUICK else [])
        for form in ("Python", "Command line", "curl")
        for name in VALUES
    ],
)
def test_a_copied_call_asks_the_same_and_gets_the_same(
    emulator: EmulatorProcess, client: Client, copied: Copied, form: str, name: str
) -> None:
    method, value, unwritten = VALUES[name]
    request_id = client.call("PostModelOutputs", typed(method, value)).status.req_id
    if form in unwritten:
        assert copied.form(request_id, form)["why_not"]
        return
    copied.run(request_id, form)
    assert messages(last_call(emulator, copied)) == messages(copied.values(request_id))


@pytest.mark.parametrize("form", ["Python", "Command line", "curl"])
def test_streams_are_copied_too(emulator: EmulatorProcess, client: Client, copied: Copied, form: str) -> None:
    answer, *_ = client.generate(inference_request("hello", "generate", prompt="you"))
    copied.run(answer.status.req_id, form)
    assert messages(last_call(emulator, copied)) == messages(copied.values(answer.status.req_id))
    requests = [inference_request("hello", "stream", prompts=text) for text in ("one", "two")]
    answer, *_ = client.stream(iter(requests))
    if form == "curl":
        assert copied.form(answer.status.req_id, form)["why_not"].startswith("curl cannot send a stream of inputs.")
        return
    printed = copied.run(answer.status.req_id, form)
    assert "Hello, one!" in printed
    assert messages(last_call(emulator, copied)) == messages(copied.values(answer.status.req_id))


@pytest.mark.parametrize("form", ["Python", "Command line", "curl"])
def test_the_deployment_that_was_named_is_named(
    emulator: EmulatorProcess, client: Client, copied: Copied, form: str
) -> None:
    request = inference_request("hello", prompt="you", deployment="deploy-hello")
    answer = client.call("PostModelOutputs", request)
    found = copied.form(answer.status.req_id, form)
    assert "deploy-hello" in found["text"]
    assert "Hello, you!" in copied.run(answer.status.req_id, form)


def test_several_inputs_are_sent_together(emulator: EmulatorProcess, client: Client, copied: Copied) -> None:
    request = inference_request("hello", prompt="one")
    request.inputs.add().CopyFrom(request.inputs[0])
    request.inputs[1].data.parts[0].data.string_value = "two"
    answer = client.call("PostModelOutputs", request)
    copied.run(answer.status.req_id, "Python")
    assert messages(last_call(emulator, copied)) == messages(copied.values(answer.status.req_id))
    assert "several" in copied.form(answer.status.req_id, "Command line")["why_not"]


def test_a_copied_test_passes_as_it_is(client: Client, copied: Copied, tmp_path: Path) -> None:
    answers = [client.call("PostModelOutputs", typed(method, value)) for method, value, _ in VALUES.values()]
    answers.append(client.call("PostModelOutputs", inference_request("crash_method", prompt="x")))
    stream, *_ = client.generate(inference_request("hello", "generate", prompt="you"))
    bidi, *_ = client.stream(iter([inference_request("hello", "stream", prompts=text) for text in ("a", "b")]))
    for number, answer in enumerate([*answers, stream, bidi]):
        folder = tmp_path / f"case_{number}"
        folder.mkdir()
        form = Copied(copied._emulator, copied._cookie, folder).form(answer.status.req_id, "pytest")
        assert str(MODELS) in form["text"]
        assert "assert" in form["text"] or "raises" in form["text"]
        (folder / f"test_case_{number}.py").write_text(form["text"])
        (folder / "conftest.py").write_text(IN_ITS_FOLDER)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(answers) + 2} passed" in done.stdout


# Files that a copied test needs are in the working directory.
IN_ITS_FOLDER = """
import pytest

@pytest.fixture(autouse=True)
def beside(monkeypatch, request):
    monkeypatch.chdir(request.path.parent)
"""


def test_a_secret_is_in_no_form(emulator: EmulatorProcess, client: Client, copied: Copied) -> None:
    request = inference_request("hello", prompt="with sk-0123456789abcdef", api_key="nobody-sees-this")
    answer = client.call("PostModelOutputs", request)
    said = copied.load(f"snippets?id={answer.status.req_id}").decode()
    said += copied.load(f"call_body?id={answer.status.req_id}").decode()
    assert "sk-0123456789abcdef" not in said
    assert "nobody-sees-this" not in said
    notes = copied.form(answer.status.req_id, "curl")["notes"]
    assert notes == ["What looks like a secret is not written here: put it in the place of <hidden>."]


def test_what_has_no_form_says_why(emulator: EmulatorProcess, client: Client, copied: Copied) -> None:
    request = inference_request("hello")
    request.inputs[0].data.text.raw = "in the form of older clients"
    answer = client.call("PostModelOutputs", request)
    assert "older clients" in copied.form(answer.status.req_id, "Python")["why_not"]
    large = typed("echo_bytes", Data(bytes_value=bytes(9 * 1024 * 1024)))
    answer = client.call("PostModelOutputs", large)
    assert "more than is kept" in copied.form(answer.status.req_id, "Python")["why_not"]
