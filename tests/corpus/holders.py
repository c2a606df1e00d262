"""Ways in which programs hold a model, besides those that are chained at random: of frameworks, and of habit.

``GIVEN`` stands for what builds the model, ``_N`` for a number that no other way has.
"""

# ruff: noqa: E501 - a program on one line reads better

from __future__ import annotations

import textwrap

from unit.contracts.calls.flow.holding_ways import STEPS, Step


def _way(statements: str, expression: str) -> Step:
    text = textwrap.dedent(statements)

    def step(given: str, number: int) -> tuple[str, str]:
        filled = [each.replace("GIVEN", given).replace("_N", f"_{number}") for each in (text, expression)]
        return filled[0], filled[1]

    return step


HABITS: dict[str, Step] = {
    "settings class": _way("class Settings_N:\n    model = None\n    def __init__(self):\n        self.model = GIVEN\nsettings_N = Settings_N()", "settings_N.model"),
    "singleton": _way("class One_N:\n    _it = None\n    def __new__(cls):\n        if cls._it is None:\n            cls._it = super().__new__(cls)\n            cls._it.model = GIVEN\n        return cls._it", "One_N().model"),
    "class method that caches": _way("class Pool_N:\n    _held = {}\n    @classmethod\n    def get(cls, key):\n        if key not in cls._held:\n            cls._held[key] = GIVEN\n        return cls._held[key]", "Pool_N.get('a')"),
    "slots": _way("class C_N:\n    __slots__ = ('m',)\n    def __init__(self):\n        self.m = GIVEN", "C_N().m"),
    "post init": _way("@dataclass\nclass C_N:\n    name: str = 'a'\n    def __post_init__(self):\n        self.m = GIVEN", "C_N().m"),
    "replaced dataclass": _way("@dataclass(frozen=True)\nclass C_N:\n    m: Any = None", "replace(C_N(), m=GIVEN).m"),
    "nested attributes": _way("class A_N: pass\nclass B_N: pass\na_N = A_N()\na_N.b = B_N()\na_N.b.m = GIVEN", "a_N.b.m"),
    "get attribute": _way("class C_N:\n    def __getattr__(self, name):\n        return GIVEN", "C_N().anything"),
    "getter of a closure": _way("def make_N():\n    held = []\n    def get():\n        if not held:\n            held.append(GIVEN)\n        return held[0]\n    return get\nget_N = make_N()", "get_N()"),
    "default that is mutable": _way("def get_N(cache={}):\n    if 'm' not in cache:\n        cache['m'] = GIVEN\n    return cache['m']", "get_N()"),
    "functools.cache": _way("@functools.cache\ndef get_N():\n    return GIVEN", "get_N()"),
    "lru cache by an argument": _way("@functools.lru_cache\ndef get_N(name='a'):\n    return GIVEN", "get_N('a')"),
    "cached class method": _way("class C_N:\n    @functools.cached_property\n    def inner(self):\n        return GIVEN\n    def get(self):\n        return self.inner", "C_N().get()"),
    "registry by decorator": _way("made_N = {}\ndef register_N(f):\n    made_N[f.__name__] = f\n    return f\n@register_N\ndef first_N():\n    return GIVEN", "made_N['first_N']()"),
    "factories in a dictionary": _way("makers_N = {'a': lambda: GIVEN}", "makers_N['a']()"),
    "partial of a factory": _way("def make_N(kind):\n    return GIVEN\nnew_N = functools.partial(make_N, 'a')", "new_N()"),
    "conditional import": _way("try:\n    import orjson\nexcept ImportError:\n    orjson = None\nif True:\n    v_N = GIVEN\nelse:\n    v_N = None", "v_N"),
    "if and else": _way("import sys\nif len(sys.argv) > 99:\n    v_N = GIVEN\nelse:\n    v_N = GIVEN", "v_N"),
    "early return": _way("def get_N(ready=True):\n    if not ready:\n        return None\n    return GIVEN", "get_N()"),
    "raise when absent": _way("def get_N():\n    v = GIVEN\n    if v is None:\n        raise RuntimeError('absent')\n    return v", "get_N()"),
    "finally": _way("v_N = None\ntry:\n    v_N = GIVEN\nfinally:\n    pass", "v_N"),
    "try with else": _way("try:\n    ready_N = True\nexcept ValueError:\n    ready_N = False\nelse:\n    v_N = GIVEN", "v_N"),
    "retry loop": _way("v_N = None\nfor attempt_N in range(3):\n    try:\n        v_N = GIVEN\n        break\n    except ConnectionError:\n        continue", "v_N"),
    "while": _way("v_N = None\nwhile v_N is None:\n    v_N = GIVEN", "v_N"),
    "match by a case": _way("kind_N = 'a'\nmatch kind_N:\n    case 'a':\n        v_N = GIVEN\n    case _:\n        v_N = None", "v_N"),
    "match in a pattern": _way("match (1, GIVEN):\n    case (1, v_N):\n        pass", "v_N"),
    "match by attribute": _way("class P_N:\n    __match_args__ = ('m',)\n    def __init__(self, m):\n        self.m = m\nmatch P_N(GIVEN):\n    case P_N(v_N):\n        pass", "v_N"),
    "walrus in a comprehension": _way("w_N = [m for _ in range(1) if (m := GIVEN)]", "w_N[0]"),
    "walrus in a while": _way("while (v_N := GIVEN) is None:\n    pass", "v_N"),
    "nested tuple": _way("(a_N, (b_N, v_N)) = (1, (2, GIVEN))", "v_N"),
    "item of a nested dictionary": _way("tree_N = {'a': {'b': [GIVEN]}}", "tree_N['a']['b'][0]"),
    "pop": _way("box_N = {'m': GIVEN}", "box_N.pop('m')"),
    "reversed": _way("box_N = list(reversed([GIVEN]))", "box_N[0]"),
    "slice": _way("box_N = [1, GIVEN][1:]", "box_N[0]"),
    "sum of lists": _way("box_N = [] + [GIVEN]", "box_N[0]"),
    "extended": _way("box_N = []\nbox_N.extend([GIVEN])", "box_N[0]"),
    "inserted": _way("box_N = []\nbox_N.insert(0, GIVEN)", "box_N[0]"),
    "iterator by hand": _way("it_N = iter([GIVEN])", "next(it_N)"),
    "first that fits": _way("", "next(m for m in [GIVEN] if m)"),
    "filtered": _way("box_N = list(filter(None, [GIVEN]))", "box_N[0]"),
    "exit stack": _way("@contextlib.contextmanager\ndef open_N():\n    yield GIVEN\nwith contextlib.ExitStack() as stack_N:\n    v_N = stack_N.enter_context(open_N())", "v_N"),
    "two contexts": _way("with contextlib.nullcontext(1) as w_N, contextlib.nullcontext(GIVEN) as v_N:\n    pass", "v_N"),
    "async context": _way("@contextlib.asynccontextmanager\nasync def open_N():\n    yield GIVEN\nasync def use_N():\n    async with open_N() as v:\n        return v", "asyncio.run(use_N())"),
    "async generator": _way("async def each_N():\n    yield GIVEN\nasync def use_N():\n    async for v in each_N():\n        return v", "asyncio.run(use_N())"),
    "thread local": _way("local_N = threading.local()\nlocal_N.m = GIVEN", "local_N.m"),
    "protocol": _way("class Speaks_N(typing.Protocol):\n    m: Any\nclass C_N:\n    def __init__(self):\n        self.m = GIVEN\ndef held_N(it: Speaks_N):\n    return it.m", "held_N(C_N())"),
    "generic box": _way("T_N = typing.TypeVar('T_N')\nclass Box_N(typing.Generic[T_N]):\n    def __init__(self, it: T_N):\n        self.it = it", "Box_N(GIVEN).it"),
    "typed dictionary": _way("class D_N(typing.TypedDict):\n    m: Any\nd_N: D_N = {'m': GIVEN}", "d_N['m']"),
    "union annotation": _way("v_N: 'Model | None' = GIVEN", "v_N"),
    "final": _way("v_N: typing.Final = GIVEN", "v_N"),
    "type comment": _way("v_N = GIVEN  # type: Model", "v_N"),
    "asserted": _way("v_N = None or GIVEN\nassert isinstance(v_N, Model)", "v_N"),
    "inner class": _way("class Outer_N:\n    class Inner:\n        m = GIVEN", "Outer_N.Inner.m"),
    "enumeration of makers": _way("class Maker_N:\n    make = staticmethod(lambda: GIVEN)", "Maker_N.make()"),
    "mixin": _way("class Mixin_N:\n    @property\n    def m(self):\n        return self._m\nclass C_N(Mixin_N):\n    def __init__(self):\n        self._m = GIVEN", "C_N().m"),
    "method that gives itself": _way("class C_N:\n    def load(self):\n        self.m = GIVEN\n        return self", "C_N().load().m"),
    "delegated": _way("class Inner_N:\n    def __init__(self):\n        self.m = GIVEN\nclass Outer_N:\n    def __init__(self):\n        self.inner = Inner_N()\n    def get(self):\n        return self.inner.m", "Outer_N().get()"),
    "callback": _way("got_N = []\ndef with_model_N(use):\n    use(GIVEN)\nwith_model_N(got_N.append)", "got_N[0]"),
    "vars": _way("class C_N: pass\nc_N = C_N()\nvars(c_N)['m'] = GIVEN", "c_N.m"),
    "weak reference": _way("import weakref\nkeep_N = GIVEN\nref_N = weakref.ref(keep_N)", "ref_N()"),
    "tuple of an index": _way("INDEX_N = 1\nbox_N = ('a', GIVEN)", "box_N[INDEX_N]"),
    "conditional expression": _way("", "(GIVEN if 1 else None)"),
}  # fmt: skip
# What they hold comes back through code that is not there to be read.
FRAMEWORKS: dict[str, Step] = {
    "FastAPI's Depends": _way("from fastapi import Depends\ndef load_N():\n    return GIVEN\ndef held_N(m=Depends(load_N)):\n    return m", "held_N()"),
    "FastAPI's Annotated": _way("from fastapi import Depends\ndef load_N():\n    return GIVEN\ndef held_N(m: typing.Annotated[Any, Depends(load_N)]):\n    return m", "held_N()"),
    "FastAPI's lifespan": _way("from fastapi import FastAPI\n@contextlib.asynccontextmanager\nasync def lifespan_N(app):\n    app.state.model_N = GIVEN\n    yield\napp_N = FastAPI(lifespan=lifespan_N)", "app_N.state.model_N"),
    "FastAPI's state of a request": _way("from fastapi import FastAPI, Request\napp_N = FastAPI()\napp_N.state.model_N = GIVEN\ndef held_N(request: Request):\n    return request.app.state.model_N", "held_N(app_N)"),
    "Starlette": _way("from starlette.applications import Starlette\napp_N = Starlette()\napp_N.state.model_N = GIVEN", "app_N.state.model_N"),
    "Flask's g": _way("from flask import g\ndef get_N():\n    if 'model_N' not in g:\n        g.model_N = GIVEN\n    return g.model_N", "get_N()"),
    "Flask's config": _way("from flask import Flask\napp_N = Flask(__name__)\napp_N.config['MODEL_N'] = GIVEN", "app_N.config['MODEL_N']"),
    "Flask's extensions": _way("from flask import Flask, current_app\napp_N = Flask(__name__)\napp_N.extensions['clarifai_N'] = GIVEN", "current_app.extensions['clarifai_N']"),
    "aiohttp's app": _way("from aiohttp import web\napp_N = web.Application()\napp_N['model_N'] = GIVEN", "app_N['model_N']"),
    "Django's settings": _way("from django.conf import settings\nsettings.MODEL_N = GIVEN", "settings.MODEL_N"),
    "Django's app": _way("from django.apps import AppConfig\nclass Own_N(AppConfig):\n    model = None\n    def ready(self):\n        Own_N.model = GIVEN", "Own_N.model"),
    "Streamlit's session": _way("import streamlit as st\nif 'model_N' not in st.session_state:\n    st.session_state['model_N'] = GIVEN", "st.session_state['model_N']"),
    "Streamlit's session by attribute": _way("import streamlit as st\nst.session_state.model_N = GIVEN", "st.session_state.model_N"),
    "Streamlit's cache": _way("import streamlit as st\n@st.cache_resource\ndef load_N():\n    return GIVEN", "load_N()"),
    "Streamlit's cache with options": _way("import streamlit as st\n@st.cache_resource(ttl=60)\ndef load_N():\n    return GIVEN", "load_N()"),
    "Gradio": _way("import gradio as gr\ndef load_N():\n    return GIVEN\nstate_N = gr.State(load_N())", "state_N.value"),
    "Chainlit": _way("import chainlit as cl\ncl.user_session.set('model_N', GIVEN)", "cl.user_session.get('model_N')"),
    "unittest's setUp": _way("import unittest\nclass Case_N(unittest.TestCase):\n    def setUp(self):\n        self.m = GIVEN\n    def held(self):\n        return self.m", "Case_N().held()"),
    "unittest's setUpClass": _way("import unittest\nclass Case_N(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls):\n        cls.m = GIVEN\n    def held(self):\n        return self.m", "Case_N().held()"),
    "Celery's task": _way("from celery import Task\nclass Task_N(Task):\n    _m = None\n    @property\n    def m(self):\n        if self._m is None:\n            self._m = GIVEN\n        return self._m", "Task_N().m"),
    "Ray's actor": _way("import ray\n@ray.remote\nclass Actor_N:\n    def __init__(self):\n        self.m = GIVEN\n    def held(self):\n        return self.m", "Actor_N().held()"),
    "Pydantic's model": _way("from pydantic import BaseModel\nclass Config_N(BaseModel):\n    m: Any = None", "Config_N(m=GIVEN).m"),
    "Pydantic's private attribute": _way("from pydantic import BaseModel, PrivateAttr\nclass Config_N(BaseModel):\n    _m: Any = PrivateAttr(default_factory=lambda: GIVEN)\n    def held(self):\n        return self._m", "Config_N().held()"),
    "Pydantic's settings": _way("from pydantic_settings import BaseSettings\nclass Config_N(BaseSettings):\n    name: str = 'a'\n    @property\n    def m(self):\n        return GIVEN", "Config_N().m"),
    "attrs": _way("import attrs\n@attrs.define\nclass C_N:\n    m: Any", "C_N(GIVEN).m"),
    "attrs with a factory": _way("import attr\n@attr.s\nclass C_N:\n    m = attr.ib(factory=lambda: GIVEN)", "C_N().m"),
    "dependency injector": _way("from dependency_injector import containers, providers\nclass Container_N(containers.DeclarativeContainer):\n    m = providers.Singleton(lambda: GIVEN)", "Container_N.m()"),
    "cachetools": _way("from cachetools import TTLCache, cached\n@cached(TTLCache(1, 60))\ndef load_N():\n    return GIVEN", "load_N()"),
    "tenacity": _way("from tenacity import retry\n@retry\ndef load_N():\n    return GIVEN", "load_N()"),
    "joblib": _way("from joblib import Parallel, delayed\nbox_N = Parallel(n_jobs=1)(delayed(lambda: GIVEN)() for _ in range(1))", "box_N[0]"),
    "LangGraph's state": _way("from langgraph.graph import StateGraph\ndef node_N(state):\n    return {'m': GIVEN}\ngraph_N = StateGraph(dict)\ngraph_N.add_node('a', node_N)", "graph_N.compile().invoke({})['m']"),
    "handed to others": _way("import elsewhere\nv_N = elsewhere.prepared(GIVEN)", "v_N"),
}  # fmt: skip
# Those in which the call stands in a function that others call: its head, at the end of the statements.
INSIDE: dict[str, Step] = {
    "pytest's fixture": _way("import pytest\n@pytest.fixture\ndef model_N():\n    return GIVEN\ndef test_N(model_N):", "model_N"),
    "pytest's fixture that ends": _way("import pytest\n@pytest.fixture(scope='session')\ndef model_N():\n    m = GIVEN\n    yield m\ndef test_N(model_N):", "model_N"),
    "pytest's fixture of another": _way("import pytest\n@pytest.fixture\ndef model_N():\n    return GIVEN\n@pytest.fixture\ndef client_N(model_N):\n    return model_N.client\ndef test_N(client_N):", "client_N"),
    "FastAPI's route": _way("from fastapi import Depends, FastAPI\napp_N = FastAPI()\ndef load_N():\n    return GIVEN\n@app_N.get('/a')\ndef route_N(m=Depends(load_N)):", "m"),
    "Flask's route": _way("from flask import Flask\napp_N = Flask(__name__)\nmodel_N = GIVEN\n@app_N.route('/a')\ndef route_N():", "model_N"),
    "click's command": _way("import click\n@click.command()\n@click.option('--n', default=1)\ndef main_N(n):\n    m_N = GIVEN", "m_N"),
    "Celery's function": _way("from celery import Celery\napp_N = Celery('x')\nmodel_N = GIVEN\n@app_N.task\ndef task_N():", "model_N"),
    "LangChain's tool": _way("from langchain_core.tools import tool\nmodel_N = GIVEN\n@tool\ndef ask_N(question: str) -> str:\n    'Ask.'", "model_N"),
    "an agent's tool": _way("from agents import function_tool\nmodel_N = GIVEN\n@function_tool\ndef ask_N(question: str) -> str:\n    'Ask.'", "model_N"),
    "Gradio's function": _way("import gradio as gr\nmodel_N = GIVEN\ndef answer_N(message, history):", "model_N"),
    "main": _way("def main_N():\n    m_N = GIVEN", "m_N"),
    "main's guard": _way("if __name__ == '__main__':\n    m_N = GIVEN", "m_N"),
    "a method of a class": _way("class Bot_N:\n    m = GIVEN\nclass Own_N(Bot_N):\n    pass\nbot_N = Own_N()\nif bot_N:", "bot_N.m"),
}  # fmt: skip
HOLDERS: dict[str, Step] = {**STEPS, **HABITS, **FRAMEWORKS, **INSIDE}
# The object, not its source, decides: what the SDK builds a model of.
BUILT: dict[str, str] = {
    "Model(url=…)": "Model(url=URL)",
    "Model(…)": "Model(URL)",
    "by ids": "Model(model_id='ID', user_id='me', app_id='corpus')",
    "by ids in another order": "Model(app_id='corpus', model_id='ID', user_id='me')",
    "by a constant": "Model(url=ADDRESS)",
    "by parts": "Model(url=f'https://clarifai.com/{USER}/corpus/models/ID')",
    "by a sum": "Model(url='https://clarifai.com/' + USER + '/corpus/models/ID')",
    "by format": "Model(url='https://clarifai.com/{}/corpus/models/{}'.format(USER, 'ID'))",
    "by percent": "Model(url='https://clarifai.com/%s/corpus/models/ID' % USER)",
    "by join": "Model(url='/'.join(['https://clarifai.com', USER, 'corpus', 'models', 'ID']))",
    "by a setting with a default": "Model(url=os.environ.get('NOT_SET_HERE', URL))",
    "by a setting or else": "Model(url=os.getenv('NOT_SET_HERE') or URL)",
    "with a token": "Model(url=URL, pat='0123456789abcdef0123456789abcdef')",
    "with a type": "Model(url=URL, model_type_id='any-to-any')",
    "unpacked": "Model(**{'url': URL})",
    "partial": "functools.partial(Model, url=URL)()",
    "alias": "(lambda M: M(url=URL))(Model)",
    "of the module": "clarifai.client.model.Model(url=URL)",
    "an app's": "App(user_id='me', app_id='corpus').model(model_id='ID')",
    "a user's": "User(user_id='me').app(app_id='corpus').model(model_id='ID')",
}  # fmt: skip
