"""Checks that docstrings name their subject: plain sentences that nobody has to decode."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("emulator", "pytest_plugin", "light", "tests", "fixtures", "benchmarks", "docs")

# A docstring that begins so leaves its subject to be guessed.
SUBJECTLESS = (
    "What",
    "Which",
    "Whether",
    "Where",
    "When",
    "How",
    "Who",
    "Whose",
    "It",
    "Its",
    "One",
    "Those",
    "That",
    "These",
    "This one",
    "The same",
    "As",
    "And",
    "But",
    "Nor",
    "Or",
    "So",
)

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def test_docstrings_begin_with_their_subject_or_a_verb() -> None:
    wrong = [
        f"{path}:{node.body[0].lineno}: {text.splitlines()[0]}"
        for path, node, text in _docstrings()
        if _is_subjectless(text)
    ]
    assert not wrong, "Name the subject, or begin with a verb:\n" + "\n".join(wrong)


def test_docstrings_of_classes_and_functions_begin_with_a_capital_letter() -> None:
    wrong = [
        f"{path}:{node.body[0].lineno}: {text.splitlines()[0]}"
        for path, node, text in _docstrings()
        if not isinstance(node, ast.Module) and not text[0].isupper()
    ]
    assert not wrong, "Begin with a capital letter:\n" + "\n".join(wrong)


def test_docstrings_of_classes_and_functions_end_their_first_sentence() -> None:
    wrong = [
        f"{path}:{node.body[0].lineno}: {text.splitlines()[0]}"
        for path, node, text in _docstrings()
        if not isinstance(node, ast.Module) and text.split("\n\n")[0][-1] not in ".!?:"
    ]
    assert not wrong, "End the sentence:\n" + "\n".join(wrong)


def _docstrings() -> Iterator[tuple[str, Documented, str]]:
    """Yield every docstring that is held to the rule, with its file and the node that it documents."""
    for source in SOURCES:
        for file in sorted((ROOT / source).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if "crash_syntax" in path:  # a model that cannot be parsed
                continue
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    text = ast.get_docstring(node)
                    if text and not _is_for_users(node):
                        yield path, node, text


def _is_subjectless(text: str) -> bool:
    words = text.replace("'", " ").replace("’", " ").replace(",", " ").split()
    return words[0] in SUBJECTLESS or " ".join(words[:2]) in SUBJECTLESS


def _is_for_users(node: Documented) -> bool:
    """Tell whether the docstring is a command's help text, or describes a model's method to its clients."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
        ast.unparse(each).partition("(")[0].endswith((".command", ".group", "click.command", "ModelClass.method"))
        for each in node.decorator_list
    )
