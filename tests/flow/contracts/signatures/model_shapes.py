"""Shapes that a model's code may have: what reading it by an import and from its source have to agree about."""

from __future__ import annotations

HEAD = """\
from typing import *
from clarifai.runners.models.model_class import ModelClass
"""

# The same by both ways.
SAME: dict[str, str] = {
    "alias-import": """\
from clarifai.runners.models.model_class import ModelClass as MC
class A(MC):
    @MC.method
    def predict(self, p: str) -> str:
        return p
""",
    "alias-name": HEAD
    + """\
B = ModelClass
method = B.method
class A(B):
    @method
    def predict(self, p: str) -> str:
        return p
""",
    "module-import": """\
import clarifai.runners.models.model_class as mc
class A(mc.ModelClass):
    @mc.ModelClass.method
    def predict(self, p: str) -> str:
        return p
""",
    "full-path": """\
import clarifai.runners.models.model_class
class A(clarifai.runners.models.model_class.ModelClass):
    @clarifai.runners.models.model_class.ModelClass.method
    def predict(self, p: str) -> str:
        return p
""",
    "sub-method": HEAD
    + """\
from clarifai.runners.models.openai_class import OpenAIModelClass
class A(OpenAIModelClass):
    @OpenAIModelClass.method
    def predict(self, p: str) -> str:
        return p
""",
    "if-true": HEAD
    + """\
class A(ModelClass):
    if True:
        @ModelClass.method
        def predict(self, prompt: str) -> str:
            return prompt
    else:
        x = 1
""",
    "if-version": HEAD
    + """\
import sys
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
    if sys.version_info >= (3, 8):
        @ModelClass.method
        def other(self, p: str) -> str:
            return p
    else:
        @ModelClass.method
        def other(self, p: int) -> int:
            return p
""",
    "type-checking": HEAD
    + """\
if TYPE_CHECKING:
    T = int
else:
    T = str
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: T) -> T:
        return p
""",
    "try-import": HEAD
    + """\
try:
    import numpy as np
    T = None
except ImportError:
    np = None
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "try-missing": HEAD
    + """\
try:
    from nowhere_x import T
except ImportError:
    T = str
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: T) -> T:
        return p
""",
    "wraps": HEAD
    + """\
import functools
def timed(f):
    @functools.wraps(f)
    def w(*a, **k):
        return f(*a, **k)
    return w
class A(ModelClass):
    @timed
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
    @ModelClass.method
    @timed
    def other(self, p: int) -> int:
        return p
""",
    "factory": HEAD
    + """\
import functools
def retry(n):
    def deco(f):
        @functools.wraps(f)
        def w(*a, **k):
            return f(*a, **k)
        return w
    return deco
class A(ModelClass):
    @retry(3)
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "override-plain": HEAD
    + """\
class B:
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
class A(B, ModelClass):
    def predict(self, prompt: str) -> str:
        'another'
        return prompt
""",
    "override-decorated": HEAD
    + """\
class B:
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
class A(B, ModelClass):
    @ModelClass.method
    def predict(self, prompt: int) -> str:
        return prompt
""",
    "diamond": HEAD
    + """\
class R:
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
class X(R):
    @ModelClass.method
    def predict(self, prompt: int) -> int:
        return prompt
class Y(R):
    @ModelClass.method
    def predict(self, prompt: float) -> float:
        return prompt
class A(X, Y, ModelClass):
    pass
""",
    "with": HEAD
    + """\
import contextlib
class A(ModelClass):
    with contextlib.suppress(Exception):
        @ModelClass.method
        def predict(self, prompt: str) -> str:
            return prompt
""",
    "dataclass": HEAD
    + """\
from dataclasses import dataclass
@dataclass
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "two-classes": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
class B(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "subclass-in-file": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
class B(A):
    pass
""",
    "lru": HEAD
    + """\
import functools
class A(ModelClass):
    @ModelClass.method
    @functools.lru_cache
    def predict(self, p: str) -> str:
        'doc'
        return p
""",
    "torch-deco": HEAD
    + """\
import torch
class A(ModelClass):
    @ModelClass.method
    @torch.inference_mode()
    def predict(self, p: str) -> str:
        return p
""",
    "future": """\
from __future__ import annotations
from typing import *
from clarifai.runners.models.model_class import ModelClass
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "future-division": """\
from __future__ import division
from typing import *
from clarifai.runners.models.model_class import ModelClass
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "typing-alias": HEAD
    + """\
Texts = List[str]
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: Texts) -> Texts:
        return p
""",
    "default-expr": HEAD
    + """\
N = 3
class A(ModelClass):
    @ModelClass.method
    def predict(
        self, p: int = N * 2, q: str = 'a' 'b', r: float = -1.5, s: list = None, t: int = 1 << 3
    ) -> str:
        return ''
""",
    "default-class-const": HEAD
    + """\
class A(ModelClass):
    N = 5
    @ModelClass.method
    def predict(self, p: int = N) -> str:
        return ''
""",
    "default-reassigned": HEAD
    + """\
N = 3
N = 4
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: int = N) -> str:
        return ''
""",
    "default-bytes": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: bytes = b'x', q: tuple = ()) -> str:
        return ''
""",
    "default-bytes2": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: bytes = b'x') -> str:
        return ''
""",
    "default-set": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: list = {1}) -> str:
        return ''
