"""Provides pytest's hooks and fixtures for tests against the emulator. Imports nothing of it before a test asks.

load ─► settings, address and environment (test_environment.py), real platform refused (guard.py) a test asks for a
fixture ─► the emulator starts (serving.py) ─► account of the test (account.py) ─► emptied a test fails ─► section
"clarifai" (failure_reports.py)
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_clarifai_emulator.method_coverage import NOTE, Coverage, add_junit_property
from pytest_clarifai_emulator.old_sdk import OLD_SDK
from pytest_clarifai_emulator.overcommitted import OVERCOMMITTED, overcommitments
from pytest_clarifai_emulator.session import CREDENTIAL, ENVIRONMENT, HOST, SERVING, SETTINGS, STACK, serving_of
from pytest_clarifai_emulator.settings import add_options, read_settings, unknown_keys
from pytest_clarifai_emulator.test_environment import Environment, user_of

if TYPE_CHECKING:
    from clarifai_emulator.control.door import DoorFaults
    from clarifai_emulator.control.thread import EmulatorThread
    from pytest_clarifai_emulator.clarifai_fixture import Clarifai
    from pytest_clarifai_emulator.serving import OwnServing, Serving
    from pytest_clarifai_emulator.shared.joined import JoinedEmulator

_WIDER = ("clarifai_class", "clarifai_module", "clarifai_package", "clarifai_session")
_FIXTURES = frozenset({"clarifai", "clarifai_emulator", "clarifai_faults", *_WIDER})
_MARKERS = (
    "clarifai_model(path, **options): deploy a model directory before the test (relative to the test file; options "
    "of clarifai.deploy); `backend` says which backend the test needs",
    "clarifai_models(*paths, **options): deploy a group of model directories and topology files before the test, "
    "in this order (options of clarifai.deploy)",
    "clarifai_topology(*files): create what topology files name before the test (relative to the test file)",
    "clarifai_gpu(n=1): wait until n GPUs are free, and hold them for the test",
    "clarifai_contract(mode=None, allow=()): strict, warn or off for this test; rules whose findings are wanted",
    "clarifai_retries(mode): virtual or real: how the SDK waits between its retries in this test",
    "clarifai_cassette(name=None, mode=None, record_from=None, only=()): record calls of a test and of models, "
    "or play them (only: those of these models)",
)
_GIVEN_PAT = "clarifai_given_pat"
_PREPARING = ("clarifai_model", "clarifai_models", "clarifai_topology", "clarifai_gpu", "clarifai_cassette")
_NARROW = re.compile(r"ScopeMismatch.* fixture clarifai with a ", re.S)
_WIDE_ENOUGH = f"The account `clarifai` is one test's. Fixtures that last longer use {', '.join(_WIDER)}."
_kept = pytest.StashKey[str]()


# ── options and environment ────────────────────────────────────────────────────────────────────────────────


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Prepare the environment before any conftest.py is imported, which may import the SDK."""
    settings = read_settings(early_config)
    environment = Environment(
        allow_real=settings.allow_real,
        record_real=settings.record_real,
        keeps_home=settings.backend == "inprocess",
    )
    early_config.stash[SETTINGS], early_config.stash[ENVIRONMENT] = settings, environment
    early_config.stash[STACK] = contextlib.ExitStack()
    environment.prepare()
    early_config.add_cleanup(environment.restore)


