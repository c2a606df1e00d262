"""Reads the tools of a model's MCP server from its source: their names, and what each of them takes.

@server.tool                 async def add(left: int, right: int = 1)            FastMCP, of fastmcp or of mcp
@server.list_tools()         return [Tool(name="add", inputSchema={…})]          the plain server of mcp
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.given_models import NOT_READ
from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.given_arguments import Function
from clarifai_emulator.contracts.endpoints.written_python import arguments
from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.models.image_content import model_file_of

_MOST_FILES = 50
# They bring tools that the source does not show.
_BRINGING = frozenset(
    {"mount", "import_server", "from_openapi", "from_fastapi", "as_proxy", "from_client", "add_provider"}
)
_OWN_PARAMETERS = frozenset({"Context", "ctx"})
_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool. ``parameters``: the name of the type of each, empty where it is not a plain one; ``required``: those
    without a default. ``is_open``: it takes others, too."""

    name: str
    parameters: Mapping[str, str]
    required: frozenset[str]
    location: Location
    is_open: bool = False


@dataclass(slots=True)
class McpTools:
    """The tools of a server. ``is_whole``: it has no others, as far as the source says."""

    tools: dict[str, McpTool] = field(default_factory=dict[str, McpTool])
    is_whole: bool = True


def read_mcp_tools(directory: Path) -> McpTools:
    """Read the tools that the code in a model directory registers."""
    found = McpTools()
    files = _files(directory)
    beside = _Beside(files)
    for path in files:
        try:
            source = Source(path, path.read_bytes())
            _ = source.nodes
        except (OSError, SyntaxError, ValueError, RecursionError):
            found.is_whole = False
            continue
        _File(ClientCode(source, beside), found).read()
    command = _stdio_command(directory)
    if not found.tools or (command and not any(path.name in command for path in files)):
        found.is_whole = False
    return found


def misfit(kind: str, value: object) -> bool:
    """Tell whether a value cannot be what the parameter's type says. Numbers in texts are left to the server."""
    expected = _KINDS.get(kind)
    if expected is None or value is None:
        return False
    if isinstance(value, bool):
        return bool not in expected and int not in expected
    if isinstance(value, str) and expected[0] in (int, bool):
        return not value.strip().lstrip("+-").replace(".", "", 1).isdigit() and expected[0] is int
    if isinstance(value, int | float) and bool in expected:
        return value not in (0, 1)
    return not isinstance(value, expected)


