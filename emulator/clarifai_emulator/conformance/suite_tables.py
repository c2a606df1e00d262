"""Writes the tables of other people's tests and models, as docs/fidelity.md shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clarifai_emulator.conformance.suites import SuiteModule, suites


def suite_lines() -> Iterator[str]:
    """Yield the lines of the section."""
    yield "## Strangers' suites\n"
    yield from _sdk()
    yield from _examples()


def _sdk() -> Iterator[str]:
    run = suites().sdk
    passed = sum(each.passed for each in run.modules)
    total = passed + sum(sum((*each.not_for_us.values(), *each.differs.values())) for each in run.modules)
    yield (
        f"The SDK's whole suite ([{run.repository}](https://github.com/{run.repository}), commit "
        f"`{run.commit[:12]}`, version {run.version}), unmodified, with the emulator's address: {passed} of "
        f"{total} tests pass. {run.setup}\n"
    )
    yield "| Module | Passed | Not for us | Differs | The same, in our words |\n|---|---|---|---|---|"
    for each in run.modules:
        yield (
            f"| `{each.module}` | {each.passed} | {_reasons(each.not_for_us)} | {_reasons(each.differs)} "
            f"| {_scenarios(each)} |"
        )
    yield ""


def _examples() -> Iterator[str]:
    run = suites().examples
    works = sum(each.works for each in run.models)
    yield (
        f"The model directories of [{run.repository}](https://github.com/{run.repository}), commit "
        f"`{run.commit[:12]}`, deployed in processes as they are: {works} of {len(run.models)} serve.\n"
    )
    yield "| Model | Serves | What was called, or why it does not |\n|---|---|---|"
    for each in run.models:
        yield f"| `{each.name}` | {'yes' if each.works else 'no'} | {each.what} |"
    yield ""


def _reasons(reasons: Mapping[str, int]) -> str:
    return "<br>".join(f"{count}: {why}" for why, count in reasons.items()) or "–"


def _scenarios(module: SuiteModule) -> str:
    return "<br>".join(f"`{each}`" for each in module.scenarios) or "–"