def pytest_configure(config: pytest.Config) -> None:
    if SETTINGS not in config.stash:  # loaded with -p or pytest_plugins, after the first conftests
        pytest_load_initial_conftests(config)
    if config.getoption("usepdb_cls", None) is None:
        # Python's own debugger also stops in models of this process, whose runner is compiled.
        config.option.usepdb_cls = ("clarifai_emulator.backends.debugging.breakpoints", "ModelDebugger")
    unknown = unknown_keys(config)
    if unknown:
        raise pytest.UsageError(f"{config.inipath}:", *unknown)
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None:
        config.stash[ENVIRONMENT].given_pat = worker[_GIVEN_PAT]
    else:
        config.pluginmanager.register(_Reporting(config), "clarifai-reporting")
    html = config.stash[SETTINGS].html
    if html is not None:
        from pytest_clarifai_emulator.html_report import HtmlReport, TestGathering

        config.pluginmanager.register(TestGathering(config), "clarifai-html-gathering")
        if worker is None:
            config.pluginmanager.register(HtmlReport(config, html), "clarifai-html")
    if config.stash[SETTINGS].keep and config.getoption("numprocesses", None):
        raise pytest.UsageError("--clarifai-keep needs all tests in one process: leave -n out.")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker the user's own token, which the emulator's has replaced in the environment."""
    stash = node.config.stash
    node.workerinput[_GIVEN_PAT] = stash[ENVIRONMENT].given_pat
    if HOST in stash:
        node.workerinput[CREDENTIAL] = stash[HOST].credential(user_of(node.gateway.id))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Get ready, in the controller, to let the workers that it starts next share one emulator."""
    settings = config.stash[SETTINGS]
    if settings.scope != "shared":
        return
    if settings.backend == "inprocess":
        raise pytest.UsageError(
            "--clarifai-backend inprocess runs models in the test's own process, and with --clarifai-scope shared "
            "the emulator is in another one: use --clarifai-scope worker, or leave -n out."
        )
    from pytest_clarifai_emulator.shared.host import Host

    environment = config.stash[ENVIRONMENT]

    def start() -> AbstractContextManager[OwnServing]:
        from pytest_clarifai_emulator.serving import serving

        return serving(settings, environment.port, shared=True)

    host = Host(settings, environment.port, start)
    config.stash[STACK].callback(host.close)
    config.stash[HOST] = host
    environment.share(host.address)


def pytest_report_header(config: pytest.Config) -> str:
    settings = config.stash[SETTINGS]
    runner = f", runner {settings.runner}" if settings.runner != "lean" else ""
    gpus = f", {settings.gpus} simulated GPUs" if settings.gpus is not None else ""
    real = "allowed" if settings.allow_real else "refused"
    scope = ", shared by all workers" if settings.scope == "shared" else ""
    how = f"backend {settings.backend}{scope}{runner}{gpus}"
    return f"clarifai: {how}, contract {settings.contract}, real platform {real}"


# ── model directories and lock files as tests ──────────────────────────────────────────────────────────────


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name not in ("config.yaml", "clarifai.contract.yaml"):
        return None
    from pytest_clarifai_emulator.model_items import LOCK_FILE, LockFile, ModelDirectoryFile, is_asked_for

    if not is_asked_for(file_path, parent.config):
        return None
    kind = LockFile if file_path.name == LOCK_FILE else ModelDirectoryFile
    return kind.from_parent(parent, path=file_path)


# ── around each test ───────────────────────────────────────────────────────────────────────────────────────


