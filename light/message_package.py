"""Holds message types of clarifai-grpc, under the licence beside it.

Where clarifai-grpc itself is installed, its modules are taken instead, so that no process has a type twice.
"""

from importlib import util


def _installed() -> list[str]:
    try:
        spec = util.find_spec("clarifai_grpc")
    except ModuleNotFoundError:
        return []
    return list(spec.submodule_search_locations or ()) if spec is not None else []


__path__ = [*_installed(), *__path__]  # noqa: F821 - of every package
