"""Defines the command ``predict``, which makes a call with the real SDK and shows its rule and replica."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.callers import CommandCaller, chosen_caller
from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.interruption import Interrupted
from clarifai_emulator.cli.model_names import read_model_name
from clarifai_emulator.cli.output import (
    FAILED,
    NO_ROUTE,
    Failure,
    json_option,
    port_option,
    print_json,
    status_name,
    warn,
)
from clarifai_emulator.cli.terminal_text import inert
from clarifai_emulator.control.client import Client
from clarifai_emulator.messages.address import ModelAddress

# A number after every event: the answer has no event, only the number of the newest.
_AFTER_ALL = 2**53
_QUOTED = r'"((?:[^"\\]|\\.)*)"'


@click.command(short_help="Call a method of a model and show the answer.")
@click.argument("model", shell_complete=completing.models)
@click.argument("words", nargs=-1, metavar="[METHOD] [NAME=VALUE]...", shell_complete=completing.words)
@click.option(
    "--deployment", default=None, shell_complete=completing.deployments, help="Send it to this deployment."
)
@click.option(
    "--cluster",
    default=None,
    shell_complete=completing.clusters,
    help="Send it to a nodepool of this compute cluster; with --nodepool.",
)
@click.option(
    "--nodepool",
    default=None,
    shell_complete=completing.nodepools,
    help="Send it to this nodepool; with --cluster.",
)
@port_option()
@json_option()
def predict(model: str, words: tuple[str, ...], port: int | None, as_json: bool, **options: Any) -> None:
    """Call METHOD (default: predict) of MODEL with the Clarifai SDK and show the answer.

    Values are text as it is, or JSON for other types; files are @path. A streamed argument is given once per
    item, or read line by line from stdin with `-`. The answer goes to stdout, the route to stderr.

    The call carries the token in CLARIFAI_PAT where the emulator knows it, or where CLARIFAI_API_BASE is the
    emulator's address; else the emulator's own. CLARIFAI_USER_ID is used beside such a token. Other CLARIFAI_
    variables, and the SDK's settings file, are not.

    \b
    Examples:
      clarifai-emulator predict hello prompt=world n=3
      clarifai-emulator predict me/demo/models/hello generate prompt=world
      printf 'one\\ntwo\\n' | clarifai-emulator predict hello stream -
      clarifai-emulator predict detector image=@photo.jpg --deployment deploy-detector
      clarifai-emulator predict hello prompt=world --cluster local --nodepool cpu --json
      CLARIFAI_PAT=bob-token clarifai-emulator predict ada/demo/models/hello prompt=world
    """
    if bool(options["cluster"]) != bool(options["nodepool"]):
        raise click.UsageError("--cluster and --nodepool belong together: give both.")
    if options["deployment"] and options["nodepool"]:
        raise click.UsageError("A request goes to a deployment or to a nodepool, not to both.")
    with connect(port) as client:
        name = read_model_name(model, client.result("Status")["models"])
        caller = chosen_caller(client)
        if caller.note:
            warn(caller.note)
        newest = client.result("Events", since=_AFTER_ALL)["last_seq"]
        try:
            report = _call(client, caller, name, words, options, as_json)
        except (click.ClickException, BrokenPipeError):  # stdout was closed: click ends the command quietly
            raise
        except KeyboardInterrupt:
            raise Interrupted("The request was cancelled.") from None
        except Exception as error:  # the SDK raises Exception itself for every status
            raise _failure(client, caller, error, newest) from None
        report |= _route(client, str(report["request_id"]), newest)
    report |= {"user_id": caller.user_id, "token": caller.source}
    if as_json:
        print_json(report)
    else:
        _show_route(report, caller)


def _call(
    client: Client,
    caller: CommandCaller,
    name: ModelAddress,
    words: tuple[str, ...],
    options: Mapping[str, Any],
    as_json: bool,
) -> dict[str, Any]:
    """Make the call; show each answer as it comes, unless answers are wanted as JSON."""
    from clarifai_emulator.cli.answer_output import as_json_value, as_text
    from clarifai_emulator.cli.argument_values import chosen_method, read_arguments
    from clarifai_emulator.cli.sdk import sdk_for

    method, values = ("", words) if not words or "=" in words[0] or words[0] == "-" else (words[0], words[1:])
    with sdk_for(client.running, caller) as sdk:
        model = sdk.Model(
            name.url,
            deployment_id=options["deployment"],
            compute_cluster_id=options["cluster"],
            nodepool_id=options["nodepool"],
        )
        signature = chosen_method(_signatures(model.client, name), method)
        arguments = read_arguments(signature, values, sys.stdin)
        _tell_findings(model.client, signature["name"], arguments)
        answers: list[Any] = []
        request_id = ""
        for value, response in _answers(model.client, signature, arguments):
            answers.append(as_json_value(value) if as_json else None)
            request_id = response.status.req_id
            if not as_json:
                text = as_text(value)
                click.echo(inert(text) if sys.stdout.isatty() else text)
    one = signature["method_type"] == "UNARY_UNARY"
    answer = {"answer": answers[0]} if one and answers else {"chunks": answers}
    return {"method": signature["name"], **answer, "request_id": request_id}


def _signatures(client: Any, name: ModelAddress) -> list[dict[str, Any]]:
    from clarifai_emulator.messages.json import as_dict

    try:
        client.fetch()
    except ValueError:  # the model has answered as if it had been asked for a prediction: with no JSON
        raise Failure(
            f"Model {name.name} answers messages, as models were written before clarifai 11.3.0: it has no methods "
            "that this command could call.",
            hint=f'Call it with the SDK: `Model(url="{name.url}").predict_by_bytes(b"…", input_type="text")`.',
        ) from None
    return [as_dict(each) for each in client._method_signatures.values()]


def _tell_findings(client: Any, method: str, arguments: Mapping[str, Any]) -> None:
    """Say on stderr what `check` would say of these arguments; the answer does not change."""
    from clarifai_emulator.contracts.values.python_values import check_arguments

    for finding in check_arguments(client._method_signatures[method], arguments):
        click.secho(f"{finding.rule}: {finding.message}", fg="yellow", err=True)


def _answers(client: Any, signature: Mapping[str, Any], arguments: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of a value and the response it came in."""
    answer = getattr(client, signature["name"])(**arguments, with_proto=True)
    if signature["method_type"] == "UNARY_UNARY":
        yield answer
    else:
        yield from answer