def _uses_emulator(item: pytest.Item) -> bool:
    return not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a marked test the fixture ``clarifai``, which it needs no argument for."""
    marked = any(item.get_closest_marker(name) for name in _PREPARING)
    names = getattr(item, "fixturenames", None)
    if marked and names is not None and "clarifai" not in names:
        names.append("clarifai")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    environment = item.config.stash[ENVIRONMENT]
    environment.guard.refused.clear()
    environment.calls.noted.clear()
    environment.clock.begin(_retries(item))
    serving = item.config.stash.get(SERVING, None)
    has_account = serving is not None and serving.has_account
    with environment.of_test(item.nodeid, uses_emulator=_uses_emulator(item) or has_account):
        if serving is not None:
            serving.begin_test()
        return (yield)


def _retries(item: pytest.Item) -> str:
    """Return how the SDK waits between its retries in this test; an unknown word is reported when it is set up."""
    mark = item.get_closest_marker("clarifai_retries")
    return str(mark.args[0]) if mark is not None and mark.args else item.config.stash[SETTINGS].retries


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    report = yield
    active = item.config.stash[ENVIRONMENT].active
    if active and report.when == "call":
        _observe(item, report)
    error = call.excinfo.value if call.excinfo is not None else None
    if report.failed and isinstance(error, pytest.fail.Exception) and _NARROW.search(str(error)):
        report.sections.append(("clarifai", _WIDE_ENOUGH))
    refused = item.config.stash[ENVIRONMENT].guard.refused
    if report.passed and refused:
        report.outcome, report.longrepr = "failed", refused[0]  # caught by the test, or raised in another thread
    refused.clear()
    serving = item.config.stash.get(SERVING, None)
    if report.failed and serving is not None and active:
        from pytest_clarifai_emulator.failure_reports import tell_failure

        tell_failure(item, call, report, serving, item.config.stash[ENVIRONMENT])
        if item.config.stash[SETTINGS].keep and _kept not in item.config.stash:
            item.config.stash[_kept] = item.nodeid
            item.session.shouldstop = f"--clarifai-keep: {item.nodeid} failed"
    return report


def _observe(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add what the test showed of contracts to its report, which may fail for it."""
    serving = item.config.stash.get(SERVING, None)
    if serving is None:
        return
    report.user_properties += [(OVERCOMMITTED, text) for text in overcommitments(serving.thread)]
    if item.config.stash[ENVIRONMENT].old_sdk.note:
        report.user_properties.append((OLD_SDK, item.config.stash[ENVIRONMENT].old_sdk.note))
    from pytest_clarifai_emulator.clarifai_fixture import ACCOUNT
    from pytest_clarifai_emulator.contracts import observe, rules_of

    properties, why = observe(serving, rules_of(item, item.config.stash[SETTINGS].contract))
    retries = item.config.stash[ENVIRONMENT].clock.retries
    if retries.count:
        properties.insert(0, ("clarifai_retries", str(retries)))
    report.user_properties.extend(properties)
    item.user_properties.extend(properties)  # the JUnit file takes them from the last report of the test
    account = item.stash.get(ACCOUNT, None)
    for text in account.idle_faults() if account is not None else ():
        report.user_properties.append((NOTE, text))
        if report.failed:
            report.sections.append(("clarifai fault", text))
    if account is not None and account.cassette is not None:
        from pytest_clarifai_emulator.cassette import problems_of

        problems = problems_of(account)
        why = problems or why
        if problems and report.failed:
            report.sections.append(("clarifai cassette", problems))
    if why and report.passed:
        report.outcome, report.longrepr = "failed", why


