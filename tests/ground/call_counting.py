"""Counts the calls of models in client code by its tree, as a person would who skims the file.

It shares nothing with the checker and is generous: a call counts where its receiver comes, by any assignment,
argument, attribute or return in the same file, from a class of the SDK that calls models; in a file that imports
such a class, a call of ``predict`` and its like counts on any receiver that is named after a model. The kinds:

    sdk        model.predict(prompt=…), generate, stream, async_…, methods of a model's own
    legacy     predict_by_url and its like, predict(inputs=[…])
    workflow   workflow.predict…
    openai     client.chat.completions.create(…) and its like, in a file that names Clarifai's address
    framework  LLM(model="…clarifai…"), completion("clarifai/…"), langchain's and llama-index's Clarifai(…)
    mcp        client.call_tool(…) and its like, in a file that names Clarifai's MCP address
    rest       requests.post("https://api.clarifai.com/…/outputs")
    grpc       stub.PostModelOutputs(…), PostWorkflowResults
    rest-sdk   ClarifaiApp().models.get(…).predict…, of the SDK before 9
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from ground.client_code import Piece, pieces

# Classes of the SDK whose instances call models, and what makes more of them.
_MODELS = {"Model", "ModelClient"}
_WORKFLOWS = {"Workflow"}
_MAKERS = {"User", "App", "ClarifaiApp"}
_OPENAI = {"OpenAI", "AsyncOpenAI"}
_FRAMEWORKS = {
    "LLM", "ChatOpenAI", "OpenAILike", "OpenAIChat", "OpenAIModel", "OpenAIChatModel", "LiteLLMModel", "LiteLlm",
    "OpenAIServerModel", "ChatLiteLLM", "Clarifai", "ClarifaiEmbeddings", "ClarifaiEmbedding", "ClarifaiLLM",
    "ClarifaiChat", "ChatClarifai", "LM", "completion", "acompletion", "OpenAIEmbeddings",
}  # fmt: skip
_CALLING = re.compile(r"^(async_)?(predict|generate|stream|chat)(_by_\w+|_with_\w+)?$")
_LEGACY = re.compile(r"_by_(url|bytes|filepath|file|base64|filename)$")
_OPENAI_CALLS = {"create", "parse", "stream", "generate"}
_MCP_CALLS = {"call_tool", "list_tools", "read_resource", "get_prompt", "list_resources", "list_prompts"}
_GRPC = re.compile(r"^(Post|Generate|Stream)(ModelOutputs|WorkflowResults)$")
_HTTP = {"post", "request", "stream", "send"}
# Attributes of the SDK's Model that ask the platform about it, and call no model.
_ABOUT = {
    "available_methods", "method_signature", "generate_client_script", "load_info", "list_versions", "get_model",
    "list_training_templates", "get_params", "update_params", "get_param_info", "train", "training_status",
    "create_version", "create_version_by_file", "create_version_by_url", "delete_version", "evaluate", "export",
    "list_evaluations", "get_eval_by_id", "get_latest_eval", "get_raw_eval", "get_latest_raw_eval", "get_by_id",
    "set_runner_selector", "patch_version", "delete", "list_concepts", "model_info", "fetch", "client",
    "pop", "append", "get", "items", "keys", "values", "update", "copy", "format", "join", "lower", "split",
    "get_eval_by_dataset", "get_raw_eval_by_dataset", "to_dict", "get_info", "set_event_loop", "extend",
}  # fmt: skip
_HINT = re.compile(r"model|workflow|client|llm|clarifai", re.IGNORECASE)


def _parts(value: ast.expr) -> list[ast.expr]:
    """Return the expressions that an expression gives one of, or holds."""
    if isinstance(value, ast.IfExp):
        return [value.body, value.orelse]
    if isinstance(value, ast.BoolOp | ast.Dict):
        return value.values
    return value.elts if isinstance(value, ast.List | ast.Tuple) else []


@dataclass(frozen=True, slots=True)
class CountedCall:
    """A place where a person sees a call of a model. ``line`` and ``end_column``: where the name of what is called
    ends. Both count from 1, lines in the cell for a notebook."""

    kind: str
    method: str
    cell: int
    line: int
    end_column: int
    node: ast.Call


def counted(path: Path) -> list[CountedCall]:
    """Return the calls in a Python file or notebook, in their order."""
    code = list(pieces(path))
    if not any("clarifai" in piece.text.lower() for piece in code):
        return []
    return _Counting(code).calls()


class _Counting:
    def __init__(self, code: list[Piece]) -> None:
        self._code = code
        self._text = "\n".join(piece.text for piece in code)
        self._nodes = [(piece.cell, node) for piece in code for node in ast.walk(piece.tree)]
        self._names: dict[str, str] = {}  # the name of a class in this file → the class
        self._held: dict[str, str] = {}  # a name, attribute or function that holds something → its kind
        self._lines = {piece.cell: piece.text.split("\n") for piece in code}
        self._is_rest_sdk = bool(re.search(r"clarifai\.rest|import clarifai_basic", self._text))
        self._imports()
        self._spread()

    def calls(self) -> list[CountedCall]:
        found: list[CountedCall] = []
        for cell, node in self._nodes:
            if isinstance(node, ast.Call) and (kind := self._kind(node)):
                method = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                line, end = node.func.end_lineno or node.lineno, node.func.end_col_offset or 0
                before = self._lines[cell][line - 1].encode()[:end].decode()
                found.append(CountedCall(kind, method, cell, line, len(before) + 1, node))
        return sorted(found, key=lambda each: (each.cell, each.line, each.node.col_offset))

    def _imports(self) -> None:
        for _, node in self._nodes:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self._names[alias.asname or alias.name] = self._class(node.module or "", alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self._names[alias.asname or alias.name.partition(".")[0]] = ""
        self._names = {name: kind for name, kind in self._names.items() if kind}

    def _class(self, module: str, name: str) -> str:
        if module.startswith("clarifai") and name in {*_MODELS, *_WORKFLOWS, *_MAKERS}:
            return "model" if name in _MODELS else "workflow" if name in _WORKFLOWS else "maker"
        if name in _OPENAI and "clarifai" in self._text.lower():
            return "openai"
        if "vectorstore" in module:
            return ""  # it searches inputs, and calls no model
        return "framework" if name in _FRAMEWORKS else ""

    def _spread(self) -> None:
        """Follow what holds a model, until nothing new holds one."""
        for _ in range(8):
            before = dict(self._held)
            for _, node in self._nodes:
                self._spread_from(node)
            if self._held == before:
                return

    def _spread_from(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self._hold(target, self._of(node.value))
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._hold(node.optional_vars, self._of(node.context_expr))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return | ast.Yield) and inner.value is not None:
                    self._note(node.name, self._of(inner.value))
            for argument in (*node.args.args, *node.args.kwonlyargs):
                if argument.annotation is not None:
                    self._note(argument.arg, self._annotated(argument.annotation))
        elif isinstance(node, ast.For):
            self._hold(node.target, self._of(node.iter))

    def _hold(self, target: ast.expr, held: str) -> None:
        if isinstance(target, ast.Name):
            self._note(target.id, held)
        elif isinstance(target, ast.Attribute):
            self._note(f".{target.attr}", held)
        elif isinstance(target, ast.Subscript):
            self._hold(target.value, held)

    def _note(self, name: str, held: str) -> None:
        if held:
            self._held.setdefault(name, held)

    def _annotated(self, annotation: ast.expr) -> str:
        names = re.findall(r"\w+", ast.unparse(annotation))
        kinds = (self._names.get(name, "") for name in names)
        return next((kind for kind in kinds if kind in ("model", "workflow")), "")

    def _of(self, value: ast.expr) -> str:
        """Return what an expression gives, as far as a person would say."""
        if isinstance(value, ast.Name):
            return self._held.get(value.id, "")
        if isinstance(value, ast.Attribute):
            return self._held.get(f".{value.attr}", "")
        if isinstance(value, ast.Await | ast.Starred | ast.Subscript):
            return self._of(value.value)
        if isinstance(value, ast.Call):
            return self._of_call(value)
        return next(filter(None, map(self._of, _parts(value))), "")

    def _of_call(self, call: ast.Call) -> str:
        if isinstance(call.func, ast.Name):
            name = call.func.id
            return self._names[name] if name in self._names else self._held.get(name, "")
        if not isinstance(call.func, ast.Attribute):
            return ""
        attribute, receiver = call.func.attr, call.func.value
        held = self._of(receiver)
        if attribute in {"Model", "Workflow", *_OPENAI} and not held:
            return {"Model": "model", "Workflow": "workflow"}.get(attribute, "openai")
        if held == "maker":
            is_model = "model" in attribute and "list" not in attribute
            return "model" if is_model else "workflow" if attribute == "workflow" else "maker"
        return self._held.get(f".{attribute}", "") or self._held.get(attribute, "")

    def _kind(self, call: ast.Call) -> str:
        if isinstance(call.func, ast.Name):
            return (
                "framework" if self._names.get(call.func.id) == "framework" and self._names_clarifai(call) else ""
            )
        if not isinstance(call.func, ast.Attribute):
            return ""
        method, receiver = call.func.attr, call.func.value
        if method in ("completion", "acompletion") and "litellm" in ast.unparse(receiver):
            return "framework" if "clarifai" in self._text.lower() else ""
        if _GRPC.match(method):
            return "grpc"
        if method in _MCP_CALLS and "ext/mcp" in self._text:
            return "mcp"
        if method in _HTTP and re.search(
            r"requests|httpx|session|client|http", ast.unparse(receiver), re.IGNORECASE
        ):
            return "rest" if self._is_rest(call) else ""
        if method in _OPENAI_CALLS and self._is_openai(receiver):
            return "openai"
        return self._sdk_kind(call, method, receiver)

    def _sdk_kind(self, call: ast.Call, method: str, receiver: ast.expr) -> str:
        held = self._of(receiver)
        calling = bool(_CALLING.match(method))
        if self._is_rest_sdk:
            return "rest-sdk" if method.startswith("predict") else ""
        if held == "workflow":
            return "workflow" if method.startswith("predict") else ""
        if held == "model" and (calling or method not in _ABOUT) and not method.startswith("_"):
            return "legacy" if self._is_legacy(call, method) else "sdk"
        if not held and calling and "model" in self._names.values() and _HINT.search(ast.unparse(receiver)[:80]):
            return "legacy" if self._is_legacy(call, method) else "sdk"
        if not held and _LEGACY.search(method) and re.search(r"from clarifai|import clarifai", self._text):
            return "legacy"
        return ""

    def _is_legacy(self, call: ast.Call, method: str) -> bool:
        if _LEGACY.search(method):
            return True
        if method not in ("predict", "generate", "stream"):
            return False
        names = {each.arg for each in call.keywords}
        if names & {"inputs", "inference_params", "output_config"}:
            return True
        return bool(call.args) and isinstance(call.args[0], ast.List)

    def _is_openai(self, receiver: ast.expr) -> bool:
        path = ast.unparse(receiver)
        if not re.search(r"(completions|responses|images|embeddings|transcriptions|speech|models)$", path):
            return False
        return "clarifai" in self._text.lower() and bool(re.search(r"openai", self._text, re.IGNORECASE))

    def _is_rest(self, call: ast.Call) -> bool:
        told = ast.unparse(call)
        if "clarifai" in told.lower():
            return True
        return bool(re.search(r"api\.clarifai\.com", self._text)) and bool(
            call.args and isinstance(call.args[0], ast.Name | ast.Attribute | ast.JoinedStr)
        )

    def _names_clarifai(self, call: ast.Call) -> bool:
        told = ast.unparse(call)
        if "clarifai" in told.lower():
            return True
        return "ext/openai" in self._text and bool(re.search(r"base_url|api_base", told))
