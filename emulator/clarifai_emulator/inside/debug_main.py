"""Lets a developer's editor debug a replica, and says what to do where nobody can.

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library and, where it is asked for,
debugpy only. debugpy listens on a port that it chooses; the first line that the replica prints tells it to the
emulator, which has a port of its own that stays the same (``debug_port.py``).
"""

import contextlib
import importlib.util
import os
import sys


def pass_breakpoints():
    """Make ``breakpoint()`` and ``pdb.set_trace()`` say how to stop there: a replica has no terminal."""
    if os.environ.get("PYTHONBREAKPOINT") or "debugpy" in sys.modules:
        return  # the model's own business
    told = set()

    def tell(*_, **__):
        why = (
            "nobody can type here. To stop there, deploy with --debug and attach your editor, or run "
            "`clarifai-emulator dev DIR --backend inprocess` in a terminal."
        )
        tell_passed(sys._getframe(1), told, why)

    replace_set_trace(tell)


def tell_passed(frame, told, why):
    """Print, once for each line, that its ``breakpoint()`` was passed. ``told``: the lines that were told of."""
    place = frame.f_code.co_filename, frame.f_lineno
    if place not in told:
        told.add(place)
        where = f"{os.path.basename(place[0])}:{place[1]}"
        print(f"[emulator] breakpoint() at {where} was passed: {why}", file=sys.stderr)


def replace_set_trace(stop):
    """Let ``breakpoint()`` and ``pdb.set_trace()`` call this. Python's pdb is not imported for it: what it imports
    (``code``, ``cmd``) would hide files of the same name beside the model."""
    sys.breakpointhook = stop
    if "pdb" in sys.modules:
        sys.modules["pdb"].set_trace = stop
    else:
        sys.meta_path.insert(0, WhenPdbIsImported(stop))


class WhenPdbIsImported:
    """Finds ``pdb`` as ever, and replaces its ``set_trace``."""

    def __init__(self, stop):
        self.stop = stop

    def find_spec(self, name, path=None, target=None):
        if name != "pdb":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                if hasattr(module, "Pdb"):  # a model may have a file of that name
                    module.set_trace = self.stop

            spec.loader.exec_module = exec_module
        return spec


def listen(wanted):
    """Let editors attach. ``wanted``: the word by which the emulator knows the line with the port (``mark``), the
    folder of debugpy for environments without it (``path``), and whether to ``wait`` for an editor."""
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # it would warn of Python's frozen modules
    try:
        import debugpy
    except ImportError:
        sys.path.append(wanted["path"])
        import debugpy
    spare_compiled_frames()
    _, port = debugpy.listen(("127.0.0.1", 0))
    print(f"{wanted['mark']} {port}", flush=True)
    replace_set_trace(stop_in_editor)
    if wanted["wait"]:
        print("[emulator] waits for a debugger before it loads the model", file=sys.stderr, flush=True)
        debugpy.wait_for_client()


def spare_compiled_frames():
    """The runner, which calls the model, is compiled (Nuitka): tracing its frames raises, and would end debugpy."""
    import debugpy.server.api  # noqa: F401 - finds pydevd, which is part of it
    import pydevd

    genuine = pydevd.PyDB.set_trace_for_frame_and_parents

    def as_far_as_can_be_traced(self, thread_ident, frame, **more):
        with contextlib.suppress(RuntimeError):  # from the innermost frame outwards
            genuine(self, thread_ident, frame, **more)

    pydevd.PyDB.set_trace_for_frame_and_parents = as_far_as_can_be_traced


def stop_in_editor(*_, **__):
    """Do what ``breakpoint()`` does under debugpy: nothing while no editor is attached."""
    import debugpy
    import pydevd

    if debugpy.is_client_connected():
        pydevd.settrace(
            suspend=True,
            trace_only_current_thread=True,
            patch_multiprocessing=False,
            stop_at_frame=sys._getframe(1),
        )
