"""Compares a platform with the fidelity table: rows, probes that observe them, and the kit that runs the probes.

``fidelity_rows.py``   the rows, from ``rows/AREA.yaml``; docs/fidelity.md is written from them
``probe.py``           ``@probe``; ``probes/AREA_probes.py`` has one function a row
``platform_client.py`` what a probe gets: gRPC, REST and HTTP, as one user; notes in the ledger what it makes
``scenes.py``          what probes need before they ask: an app, a model, a nodepool…
``scripted_runner.py`` a runner with written answers, so that most of routing and dispatch costs nothing
``seen.py``            the canonical form of what was seen
``answers/AREA.json``  what the emulator answers, written by ``make conformance-answers``

CONTRIBUTING.md shows how to write a probe.
"""