class _Beside:
    """Finds the modules of the model's own files."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = {path.stem: path for path in files}
        self._sources: dict[Path, Source] = {}

    def find(self, module: str, level: int, source: Source) -> Source | None:
        path = self._files.get(module.rpartition(".")[2])
        if path is None:
            return None
        if path not in self._sources:
            try:
                self._sources[path] = Source(path, path.read_bytes())
            except (OSError, ValueError):
                return None
        return self._sources[path]


class _File:
    """Reads the tools of one file."""

    def __init__(self, code: ClientCode, found: McpTools) -> None:
        self._code = code
        self._found = found

    def read(self) -> None:
        for node in self._code.source.nodes:
            if isinstance(node, Function):
                for each in node.decorator_list:
                    self._decorated(node, each)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                self._called(node, node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id)

    def _decorated(self, function: Function, decorator: ast.expr) -> None:
        call = decorator if isinstance(decorator, ast.Call) else None
        named = call.func if call is not None else decorator
        if isinstance(named, ast.Attribute) and named.attr == "tool":
            self._add(function, call)

    def _called(self, call: ast.Call, name: str) -> None:
        if name in _BRINGING:
            self._found.is_whole = False
        elif name in ("add_tool", "tool", "from_function") and call.args:
            made = self._code.definition(call.args[0])
            is_text = isinstance(call.args[0], ast.Constant)
            if made is not None and isinstance(made.node, Function):
                self._add(made.node, call if name != "add_tool" else None)
            elif not is_text and not isinstance(call.args[0], ast.Call):
                self._found.is_whole = False
        elif name == "Tool":
            self._declared(call)

    def _add(self, function: Function, call: ast.Call | None) -> None:
        given = arguments(self._code, call, ("name_or_fn",)) if call is not None else None
        named = given.first("name", "name_or_fn") if given is not None else None
        if named is not None and named.value is not None and not named.text:
            self._found.is_whole = False
            return
        name = named.text if named is not None and named.text else function.name
        excluded = given.values.get("exclude_args") if given is not None else None
        left_out = {each.text for each in (excluded.elements or ())} if excluded is not None else set[str]()
        parameters, required = _parameters(function, left_out)
        is_open = function.args.kwarg is not None
        location = self._code.source.location(function)
        at = Location(location.path, function.lineno, function.col_offset + 1)
        self._found.tools[name] = McpTool(name, parameters, required, at, is_open)

    def _declared(self, call: ast.Call) -> None:
        given = arguments(self._code, call)
        name, schema = given.first("name"), given.first("inputSchema", "input_schema", "parameters")
        if name is None or not name.text:
            self._found.is_whole = False
            return
        properties = schema.at("properties") if schema is not None else None
        required = schema.at("required") if schema is not None else None
        items = (properties.items or {}) if properties is not None else {}
        kinds = {key: _schema_kind(value.at("type")) for key, value in items.items()}
        needed = (
            frozenset(each.text for each in (required.elements or ())) if required is not None else frozenset[str]()
        )
        is_open = properties is None or properties.items is None or not properties.is_whole
        where = self._code.source.location(call)
        self._found.tools[name.text] = McpTool(name.text, kinds, needed, where, is_open)


def _schema_kind(value: object) -> str:
    return str(getattr(value, "text", "") or "")


def _parameters(function: Function, left_out: set[str]) -> tuple[dict[str, str], frozenset[str]]:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    defaults: dict[str, ast.expr | None] = {
        each.arg: value for each, value in zip(reversed(plain), reversed(given.defaults), strict=False)
    }
    defaults |= {each.arg: value for each, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value}
    parameters: dict[str, str] = {}
    required: set[str] = set()
    for each in (*plain, *given.kwonlyargs):
        if each.arg in left_out or each.arg in ("self", "cls") or _is_own(each, defaults.get(each.arg)):
            continue
        parameters[each.arg] = _kind(each.annotation)
        default = defaults.get(each.arg)
        has_none = default is None or _is_required_field(default)
        if has_none and not _has_default(each.annotation):
            required.add(each.arg)
    return parameters, frozenset(required)


def _is_own(argument: ast.arg, default: ast.expr | None) -> bool:
    """Tell whether the server gives the parameter itself: the context of the request."""
    annotation = ast.unparse(argument.annotation) if argument.annotation is not None else ""
    provided = isinstance(default, ast.Call) and "Depends" in ast.unparse(default.func)
    return provided or "Context" in annotation or argument.arg in _OWN_PARAMETERS


def _kind(annotation: ast.expr | None) -> str:
    if annotation is None:
        return ""
    if isinstance(annotation, ast.Subscript):
        outer = ast.unparse(annotation.value).rpartition(".")[2]
        inner = annotation.slice.elts[0] if isinstance(annotation.slice, ast.Tuple) else annotation.slice
        if outer in ("Annotated", "Optional"):
            return _kind(inner)
        return {"List": "list", "list": "list", "Dict": "dict", "dict": "dict"}.get(outer, "")
    name = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
    return name if isinstance(name, str) and name in _KINDS else ""


def _is_required_field(default: ast.expr) -> bool:
    """Tell whether a default says that there is none: ``Field(description=…)``, ``Field(...)``."""
    if not isinstance(default, ast.Call) or not ast.unparse(default.func).endswith("Field"):
        return False
    if any(each.arg in ("default", "default_factory") for each in default.keywords):
        return False
    return not default.args or (isinstance(default.args[0], ast.Constant) and default.args[0].value is ...)


def _has_default(annotation: ast.expr | None) -> bool:
    nodes = ast.walk(annotation) if annotation is not None else ()
    return any(isinstance(each, ast.keyword) and each.arg in ("default", "default_factory") for each in nodes)


def _files(directory: Path) -> list[Path]:
    found = [model_file_of(directory)]
    for path in sorted(directory.rglob("*.py")):
        inside = path.relative_to(directory).parts
        if path not in found and NOT_READ.isdisjoint(inside) and len(found) < _MOST_FILES:
            found.append(path)
    return [path for path in found if path.is_file()]


def _stdio_command(directory: Path) -> list[str]:
    """Return the command that config.yaml starts the server with; empty where the model's code is the server."""
    try:
        content = yaml.safe_load((directory / "config.yaml").read_text(encoding="utf-8"))
        server = content.get("mcp_server") or {}
        return [str(server.get("command", "")), *map(str, server.get("args") or ())] if server else []
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return []
