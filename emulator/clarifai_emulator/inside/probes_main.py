"""Answers whether the model is alive and ready, as the runner's health server does in a container.

Runs in the *model's* environment, beside ``zygote_main.py``. The emulator asks over a socket of its own, in a
message ``liveness`` or ``readiness``, and gets it back with why the probe failed: ``liveness:it raised …``,
``liveness:`` where it did not. ``liveness:?`` says that the model is not loaded yet.
"""

import threading

NOT_YET = "?"
_LONGEST = 200


def begin(sock):
    """Answer from now on, in a thread. Nothing is answered where the SDK has no such probes."""
    threading.Thread(target=answer, args=(sock,), name="probes", daemon=True).start()


def answer(sock):
    with sock:
        while data := sock.recv(64):
            probe = data.decode()
            sock.send(f"{probe}:{ask_handler(probe)}".encode())


def ask_handler(probe):
    """Ask what the SDK's health server would ask: the model's own method, which its runner has put there."""
    import sys

    health = sys.modules.get("clarifai_protocol.utils.health")
    handler = getattr(health, "HealthProbeRequestHandler", None)
    if not getattr(handler, "is_startup", False):
        return NOT_YET
    check = getattr(handler, f"handle_{probe}_probe", None)
    return ask(check, probe) if hasattr(check, "__self__") else ""


def ask_model(model, probe):
    """Ask a model of this process."""
    check = getattr(model, f"handle_{probe}_probe", None)
    return ask(check, probe) if check is not None else ""


def ask(check, probe):
    """Say why a probe fails; empty where it does not."""
    try:
        alive = check()
    except Exception as error:
        said = f"its handle_{probe}_probe() raised {type(error).__name__}: {error}"
        return " ".join(said.split())[:_LONGEST]
    return "" if alive else f"its handle_{probe}_probe() returned {alive!r}"