""",
    "default-nan": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: float = float('inf'), q: dict = {}, r: dict = {'a': (1, 2)}) -> str:
        return ''
""",
    "param": HEAD
    + """\
from clarifai.runners.utils.data_utils import Param as P
D='x'
class A(ModelClass):
    @ModelClass.method
    def predict(
        self,
        p: str,
        n: int = P(default=3, description=D, min_value=0, max_value=10),
        c: str = P('a', choices=['a', 'b']),
    ) -> str:
        return ''
""",
    "namedfields": HEAD
    + """\
from clarifai.runners.utils.data_types import NamedFields as NF
Out = NF(a=str, b=List[int])
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: str) -> Out:
        return ''
""",
    "posonly-kwonly": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, a: str, /, *, b: int = 2) -> str:
        return ''
""",
    "nested-list": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, a: List[Dict[str, List[int]]], b: Tuple[str, List[float]]) -> Iterator[List[Tuple[int, str]]]:
        return ''
""",
    "iterable": HEAD
    + """\
from collections import abc
class A(ModelClass):
    @ModelClass.method
    def predict(self, a: abc.Iterator[str]) -> abc.Iterator[str]:
        return ''
""",
    "generator": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, a: str) -> Generator[str, None, None]:
        yield ''
""",
    "self-renamed": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(this, a: str) -> str:
        return a
""",
    "redefined": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
    @ModelClass.method
    def predict(self, prompt: int) -> int:
        return prompt
""",
    "redefined-plain": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
    def predict(self, prompt: int) -> int:
        return prompt
""",
    "relative": """\
from .x import y
from typing import *
from clarifai.runners.models.model_class import ModelClass
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "mcp": """\
from clarifai.runners.models.mcp_class import MCPModelClass
class A(MCPModelClass):
    def get_server(self):
        return None
""",
    "openai": """\
from clarifai.runners.models.openai_class import OpenAIModelClass as O
class A(O):
    def openai_transport(self, msg: str) -> str:
        'mine'
        return ''
""",
    "star-import": """\
from clarifai.runners.models.model_class import *
from typing import *
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "raise-later": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
raise RuntimeError('x')
""",
    "async-gen": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    async def predict(self, a: str) -> AsyncIterator[str]:
        yield ''
""",
    "optional-default": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, a: str = None, b: 'int' = 1) -> str:
        return ''
""",
    "any-ellipsis": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, a: Tuple[str, ...]) -> str:
        return ''
""",
    "try-type": HEAD
    + """\
try:
    from json import loads as T
except ImportError:
    T = str
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
}

# Only running them tells; from their source that is said.
NAMED: dict[str, str] = {
    "own-class-method": HEAD
    + """\
class Base(ModelClass):
    pass
del Base
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "if-env": HEAD
    + """\
import os
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
    if os.environ.get('X'):
        @ModelClass.method
        def other(self, p: str) -> str:
            return p
""",
    "no-wraps-outer": HEAD
    + """\
def timed(f):
    def w(*a, **k):
        return f(*a, **k)
    return w
class A(ModelClass):
    @timed
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
    @ModelClass.method
    def other(self, p: int) -> int:
        return p
""",
    "no-wraps-inner": HEAD
    + """\
def timed(f):
    def w(*a, **k):
        return f(*a, **k)
    return w
class A(ModelClass):
    @ModelClass.method
    @timed
    def predict(self, p: int) -> int:
        return p
""",
    "own-decorator-of-method": HEAD
    + """\
def api(f):
    return ModelClass.method(f)
class A(ModelClass):
    @api
    def predict(self, p: str) -> str:
        return p
""",
    "assigned": HEAD
    + """\
class A(ModelClass):
    def predict(self, p: str) -> str:
        return p
    predict = ModelClass.method(predict)
""",
    "assigned-after": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
def other(self, p: str) -> str:
    return p
A.other = ModelClass.method(other)
""",
    "setattr": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
for n in ('a', 'b'):
    setattr(A, n, A.predict)
""",
    "loop": HEAD
    + """\
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
    for _i in range(2):
        @ModelClass.method
        def again(self, p: str) -> str:
            return p
""",
    "class-decorator": HEAD
    + """\
def register(c):
    return c
@register
class A(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
""",
    "factory-class": HEAD
    + """\
def make():
    class A(ModelClass):
        @ModelClass.method
        def predict(self, p: str) -> str:
            return p
    return A
MyModel = make()
""",
    "type-call": HEAD
    + """\
MyModel = type('MyModel', (ModelClass,), {})
""",
    "nested-if-class": HEAD
    + """\
import os
if os.environ.get('X'):
    class A(ModelClass):
        @ModelClass.method
        def predict(self, prompt: str) -> str:
            return prompt
else:
    class A(ModelClass):
        @ModelClass.method
        def predict(self, p: int) -> int:
            return p
""",
    "type-conditional": HEAD
    + """\
import os
if os.environ.get('X'):
    T = int
else:
    T = str
class A(ModelClass):
    @ModelClass.method
    def predict(self, p: T) -> str:
        return p
""",
    "method-none": HEAD
    + """\
class Base:
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return prompt
class A(Base, ModelClass):
    predict = None
""",
    "exec": HEAD
    + """\
exec('class A(ModelClass):\\n    pass')
""",
}
