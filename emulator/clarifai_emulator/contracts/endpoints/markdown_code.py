"""Finds the code in Markdown that is no Python: blocks of shell commands, JavaScript and TypeScript."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from clarifai_emulator.contracts.calls.markdown_blocks import MarkdownBlock, markdown_blocks
from clarifai_emulator.contracts.endpoints.embedded_code import EmbeddedCode, assign, with_assignments
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN

_SHELL = frozenset({"sh", "bash", "shell", "zsh", "console", "shell-session", "shellsession", "terminal"})
_SCRIPTS = {
    **dict.fromkeys(("js", "javascript", "mjs", "cjs", "jsx", "node", "tsx"), "tsx"),
    **dict.fromkeys(("ts", "typescript", "mts"), "typescript"),
}
_PROMPT = re.compile(r"[ \t]*(?:[\w.@:~-]*[$%#]|\(\w+\) ?\$) ")
_ASSIGNED = re.compile(
    r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)=(?P<value>\"[^\"`]*\"|'[^']*'|[^\s\"'`;&|]+)[ \t]*$"
)
# What a reader puts something in for: <MODEL_ID>, {model_id} in a path, YOUR_MODEL.
_PLACEHOLDER = re.compile(r"<[A-Za-z][\w .-]*>|(?<=/)\{\w+\}|\bYOUR[-_]\w+|(?<=[\"'\s])\.\.\.(?=[\"'\s])|…")


def markdown_code(text: str) -> Iterator[EmbeddedCode]:
    """Yield the blocks. What one block of commands sets is known in all of them."""
    assignments = EmbeddedCode("bash")
    commands: list[EmbeddedCode] = []
    for block in markdown_blocks(text):
        if block.language in _SHELL:
            commands.append(_commands(block, assignments))
        elif block.language in _SCRIPTS:
            code = EmbeddedCode(_SCRIPTS[block.language])
            _lines(code, block, [(index, 0) for index in range(len(block.lines))])
            yield code
    yield from (with_assignments(assignments, each) for each in commands)


def _commands(block: MarkdownBlock, assignments: EmbeddedCode) -> EmbeddedCode:
    code = EmbeddedCode("bash")
    _lines(code, block, _typed(block))
    for index, start in _typed(block):
        found = _ASSIGNED.match(block.lines[index][start:])
        if found is not None and not _PLACEHOLDER.search(found["value"]):
            column = block.shifts[index] + start + found.start("value") + 1
            assign(assignments, found["name"], found["value"], block.line + index, column)
    return code


def _typed(block: MarkdownBlock) -> Sequence[tuple[int, int]]:
    """Return the lines that somebody types, with the length of the prompt: all lines where there are no prompts."""
    prompts = [_PROMPT.match(each) for each in block.lines]
    if not any(prompts):
        return [(index, 0) for index in range(len(block.lines))]
    typed: list[tuple[int, int]] = []
    waiting = ""
    for index, (line, prompt) in enumerate(zip(block.lines, prompts, strict=True)):
        if waiting or prompt is not None:
            start = prompt.end() if prompt is not None and not waiting else 0
            typed.append((index, start))
            waiting = f"{waiting}{line[start:]}\n"
            waiting = waiting if _goes_on(waiting) else ""
    return typed


def _goes_on(command: str) -> bool:
    """Tell whether a command goes on in the next line: behind a backslash, or within quotes."""
    quote = ""
    position = 0
    while position < len(command):
        each = command[position]
        if each == "\\" and quote != "'":
            position += 1
        elif quote:
            quote = "" if each == quote else quote
        elif each in "\"'":
            quote = each
        position += 1
    return bool(quote) or command.endswith("\\\n")


def _lines(code: EmbeddedCode, block: MarkdownBlock, lines: Sequence[tuple[int, int]]) -> None:
    is_shell = code.language == "bash"
    for index, start in lines:
        text, number, shift = block.lines[index][start:], block.line + index, block.shifts[index] + start
        done = 0
        for found in _PLACEHOLDER.finditer(text) if is_shell else ():
            code.add(text[done : found.start()], number, shift + done + 1)
            code.add(UNSEEN, number, shift + found.start() + 1, is_fixed=True)
            done = found.end()
        code.add(text[done:], number, shift + done + 1)
        code.end_line()
