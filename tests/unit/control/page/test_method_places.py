"""A method is found in the model directory by its name: where the model publishes it."""

from __future__ import annotations

from pathlib import Path

from clarifai_emulator.control.page.method_places import method_place


def test_the_published_method_goes_before_another_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "model.py").write_text(
        "class Other:\n    def predict(self): ...\n\n"
        "class Mine:\n    @ModelClass.method\n    def predict(self): ...\n\n"
        "class Last:\n    def predict(self): ...\n"
    )
    (folder / "base.py").write_text("class Base:\n    async def generate(self): ...\n")
    assert method_place(tmp_path, "predict") == ("1/model.py", 6)
    assert method_place(tmp_path, "generate") == ("1/base.py", 2)
    assert method_place(tmp_path, "stream") is None


def test_no_source_and_source_that_cannot_be_read_have_no_line(tmp_path: Path) -> None:
    assert method_place(tmp_path / "gone", "predict") is None
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.py").write_text("class Broken(:\n")
    assert method_place(tmp_path, "predict") is None