def _route(client: Client, request_id: str, since: int) -> dict[str, Any]:
    """Return the rule, deployment, nodepool, replica and time of a request, from the emulator's events."""
    found: dict[str, Any] = {}
    for answer in client.answers("Events", since=since):
        event = answer.get("event", {})
        if event.get("request_id") != request_id:
            continue
        if event["kind"] == "route.decided":
            found |= {"rule": event["rule"], "deployment": event["deployment"], "nodepools": event["nodepools"]}
        elif event["kind"] == "route.refused":
            found |= {"refused": True, "rejected": event["rejected"]}
        elif event["kind"] == "request.finished":
            found |= {"replica_id": event.get("replica_id", ""), "nodepool": event.get("nodepool", "")}
            found["milliseconds"] = event["milliseconds"]
    return found


def _show_route(report: Mapping[str, Any], caller: CommandCaller) -> None:
    if "rule" not in report:
        return
    where = report["deployment"] or "shared compute"
    who = f", as {caller.user_id} ({caller.source})" if caller.is_one_of_several else ""
    click.echo(
        click.style(
            f"{report['rule']} → {where} in nodepool {report.get('nodepool', '')}, replica "
            f"{report.get('replica_id', '')[:8]}, {report.get('milliseconds', 0.0):.1f} ms{who}",
            dim=True,
        ),
        err=True,
    )


def _failure(client: Client, caller: CommandCaller, error: Exception, since: int) -> Failure:
    """Put the SDK's exception in words: the SDK shows a response's status as protobuf text."""
    text = str(error)
    request_id = _quoted("req_id", text)
    facts = _route(client, request_id[0], since) if request_id else {}
    code = re.search(r"\bcode: (\w+)", text)
    trace = _quoted("stack_trace", text)
    # An error without a message, as of a bare `assert`, is told by the last line of its traceback.
    said = [
        *_quoted("details", text)[:1],
        *reversed("\n".join(trace).splitlines()),
        *_quoted("description", text)[:1],
    ]
    message = next((each.strip() for each in said if each.strip()), "")
    if code is None or not message:
        return Failure(f"{type(error).__name__}: {text}", code=FAILED, data=facts)
    rejected = [f"not taken: {each['what']}: {each['reason']}" for each in facts.get("rejected", ())]
    return Failure(
        f"{_code_text(code[1])}: {message}",
        log="\n".join([*trace, *rejected]),
        hint=_hint(caller, message),
        code=NO_ROUTE if facts.get("refused") else FAILED,
        data={**facts, "status": code[1], "request_id": request_id[0] if request_id else ""},
    )


def _hint(caller: CommandCaller, message: str) -> str:
    if caller.is_one_of_several:  # what one user may see and call, another may not
        who = f"user '{caller.user_id}'" if caller.user_id else "a user that the emulator does not know"
        return f"The call was made as {who}, by {caller.source}."
    return "" if "clarifai-emulator" in message else "`clarifai-emulator logs` shows what the model printed."


def _code_text(name: str) -> str:
    from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

    return status_name(StatusCode.Value(name)) if name in StatusCode.keys() else name  # noqa: SIM118 - no mapping


def _quoted(field: str, text: str) -> list[str]:
    """Return the values of a string field in protobuf text."""
    from google.protobuf.text_encoding import CUnescape

    found = re.findall(rf"\b{field}: {_QUOTED}", text)
    return [CUnescape(each).decode("utf-8", "replace") for each in found]
