"""Writes the package ``clarifai_emulator_check``: the emulator's modules that ``check``, ``contract`` and ``stubs``
need, under a name of their own, and the message types of clarifai-grpc that they use.

    the program ─► module_graph.py ─► copies, with other names in them ─► message_modules.py
"""

from __future__ import annotations

import ast
import io
import re
import shutil
import tokenize
from collections.abc import Iterator
from pathlib import Path

from message_modules import used_messages, with_messages_of, write_messages
from module_graph import PACKAGE, SCRIPTS, ModuleGraph, Needs

LIGHT = "clarifai_emulator_check"
# The program is another one than the whole emulator's: the module on the left is written from the one on the right.
PROGRAM = {f"{PACKAGE}.cli.main": f"{PACKAGE}.cli.light_main"}
ROOTS = (f"{PACKAGE}.__main__", *PROGRAM)
# What runs a model's requests and reloads: the parent of models, which is also who reads signatures, names them.
NEVER_RUN = tuple(
    f"{SCRIPTS}.{name}"
    for name in (
        "call_chain_main",
        "container_server_main",
        "item_steps_main",
        "lean_main",
        "own_loopback_main",
        "platform_guard_main",
        "reload_main",
    )
)
# What modules read beside themselves.
DATA = ("contracts/rules/examples", "contracts/stubs/sdk_outline", "contracts/stubs/sdk_versions.json")

_COMMAND = re.compile(r"\bclarifai-emulator (?=(?:check|contract|stubs|completion)\b)")
_OWN = re.compile(rf"\b{PACKAGE}\b")


def needs_of_light(checkout: Path) -> Needs:
    """Return what the light distribution needs, of the emulator and of other packages. ``checkout``: the folder of
    the project."""
    return _graph(checkout).needs_of(ROOTS)


def _graph(checkout: Path) -> ModuleGraph:
    return ModuleGraph(checkout / "emulator", instead=PROGRAM, without=NEVER_RUN)


def write_package(checkout: Path, target: Path) -> Path:
    """Write the package into the folder ``target``; return its own folder."""
    graph, folder = _graph(checkout), target / LIGHT
    for module in sorted(needs_of_light(checkout).modules):
        source = graph.file(module)
        text = source.read_text(encoding="utf-8")
        if source.name == "__init__.py" and _says_nothing(text):
            continue
        file = _place(folder, module, source.name == "__init__.py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(without_words(text) if _is_script(module) else _copied(module, text), encoding="utf-8")
    for name in DATA:
        source = checkout / "emulator" / PACKAGE / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / name)
    (folder / "__init__.py").write_text('"""Checks clients against Clarifai model directories; see ``cli``."""\n')
    shutil.copyfile(checkout / "LICENSE", folder / "LICENSE")
    write_messages(messages_of_light(checkout), folder, LIGHT, checkout / "light" / "message_package.py")
    return folder


def messages_of_light(checkout: Path) -> dict[str, set[str]]:
    """Return the message types that the light distribution uses, by module of clarifai-grpc."""
    graph = _graph(checkout)
    modules = [each for each in needs_of_light(checkout).modules if not _is_script(each)]
    return used_messages(graph.file(each).read_text(encoding="utf-8") for each in sorted(modules))


def _copied(module: str, text: str) -> str:
    """Return a module's text as it is there. Of commands the docstrings are the help."""
    text = rewritten(text)
    return text if module.startswith(f"{PACKAGE}.cli.") else without_words(text)


def without_words(text: str) -> str:
    """Return a module's text without its docstrings, empty lines, and comments on lines of their own, which are for
    readers of the sources and a tenth of what is on the disk."""
    gone = {
        number
        for node in _docstrings(ast.parse(text))
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_comment = token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")
        if is_comment or (token.type == tokenize.NL and not token.line.strip()):
            gone.add(token.start[0])
    lines = text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines, 1) if number not in gone)


def _docstrings(tree: ast.Module) -> Iterator[ast.Expr]:
    """Yield those of the module, its classes and functions where more than them is there."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and len(node.body) > 1
        ):
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield first


def rewritten(text: str) -> str:
    """Return a module's text with the names that the light distribution has: its package, its command, and the
    messages in it."""
    text = _OWN.sub(LIGHT, text)
    text = with_messages_of(LIGHT, text)
    return _COMMAND.sub("clarifai-emulator-check ", text)


def _says_nothing(text: str) -> bool:
    """Tell whether a package's own module holds words only. A folder is a package without it, and with it two more
    files on the disk."""
    return all(isinstance(each, ast.Expr) for each in ast.parse(text).body)


def _is_script(module: str) -> bool:
    """Tell whether a model's interpreter runs the module, with the packages of the model."""
    return module.startswith(f"{SCRIPTS}.")


def _place(folder: Path, module: str, is_package: bool) -> Path:
    file = folder.joinpath(*module.split(".")[1:])
    return file / "__init__.py" if is_package else file.with_suffix(".py")
