"""Calls that go wrong are told, and calls that are right are not."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.calls.client_check import check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.stubs.sdk_surface import surface_for
from flow.contracts.calls.conftest import FIXTURES, HEAD, CheckClient, said

PYTHON = f"Python {sys.version_info.major}.{sys.version_info.minor}"
SDK_VERSION = surface_for([]).version
URL = "https://clarifai.com/me/demo/models/hello"
NAMES = [
    ("hello.predct('x')", "unknown-method: Model 'hello' has no method 'predct'; it has 'predict', 'generate', "
     "'stream'. Did you mean 'predict'?"),
    ("hello.predict(promt='x')", "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. "
     "Did you mean 'prompt'?"),
    ("hello.predict(n=2)", "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
    ("hello.predict('x', 2, 3)", "extra-argument: predict() takes 2 arguments, 3 are given."),
    ("hello.predict('x', prompt='x')", "repeated-argument: predict() is given 'prompt' twice."),
    ("hello.predict(**{'promt': 'x'})", "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. "
     "Did you mean 'prompt'?"),
    ("hello.predict(**{'promt': 'x'}, **{})", "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. "
     "Did you mean 'prompt'?"),
    ("a, b = {'prompt': 'x'}, {'m': 2}\nhello.predict(**{**a, **b})", "unknown-argument: predict(): there is no argument 'm'; "
     "it takes prompt, n."),
    ("a = {}\nhello.predict(**(a | {'n': 2}))", "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
    ("hello.predict(*('x', 2, 3))", "extra-argument: predict() takes 2 arguments, 3 are given."),
    ("hello.predict([{'promt': each} for each in 'ab'])", "unknown-argument: An input of this batch gives 'promt', which "
     "predict() has not. Did you mean 'prompt'?"),
    ("items = []\nitems.append({'promt': 'x'})\nhello.predict(items)", "unknown-argument: An input of this batch gives "
     "'promt', which predict() has not. Did you mean 'prompt'?"),
    ("functools.partial(hello.predict)()", "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
    ("functools.partial(hello.predict, 'x')(m=2)", "unknown-argument: predict(): there is no argument 'm'; it takes prompt, n."),
    ("async def f():\n    loop = asyncio.get_running_loop()\n    print(await loop.run_in_executor(None, functools.partial(hello.predict, n=2)))",
     "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
    ("ask = functools.partial(hello.predict, n=2)\nprint(ask())",
     "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
    ("list(map(hello.predict, ['x'], [1], [2]))", "extra-argument: predict() takes 2 arguments, 3 are given."),
    ("hello.predict([{'prompt': 'x', 'm': 1}])", "unknown-argument: An input of this batch gives 'm', which "
     "predict() has not."),
]  # fmt: skip
VALUES = [
    ("hello.predict('x', n='3')", "wrong-type: predict(): argument 'n' is '3' (str), and int is expected."),
    ("def f(n: str): hello.predict('x', n=n)", "wrong-type: predict(): argument 'n' is str, and int is expected."),
    ("def f(n: str): hello.predict(n)\ndef g(n: int): hello.predict(n)",
     "wrong-type: predict(): argument 'prompt' is int, and str is expected."),
    ("hello.predict('x', n=3 if hello else '3')", "wrong-type: predict(): argument 'n' is '3' (str), and int is expected."),
    ("def number(): return '3'\nhello.predict('x', n=number())",
     "wrong-type: predict(): argument 'n' is '3' (str), and int is expected."),
    ("def number(): return True\nhello.predict('x', n=number())",
     "bool-for-number: predict(): argument 'n' is True (bool), and int is expected."),
    ("list(map(hello.predict, [3]))", "wrong-type: predict(): argument 'prompt' is 3 (int), and str is expected."),
    ("def f(texts: list[int]): return list(map(hello.predict, texts))",
     "wrong-type: predict(): argument 'prompt' is int, and str is expected."),
    ("def f(pool, texts: list[int]): return pool.map(hello.predict, texts)",
     "wrong-type: predict(): argument 'prompt' is int, and str is expected."),
    ("def f(texts: list[str]): return list(map(hello.predict, texts, ['3']))",
     "wrong-type: predict(): argument 'n' is '3' (str), and int is expected."),
    ("print(functools.partial(hello.predict, n='3' if hello else 2)('x'))",
     "wrong-type: predict(): argument 'n' is '3' (str), and int is expected."),
    ("who = {'name': 'x'}\ntypes.echo_named_fields(who)", None),
    ("hello.predict('x', n=True)", "bool-for-number: predict(): argument 'n' is True (bool), and int is expected."),
    ("def f(loud: bool): hello.predict('x', n=loud)",
     "bool-for-number: predict(): argument 'n' is a bool, and int is expected."),
    ("hello.predict('x', n=len('x') > 3)",
     "bool-for-number: predict(): argument 'n' is a bool, and int is expected."),
    ("types.echo_params('x', temperature=99.0)",
     "out-of-range: echo_params(): argument 'temperature' is 99.0, and 0.1 to 1 is declared."),
    ("types.echo_params('x', style='loud')",
     "not-a-choice: echo_params(): argument 'style' is 'loud', and the choices are 'plain', 'fancy'."),
    ("types.echo_strings('abc')", None),
    ("types.echo_concept(3)", "wrong-type: echo_concept(): argument 'value' is 3 (int), and Concept is expected."),
    ("types.echo_image('https://example.com/a.png')", None),
    ("types.echo_named_fields({'name': 'x'})", None),
    ("def f(pair: tuple[str]): types.echo_tuple(pair)",
     "wrong-type: echo_tuple() does not take (tuple[str]); it takes (value: Tuple[str, int])."),
]  # fmt: skip
STREAMS = [
    ("hello.generate('x')", "stream-not-read: The answers of generate() are never read: the request is not even sent."),
    ("print(hello.generate('x'))", "stream-as-value: generate() gives a stream of answers; it is used as print(…)."),
    ("for c in hello.predict('x'): print(c)",
     "letters-of-text: predict() answers once, with str: this loop goes over its letters."),
    ("list(hello.stream(['a']))",
     "stream-not-iterator: stream(): argument 'prompts' is a list, and Iterator[str] is expected."),
    ("def f(p: list[str]): return list(hello.stream(prompts=p))",
     "stream-not-iterator: stream(): argument 'prompts' is list[str], and Iterator[str] is expected."),
    ("list(hello.stream(iter(['a', 3])))",
     "wrong-type: stream(): argument 'prompts' is 3 (int), and str is expected."),
    ("s = hello.generate('x')\nprint(list(s))\nprint(list(s))",
     "stream-read-twice: The answers of generate() were read in line 7: here there are none left."),
    ("def ask(): return hello.generate('x')\nprint(ask())",
     "stream-as-value: generate() gives a stream of answers; it is used as print(…)."),
    ("ask = lambda: hello.generate('x')\ndef again(): return ask()\nprint(len(again()))",
     "stream-as-value: generate() gives a stream of answers; it is used as len(…)."),
    ("print(functools.partial(hello.generate, 'x')())",
     "stream-as-value: generate() gives a stream of answers; it is used as print(…)."),
    ("import logging\nlogging.info('%s', hello.generate('x'))",
     "stream-as-value: generate() gives a stream of answers; it is used as logging.info(…)."),
    ("list(hello.generate([{'prompt': 'a'}]))", "no-batch: generate() takes no batch: it generates."),
    ("s = hello.generate('x')\nfor n in range(3):\n    for c in s: print(c)",
     "stream-read-twice: The answers of generate() are read in each round of the loop in line 7: from the second round "
     "on there are none left."),
    ("import json\nanswer = {'a': hello.generate('x')}\nprint(json.dumps(answer))",
     "stream-as-value: generate() gives a stream of answers; it is used as json.dumps(…)."),
    ("types.echo_list([{'a': 1}])", "taken-as-batch: A list of dicts as the only positional argument of echo_list() "
     "is taken for a batch, not for 'value'."),
]  # fmt: skip
ASYNC = [
    ("async def f(): print(hello.predict('x'))",
     "sync-in-async: predict() is called in an async function: it gives a coroutine there, and that fails."),
    ("async def f(): print(await hello.async_predict('x'))",
     "awaited-once: `await …async_predict(…)` gives a coroutine, not the answer: it must be awaited once more."),
    ("async def f(): return await hello.async_predict('x')",
     "awaited-once: `await …async_predict(…)` gives a coroutine, not the answer: it must be awaited once more."),
    ("async def f():\n    answers = []\n    answers.append(await hello.async_predict('x'))\n    print(answers)",
     "awaited-once: `await …async_predict(…)` gives a coroutine, not the answer: it must be awaited once more."),
    ("async def f(): print({'a': await hello.async_predict('x')})",
     "awaited-once: `await …async_predict(…)` gives a coroutine, not the answer: it must be awaited once more."),
    ("async def f(): hello.async_predict('x')",
     "not-awaited: …async_predict(…) gives a coroutine, and nothing awaits it: nothing is sent."),
    ("async def f():\n    answer = hello.async_predict('x')\n    print(answer.upper())",
     "not-awaited: A coroutine is used as the answer."),
    ("async def f():\n    async for c in hello.async_generate('x'): print(c)",
     "not-awaited: A coroutine is used as the answer."),
    ("answer = asyncio.run(hello.async_predict('x'))\nprint(answer.upper())",
     "not-awaited: A coroutine is used as the answer."),
    ("async def f():\n    a, b = await asyncio.gather(hello.async_predict('x'), hello.async_predict('y'))\n"
     "    print(a.upper())", "not-awaited: A coroutine is used as the answer."),
    ("async def f(): print(await hello.async_stream(iter(['x'])))",
     "async-stream: async_stream() gives nothing: the SDK's own is broken."),
    ("async def f(x: int): print(await asyncio.to_thread(hello.predict, x))",
     "wrong-type: predict(): argument 'prompt' is int, and str is expected."),
]  # fmt: skip
RESULTS = [
    ("hello.predict('x').append(1)", "wrong-result: predict() gives str: Object of class 'str' has no attribute 'append'."),
    ("for c in hello.generate('x'): c + 1",
     "wrong-result: generate() gives Iterator[str]: '+' is not supported between 'str' and 'int'."),
    ("answer = hello.predict('x', with_proto=True)\nprint(answer.upper())",
     "wrong-result: predict() gives str: Object of class 'tuple' has no attribute 'upper'."),
    ("if 'predict' in hello.available_methods: pass",
     "method-not-called: available_methods is a method, and it is not called here."),
    ("print(hello.predict)", "method-not-called: predict is a method, and it is not called here."),
    ("number: int = hello.predict('x')", "wrong-result: predict() gives str: 'str' is not assignable to 'int'."),
    ("r = types.echo_named_fields({'name': 'x', 'count': 1})\nprint(r.nam)",
     "wrong-result: echo_named_fields() gives NamedFields(name=str, count=int): Object of class 'NamedFields' has no "
     "attribute 'nam'."),
]  # fmt: skip
SDK = [
    ("hello.predict_by_url(image_url='x')",
     f"sdk-argument: predict_by_url() of clarifai {SDK_VERSION} has no argument 'image_url'; it takes url, input_type, "
     "inference_params, output_config."),
    ("hello.predict_by_url('x', input_type='text', deployment_id='blue')",
     f"sdk-argument: predict_by_url() of clarifai {SDK_VERSION} has no argument 'deployment_id'; it takes url, "
     "input_type, inference_params, output_config. It had one from 10.8.9 to 11.2.3."),
    ("hello.predict_by_bytes()", "sdk-argument: predict_by_bytes(): argument 'input_bytes' is required and not given."),
    ("hello.predict_by_bytes('x', 'text')",
     "wrong-type: predict_by_bytes(): argument 'input_bytes' is a str, and bytes is expected."),
    ("hello.predict_by_bytes(b'x', 'txt')",
     "sdk-value: predict_by_bytes(): input_type is 'txt', and the SDK takes 'image', 'text', 'video' and 'audio'."),
    ("hello.predict_by_url('x', input_type='image')",
     "input-kind: predict_by_url() sends an image, and predict() of model 'hello' takes none: prompt: str, n: int."),
    ("types.predict_by_url('x', input_type='image')", None),
    ("hello.predict_by_bytes(b'x', 'text', inference_params={'m': 3})",
     "ignored-argument: inference_params gives 'm', which predict() of model 'hello' does not have: it is ignored."),
    ("hello.predict_by_bytes(b'x', 'text', inference_params={'n': 2})",
     "ignored-argument: inference_params gives 'n', and a runner hands them to no method: predict() of model 'hello' gets "
     "its defaults."),
    ("hello.predict_by_bytes(b'x', 'text', inference_params={'n': '2'})",
     "wrong-type: inference_params: predict(): argument 'n' is '2' (str), and int is expected."),
    ("given = dict(n=True)\nhello.predict_by_url('x', 'text', inference_params=given)",
     "bool-for-number: inference_params: predict(): argument 'n' is True (bool), and int is expected."),
    ("import os\nhello.predict_by_bytes(b'x', 'text', inference_params={'n': os.environ['N'], 'prompt': 'y'})",
     "ignored-argument: inference_params gives 'n', 'prompt', and a runner hands them to no method: predict() of model "
     "'hello' gets its defaults."),
    ("from clarifai.client.input import Inputs\nhello.predict(inputs=[Inputs.get_text_input('', 'x')], runner_selector=1)",
     "ignored-argument: predict() is given messages: the SDK ignores 'runner_selector' then."),
    ("hello.delete_version()", "sdk-argument: delete_version(): argument 'version_id' is required and not given."),
    ("Model(url=URL, deployment='blue').predict('x')",
     f"ignored-argument: Model() of clarifai {SDK_VERSION} has no argument 'deployment', and ignores it: the call is made "
     "without it. Did you mean 'deployment_id'?"),
    ("Model(url=URL, base='http://localhost').predict('x')",
     f"ignored-argument: Model() of clarifai {SDK_VERSION} has no argument 'base', and ignores it: the call is made "
     "without it. Did you mean 'base_url'?"),
    ("Model(url=URL, nodepool_id='cpu').predict('x')",
     "ignored-argument: Model() ignores 'nodepool_id' without 'compute_cluster_id': the call goes where a call without "
     "them would."),
    ("Model(url=URL, deployment_id='blue', nodepool_id='cpu', compute_cluster_id='c').predict('x')",
     "sdk-value: Model() takes a deployment_id, or a compute_cluster_id with a nodepool_id: with 'nodepool_id' beside "
     "deployment_id the SDK refuses it."),
    ("Model(url=URL, model_id='hello').predict('x')",
     "sdk-value: Model() takes a url or a model_id, not both: the SDK refuses it."),
]  # fmt: skip
NOT_CHECKED = [
    ("Model(os.environ['URL']).predict('x')", "unknown-model: Model(…): which model it is, cannot be seen: "
     "it is only known when the program runs."),
    ("Model('https://clarifai.com/a/b/models/c').predict('x')",
     "model-not-given: No --model was given for a/b/models/c: calls of it are not checked."),
    ("Model('https://clarifai.com/hello')", "wrong-url: 'https://clarifai.com/hello' is no address of a model: "
     "https://clarifai.com/USER/APP/models/ID."),
    ("Model.from_current_context().predict('x')", "unknown-model: Model.from_current_context(…): which model it is, "
     "the current context says when the client runs."),
    ("def ask(model): return model.predict('x')",
     "unresolved-call: It is not known what 'model' is, so predict() is not checked."),
    ("def ask(model: Model): return model.predict('x')",
     "unresolved-call: It is not known which model 'predict' is called on: the call is not checked."),
    ("hello.predict(**os.environ)", "unpacked-arguments: predict() is given **os.environ, which is not known before "
     "it runs: its arguments are not checked."),
    ("def ask(options): return hello.predict(**options)", "unpacked-arguments: predict() is given **options, which is "
     "not known before it runs: its arguments are not checked."),
    ("def ask(given): return hello.predict(*given)", "unpacked-arguments: predict() is given *given, which is not known "
     "before it runs: its arguments are not checked."),
    ("async def ask(options): return await (await hello.async_predict(**options))", "unpacked-arguments: predict() is "
     "given **options, which is not known before it runs: its arguments are not checked."),
    ("async def f(mock):\n    hello.async_predict = mock\n    print(await hello.async_predict('x'))",
     "unresolved-call: async_predict() is replaced in this file, by a mock for instance, so async_predict() is not "
     "checked."),
    ("items = [dict(each) for each in os.environ]\nhello.predict(items)", "unpacked-arguments: predict() is given the input "
     "dict(each), which is not known before it runs: its arguments are not checked."),
    ("items = [{'prompt': 'x'}]\nitems.extend(items)\nhello.predict(items)", "unpacked-arguments: predict() is given the batch "
     "items, which is not known before it runs: its arguments are not checked."),
    ("a = {'prompt': input()}\nhello.predict(**{**a, 'n': 2})", "unpacked-arguments: predict() is given **{**a, 'n': 2}, which "
     "is not known before it runs: its values are not checked."),
    ("texts = {'prompt': 'x'}\ntexts.update(os.environ)\nlist(hello.generate(**texts))", "unpacked-arguments: generate() is given "
     "**texts, which is not known before it runs: its arguments are not checked."),
    ("import x\nx.go(functools.partial(hello.predict, n=3))", "passed-method: predict() is passed on with some of its "
     "arguments: whether the others follow, is not checked."),
    ("print(sorted(['x'], key=hello.predict))",
     "passed-method: predict() is passed on: what calls it, and with what, is not checked."),
    ("import x\nx.session['a'] = hello\nprint(x.session['a'].predct('x'))", "unresolved-call: 'x.session['a']' may be a model "
     "that other code has handed on, so predct() is not checked."),
    ("import x\nx.state['a'] = hello\ncalls = {1: x.state['a'].predct}", "unresolved-call: 'x.state['a']' may be a model "
     "that other code has handed on, so predct() is not checked."),
    ("import x\nx.state.a = hello\nasync def f(): print(await asyncio.to_thread(x.state.a.predct, 'x'))",
     "unresolved-call: 'x.state.a' may be a model that other code has handed on, so predct() is not checked."),
    ("import x\nx.session.set('a', hello)",
     "passed-model: The model is handed to x.session.set(): what calls it there, and with what, is not checked."),
    ("import operator, x\nx.state.a = hello\noperator.methodcaller('predct', 'x')(x.state.a)", "unresolved-call: 'predct' is "
     "called by its name, on what may be a model, so it is not checked."),
    ("print([1, hello][1:][0].predct('x'))", "unresolved-call: '[1, hello][1:][0]' may be more than one model, or something "
     "else, so predct() is not checked."),
    ("getattr(hello, os.environ['M'])('x')",
     "dynamic-method: The method is named by os.environ['M']: the call is not checked."),
    ("print(hello.__getattr__('predict')('x'))",
     "dynamic-method: The method is named by 'predict': the call is not checked."),
    *((f"print({function}({given}'x'))", f"unresolved-call: '{function}' reaches a method of a model by what Python keeps "
       "of it, so it is not checked.")
      for function, given in (("type(hello).predict", "hello, "), ("hello.__class__.predict", "hello, "),
                              ("Model.predict", "hello, "), ("vars(hello)['predict']", ""),
                              ("hello.__dict__['predict']", ""), ("hello.predict.__call__", ""))),
    ("def retry(f): f('x')\nretry(hello.predict)",
     "passed-method: predict() is passed on: what calls it, and with what, is not checked."),
    ("def f(:",
     f"unreadable-client: client.py is not {PYTHON}: invalid syntax. Nothing in it is checked."),
]  # fmt: skip
RIGHT = [
    "items = []\nitems.append({'prompt': 'x'})\nprint(hello.predict(items)[0].upper())",
    "who = {}\nwho['name'], who['count'] = 'x', 3\nprint(types.echo_named_fields(who))",
    "a, b = {'prompt': 'x'}, {}\nprint(hello.predict(**{**a, **b}), hello.predict(**a, **b), hello.predict(**(a | b)))",
    "given = ['x', 3]\nprint(hello.predict(*given), hello.predict(*('x', 3)))",
    "ask = functools.partial(hello.predict, n=2)\nprint(ask('x').upper(), ask('y'))",
    "async def f():\n    loop = asyncio.get_running_loop()\n    print((await loop.run_in_executor(None, functools.partial(hello.predict, n=2), 'x')).upper())",
    "print(list(map(hello.predict, ['a'], [1]))[0].upper())",
    "def f(pool, texts: list[str]): return pool.map(hello.predict, texts, chunksize=3)",
    "def ask(): return hello.generate('x')\nfor each in ask(): print(each.upper())",
    "import streamlit as st\nst.write(hello.generate('x'))",
    "import x\nx.session['a'] = hello\nx.session['b'].append('x')\nprint(x.session['a'].model_info)",
    "async def f():\n    waiting = []\n    waiting.append(await hello.async_predict('x'))\n    print(await asyncio.gather(*waiting))",
    "if hasattr(hello, 'rank'): print(hello.rank('x'))",
    "print(hello.available_methods(), hello.method_signature('predict'), hello.generate_client_script())",
    "from clarifai.client.input import Inputs\n"
    "answer = hello.predict([Inputs.get_text_input(input_id='', raw_text='x')])\nprint(answer.outputs[0].data)",
    "from clarifai.client.input import Inputs\n"
    "print(hello.predict(inputs=[Inputs.get_input_from_bytes('', text_bytes=b'x')], inference_params={}))",
    "from clarifai_grpc.grpc.api import resources_pb2\nprint(hello.predict(inputs=[resources_pb2.Input()]).outputs)",
    "print(hello.predict_by_bytes(b'x', input_type='text', inference_params=None).outputs[0])",
    "print(hello.predict_by_filepath('a.txt', 'text', output_config={}))",
    "for answer in hello.stream_by_bytes(iter([b'x']), 'text'): print(answer.outputs)",
    "Model(url=URL, deployment_id='blue', deployment_user_id='me').predict('x')",
    "Model(url=URL, compute_cluster_id='c', nodepool_id='cpu', pat='x').predict('x')",
    "def f(place=None): return Model(url=URL, deployment_id=place, nodepool_id=None).predict('x')",
    "Model(model_id='hello', user_id='me', app_id='demo', model_type_id='x').predict('x')",
    "async def f(): print(await asyncio.gather(*[(await hello.async_predict(x)) for x in 'ab']))",
    "async def f(): print((await asyncio.wait_for(await hello.async_predict('x'), 3)).upper())",
    "async def f():\n    for text in await (await hello.async_predict([{'prompt': 'a'}])): print(text.upper())",
    "async def f(): return await hello.async_predict('x')\nasync def g(): print(await (await f()))",
    "async def f():\n    task = asyncio.create_task(await hello.async_predict('x'))\n    print((await task).upper())",
    "print(hello.predict is None, hasattr(hello, 'predict'), callable(hello.predict))",
    "s = hello.generate('x')\nwhile True:\n    for c in s: print(c)\n    break",
    "import json\nprint(json.dumps({'a': list(hello.generate('x'))}))",
    "types.echo_concept('cat')",
    "from clarifai.runners.utils.data_types import Concept\ntypes.echo_concepts(['cat', Concept('dog')])",
    "print(hello.predict('x', n=2).upper())",
    "print(hello.client.predict(prompt='x'))",
    "answer, response = hello.predict('x', with_proto=True)\nprint(answer.upper(), response.status)",
    "for answer, response in hello.generate('x', with_proto=True): print(answer.upper())",
    "print([each.upper() for each in hello.predict([{'prompt': 'a'}, {'prompt': 'b', 'n': 2}])])",
    "texts = ['a']\nprint(hello.predict([{'prompt': each} for each in texts])[0].upper())",
    "print(''.join(hello.generate('x')), next(hello.generate('x')))",
    "def g():\n    yield 'a'\nfor c in hello.stream(g()): print(c.upper())",
    "async def f(): print((await (await hello.async_predict('x'))).upper())",
    "async def f():\n    later = await hello.async_predict('x')\n    print(await later)",
    "async def f():\n    async for c in await (await hello.async_generate('x')): print(c)",
    "async def f(x: str): print((await asyncio.to_thread(hello.predict, x, n=2)).upper())",
    "async def f():\n    def inner(): return hello.predict('x')\n    print(await asyncio.to_thread(inner))",
    "import numpy as np\nprint(hello.predict('x', n=np.int64(3)), types.echo_float(value=np.float32(1.5)))",
    "import numpy as np\nprint(types.echo_ndarray(value=[1, 2]), types.echo_ndarray(value=np.zeros(2)).sum())",
    "import PIL.Image\nprint(types.echo_image(PIL.Image.new('RGB', (2, 2))).to_pil())",
    "print(types.echo_strings(value=('a', 'b')), types.echo_strings(value=(c for c in 'ab')))",
    "print(types.echo_tuple(value=['a', 1])[1] + 1)",
    "print(types.echo_text(value='a').text, types.echo_text(value={'text': 'a'}).text)",
    "print(types.echo_dict({'a': 1})['a'], types.echo_list(value=[{'a': 1}])[0]['a'])",
    "messages = [{'role': 'user', 'content': 'x'}]\nprint(types.echo_list(messages))",
    "r = types.echo_named_fields({'name': 'x', 'count': 1})\nprint(r.name.upper(), r['count'] + 1)",
    "ask = hello.predict\nprint(ask('x'))",
    "print(list(map(hello.predict, ['a', 'b'])))",
    "print(hello.list_versions(), hello.model_info, hello.id)",
    "from clarifai.client import User\nprint(User(user_id='me').list_apps())",
    "broken: int = 'not about a model'\nbroken.append(1)",
    "from sklearn.svm import SVC\nprint(SVC().predict([[1]]))",
    "class Own:\n    def predict(self, text): return text\nprint(Own().predict('x'))",
    "def f(hello=None):\n    if hello is not None:\n        print(hello)",
    "x = hello.predict('x') or None\nprint(x)",
    "class Holder:\n    def __init__(self):\n        self.text = None\n    def fill(self):\n"
    "        self.text = hello.predict('x')\n        return self.text.upper()",
]


@pytest.mark.parametrize(("code", "message"), [*NAMES, *VALUES, *STREAMS, *ASYNC, *RESULTS, *SDK, *NOT_CHECKED])
def test_what_is_wrong_is_said(check_client: CheckClient, code: str, message: str | None):
    found = said(check_client(code.replace("url=URL", f"url='{URL}'")))

    assert len(found) == 1, found
    assert message is None or found == [message]


@pytest.mark.parametrize("code", RIGHT)
def test_nothing_is_said_of_what_is_right(check_client: CheckClient, code: str):
    assert said(check_client(code.replace("url=URL", f"url='{URL}'"))) == []


def test_a_finding_says_where_the_model_declares_it(check_client: CheckClient):
    (finding,) = check_client("hello.predict('x', n='3')").findings

    assert finding.location is not None
    assert (finding.location.line, finding.location.column) == (HEAD.count("\n") + 1, 22)
    assert finding.declared is not None
    assert finding.declared.path == FIXTURES / "hello" / "1" / "model.py"
    assert "n: int = 1" in finding.declared.path.read_text().splitlines()[finding.declared.line - 1]
    assert (finding.model, finding.method) == ("hello", "predict")


def test_columns_are_characters_behind_other_scripts_and_inserted_text(check_client: CheckClient):
    code = "print('żółć', Model('https://clarifai.com/me/demo/models/hello').predict('x', m=1))"

    (finding,) = check_client(code).findings

    assert finding.location is not None
    assert code[finding.location.column - 1 : finding.location.end_column - 1] == "m=1"


def test_an_address_may_come_from_another_module(check_client: CheckClient):
    settings = "HOST = 'https://clarifai.com'\nclass Urls:\n    hello = f'{HOST}/me/demo/models/hello'"
    code = "from settings import Urls\ndef f():\n    Model(Urls.hello).predict(1)"

    assert said(check_client(code, settings=settings)) == [
        "wrong-type: predict(): argument 'prompt' is 1 (int), and str is expected."
    ]


def test_a_model_may_come_from_another_module(check_client: CheckClient):
    clients = (
        "from clarifai.client import Model as M\nurl = 'https://clarifai.com/me/demo/models/hello'\nbot = M(url)"
    )

    assert said(check_client("from clients import bot\nbot.predict(2)", clients=clients)) == [
        "wrong-type: predict(): argument 'prompt' is 2 (int), and str is expected."
    ]


def test_one_model_may_stand_for_all_that_are_known_at_run_time_only(tmp_path: Path, models: list[KnownModel]):
    hello = models[0]
    star = KnownModel(hello.name, hello.directory, Address(any=True), hello.methods, hello.way, ())
    (tmp_path / "client.py").write_text(
        "import os\nfrom clarifai.client import Model\nfrom clarifai.client.model_client import ModelClient\n"
        "Model(os.environ['URL']).predict(1)\nModel.from_current_context().predict(2)\n"
        "ModelClient.from_local_grpc(port=8000).predict(3)\n"
    )

    assert said(check_known([tmp_path], [star])) == [
        f"wrong-type: predict(): argument 'prompt' is {number} (int), and str is expected." for number in (1, 2, 3)
    ]


def test_what_it_says_of_a_comment_that_silences_type_checkers_too(check_client: CheckClient):
    assert len(said(check_client("hello.predict(1)  # type: ignore"))) == 1
