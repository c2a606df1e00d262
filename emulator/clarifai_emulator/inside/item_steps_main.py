"""Spares requests the SDK's steps that would change nothing for them: a pool of threads that downloads URLs where
there are none, and the walk through an environment that is the same as for the request before.

Runs in the *model's* environment, beside ``lean_main.py``; the standard library and the SDK only. What a request
does need is done by the SDK's own function, which is found by its name. One that uses a name that is not listed
here does something that this module knows nothing of: no request is spared it.
"""

import contextlib
import functools
import importlib
import inspect
import os
import types

_RUNNER = "clarifai.runners.models.model_runner"
# The names in the SDK's functions that look for something to do, of every version that was tried.
_DOWNLOADS = """
    Exception ThreadPoolExecutor _download_input_data _download_with_handling _get_auth_kwargs append as_completed
    audio base64 concurrent content data decode download_input error exception fsspec futures get image inputs len
    logger open parts range raw read requests result setattr submit text url video
"""
_INJECTIONS = """
    CopyFrom HasField Model ModelVersion OutputInfo Struct environ get_env_variable get_secrets_path items model
    model_version os output_info params resources_pb2 startswith struct_pb2 update
"""
_SECRETS = """
    Exception HasField MessageToDict append debug dict error extract_req_secrets get isinstance len logger model
    model_version output_info params str temporary_env_vars warning
"""
# The functions that these call to find out whether there is something to do.
_SEARCHES = frozenset(("download_input", "_download_input_data", "extract_req_secrets"))


def spare():
    """Put the check of what a request needs before each of these steps; a second time changes nothing."""
    runner = importlib.import_module(_RUNNER)
    injected = InjectedVariables()
    for name, known, spared in (
        ("ensure_urls_downloaded", _DOWNLOADS, spare_downloads),
        ("inject_secrets", _INJECTIONS, injected.spare_injection),
        ("req_secrets_context", _SECRETS, injected.spare_secrets),
    ):
        genuine = getattr(runner, name, None)
        if genuine is not None and not hasattr(genuine, "is_spared") and names_in(genuine) <= set(known.split()):
            step = spared(genuine)
            step.is_spared = True
            setattr(runner, name, step)


def names_in(function):
    """Return the names that a function uses, with those of the functions that look for its work; None among
    them for a compiled one, which does not tell."""
    function = inspect.unwrap(function)
    if not isinstance(function, types.FunctionType):
        return {None}
    found, codes = set(), [function.__code__]
    for code in codes:
        found.update(code.co_names)
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        called = [function.__globals__.get(name) for name in _SEARCHES.intersection(code.co_names)]
        codes += [each.__code__ for each in called if each.__code__ not in codes]
    return found


def spare_downloads(genuine):
    """Download nothing for a request that names no URL; its inputs are looked at as deep as the SDK looks."""
    from clarifai_grpc.grpc.api.resources_pb2 import Data

    linked = [
        field.name
        for field in Data.DESCRIPTOR.fields
        if field.message_type is not None and hasattr(getattr(Data(), field.name), "url")
    ]

    def has_url(data):
        return any(data.HasField(name) and getattr(data, name).url for name in linked)

    @functools.wraps(genuine)
    def download(request, *args, **options):
        for each in request.inputs:
            data = each.data
            if has_url(data) or any(has_url(part.data) for part in data.parts):
                genuine(request, *args, **options)
                return

    return download


class InjectedVariables:
    """Keeps what the SDK puts into every request, the variables of this process that are not Clarifai's, until one
    of them changes."""

    def __init__(self):
        self.known = None, None  # the variables, and what a request without anything gets of them

    def spare_injection(self, genuine):
        """Put what an empty request got into the next ones, as long as the environment is the same. Secrets in
        files may change at any time: those are read for each request."""
        from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest

        @functools.wraps(genuine)
        def inject(request):
            if request is None or "CLARIFAI_SECRETS_PATH" in os.environ:
                genuine(request)
                return
            variables, injected = self.known
            now = os.environ._data  # compared without decoding each
            if now != variables:
                variables, injected = dict(now), PostModelOutputsRequest()
                genuine(injected)
                self.known = variables, injected
            request.MergeFrom(injected)

        return inject

    def spare_secrets(self, genuine):
        """Look for no secrets of the request where it carries nothing but what was put into it."""
        nothing = contextlib.nullcontext()

        @functools.wraps(genuine)
        def context(request):
            injected = self.known[1]
            if request is not None and injected is not None:
                params = request.model.model_version.output_info.params
                if params == injected.model.model_version.output_info.params:
                    return nothing
            return genuine(request)

        return context