class _Reporting:
    """Reports what tests showed of contracts, in the process that reports (with xdist, the controller)."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._coverage = Coverage()
        self._told: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._coverage.add(report)
        self._told.update(
            (str(text), None) for name, text in report.user_properties if name in (OVERCOMMITTED, OLD_SDK)
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge the coverage before the JUnit file is written, and while the exit code can still change."""
        percent, wanted = self._coverage.percent, self._config.stash[SETTINGS].coverage_fail_under
        if percent is None:
            return
        add_junit_property(self._config, "clarifai_contract_coverage", f"{percent:.1f}")
        if wanted is not None and percent < wanted and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        settings, coverage = self._config.stash[SETTINGS], self._coverage
        for text in self._told:
            terminalreporter.line(f"clarifai: {text}", yellow=True)
        if coverage.notes:
            terminalreporter.section("clarifai: notes")
            terminalreporter.line("\n".join(coverage.notes))
        findings = coverage.finding_lines()
        if findings:
            terminalreporter.section("clarifai: contract findings")
            terminalreporter.line("\n".join(findings))
        if settings.coverage or settings.coverage_fail_under is not None:
            terminalreporter.section("clarifai: methods that tests call")
            terminalreporter.line("\n".join(coverage.lines(settings.coverage_fail_under)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Stop after everybody else, reports included; with --clarifai-keep and a failure wait for Ctrl-C first."""
    stash = session.config.stash
    try:
        result = yield
        if _kept in stash and stash.get(SERVING, None) is not None:
            from pytest_clarifai_emulator.keeping import keep

            keep(session.config, stash[SERVING], stash[_kept])
        return result
    finally:
        if SERVING in stash:
            del stash[SERVING]
        stash[STACK].close()


# ── fixtures ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def _clarifai_serving(pytestconfig: pytest.Config) -> Serving:
    """Return the emulator of this process."""
    return serving_of(pytestconfig)


@pytest.fixture(scope="session")
def clarifai_emulator(_clarifai_serving: Serving) -> EmulatorThread | JoinedEmulator:
    """The running emulator of this pytest process: ``.url``, ``.deploy(DIR)``, ``.reset()``, ``.events()``,
    ``.route(…)``, ``.faults``, ``.status()``. What is deployed here stays until a test uses ``clarifai``, which
    empties it."""
    return _clarifai_serving.thread


@pytest.fixture
def clarifai(_clarifai_serving: Serving, request: pytest.FixtureRequest) -> Iterator[Clarifai]:
    """The test's own account on the emulator, empty at first: ``.deploy(DIR)``, factories for clusters, nodepools,
    deployments, users and secrets, ``.fault(…)``, ``.clock``, ``.calls``, ``.assert_routed(…)``.

    ``CLARIFAI_API_BASE``, ``CLARIFAI_PAT`` and ``CLARIFAI_USER_ID`` point at it. HOME is an empty folder
    for the test, and the user's for models.
    """
    from pytest_clarifai_emulator.clarifai_fixture import ACCOUNT, Clarifai
    from pytest_clarifai_emulator.marks import prepared
    from pytest_clarifai_emulator.model_paths import paths_of

    request.config.stash[ENVIRONMENT].use()
    stash = request.config.stash
    account = Clarifai(_clarifai_serving, stash[ENVIRONMENT].user_id, paths_of(request.node))
    request.node.stash[ACCOUNT] = account
    with _opened(_clarifai_serving, request.config), contextlib.closing(account):
        with prepared(account, request.node, stash[SETTINGS], stash[ENVIRONMENT].given_pat):
            yield account


@contextlib.contextmanager
def _opened(serving: Serving, config: pytest.Config) -> Generator[None]:
    """Open an account until its end; with --clarifai-keep and a failure it stays as it is."""
    close = serving.open_account()
    try:
        yield
    finally:
        if _kept not in config.stash:
            close()


def _wider(scope: Any) -> Any:
    """Return the fixture of an account that lasts longer than a test."""

    @pytest.fixture(scope=scope, name=f"clarifai_{scope}")
    def account(_clarifai_serving: Serving, request: pytest.FixtureRequest) -> Iterator[Clarifai]:
        from pytest_clarifai_emulator.clarifai_fixture import Clarifai
        from pytest_clarifai_emulator.model_paths import paths_of

        environment = request.config.stash[ENVIRONMENT]
        environment.use()
        account = Clarifai(_clarifai_serving, environment.user_id, paths_of(request.node), is_of_test=False)
        with _opened(_clarifai_serving, request.config), contextlib.closing(account):
            yield account

    account.__doc__ = f"""As ``clarifai``, for a {scope} of tests: what it deploys stays until the {scope} is over.
    Tests that use ``clarifai`` find it there, and what they add goes with them."""
    return account


clarifai_class, clarifai_module, clarifai_package, clarifai_session = map(
    _wider, ("class", "module", "package", "session")
)


@pytest.fixture
def clarifai_faults(
    clarifai_emulator: EmulatorThread | JoinedEmulator,
) -> Iterator[DoorFaults]:
    """Yield ``clarifai_emulator.faults`` for one test: faults that it adds are removed at its end."""
    faults = clarifai_emulator.faults
    before = {each.id for each in faults}
    yield faults
    faults.remove(*(each.id for each in faults if each.id not in before))
