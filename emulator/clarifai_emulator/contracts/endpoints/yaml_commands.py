"""Finds the commands in YAML that others run: GitHub's workflows, GitLab, CircleCI, compose, Kubernetes, Taskfiles.

run: |            a text that a shell runs            command: [curl, …]      the words of a command
script: [ … ]     commands, one after the other       env: {API: https://…}   what variables stand for
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from clarifai_emulator.contracts.endpoints.embedded_code import (
    CommandWord,
    EmbeddedCode,
    assign,
    listed_command,
    with_assignments,
)
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN

_SHELL = frozenset({"run", "cmd", "command", "entrypoint", "test", "script", "before_script", "after_script"})
_SEVERAL = frozenset({"script", "before_script", "after_script", "cmds"})
_WORDS = frozenset({"command", "entrypoint", "test", "args"})
_VARIABLES = frozenset({"env", "environment", "variables", "vars"})
# ${{ secrets.PAT }}, of which nothing is known; compose's $$.
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}|\$\$(?=[A-Za-z_{])")


def yaml_commands(text: str) -> Iterator[EmbeddedCode]:
    """Yield the commands. Raises ``yaml.YAMLError`` where the file is no YAML."""
    reader = _Reader(text)
    for document in yaml.compose_all(text, Loader=yaml.SafeLoader):
        reader.read(document)
    yield from (with_assignments(reader.assignments, each) for each in reader.commands)


class _Reader:
    """Walks through a file."""

    def __init__(self, text: str) -> None:
        self.assignments = EmbeddedCode("bash")
        self.commands: list[EmbeddedCode] = []
        self._lines = text.split("\n")
        self._seen: set[int] = set()

    def read(self, document: yaml.Node) -> None:
        waiting: list[yaml.Node] = [document]
        while waiting:
            node = waiting.pop()
            if id(node) in self._seen:  # an anchor's
                continue
            self._seen.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                waiting += reversed(node.value)
            elif isinstance(node, yaml.MappingNode):
                self._mapping(node)
                waiting += [value for _, value in reversed(node.value)]

    def _mapping(self, node: yaml.MappingNode) -> None:
        named = {str(key.value): value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
        shell = named.get("shell")
        is_other = isinstance(shell, yaml.ScalarNode) and str(shell.value).startswith(("python", "pwsh", "node"))
        for name, value in named.items():
            if name in _VARIABLES and isinstance(value, yaml.MappingNode):
                self._variables(value)
            elif name in _SHELL and isinstance(value, yaml.ScalarNode) and not is_other:
                self.commands.append(self._text(value))
            elif isinstance(value, yaml.SequenceNode) and name in _SEVERAL:
                self.commands += [self._text(each) for each in _scalars(value)]
            elif isinstance(value, yaml.SequenceNode) and name in _WORDS:
                words = [CommandWord(_known(str(each.value)), *_start(each)) for each in _scalars(value)]
                self.commands += [listed_command(words)] if words else []

    def _variables(self, node: yaml.MappingNode) -> None:
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                name, text = str(key.value), _known(str(value.value))
                if re.fullmatch(r"[A-Za-z_]\w*", name) and text and "\n" not in text:
                    assign(self.assignments, name, text, *_start(value))

    def _text(self, node: yaml.ScalarNode) -> EmbeddedCode:
        """Return a text that a shell runs, with the place of each of its lines."""
        code = EmbeddedCode("bash")
        if node.style in ("|", ">"):
            self._block(node, code)
            return code
        line, column = _start(node)
        start = column - 1 + (1 if node.style else 0)
        raw = self._lines[line - 1]
        # A text that is written in another way than it is meant has one place.
        _add(code, str(node.value), line, start + 1, is_fixed=not raw.startswith(str(node.value), start))
        return code

    def _block(self, node: yaml.ScalarNode, code: EmbeddedCode) -> None:
        first = node.start_mark.line + 1
        lines = self._lines[first:]
        indent = next((len(each) - len(each.lstrip(" ")) for each in lines if each.strip()), 0)
        inner: list[str] = []
        for each in lines:
            if each.strip() and not each.startswith(" " * indent):
                break
            inner.append(each[indent:])
        for index, each in enumerate(inner):
            # In a folded text a line goes on in the next one.
            goes_on = node.style == ">" and index + 1 < len(inner) and each.strip() and inner[index + 1].strip()
            _add(code, f"{each} \\" if goes_on and not each.endswith("\\") else each, first + index + 1, indent + 1)
            code.end_line()


def _add(code: EmbeddedCode, text: str, line: int, column: int, *, is_fixed: bool = False) -> None:
    start = 0
    for found in _EXPRESSION.finditer(text):
        code.add(text[start : found.start()], line, column if is_fixed else column + start, is_fixed=is_fixed)
        code.add(_known(found[0]), line, column if is_fixed else column + found.start(), is_fixed=True)
        start = found.end()
    code.add(text[start:], line, column if is_fixed else column + start, is_fixed=is_fixed)


def _known(text: str) -> str:
    return _EXPRESSION.sub(lambda found: "$" if found[0] == "$$" else UNSEEN, text)


def _scalars(node: yaml.SequenceNode) -> Sequence[yaml.ScalarNode]:
    return [each for each in node.value if isinstance(each, yaml.ScalarNode)]


def _start(node: yaml.Node) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1)
