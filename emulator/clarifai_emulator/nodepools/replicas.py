"""Leads replicas through their life: placed, started, watched, drained, ended. One task each, as long as its
process."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, Nodepool, Runner

from clarifai_emulator.backends.printed import LogOrigin
from clarifai_emulator.backends.reload_link import ReloadLink, load_failure
from clarifai_emulator.backends.spawned_imports import explaining
from clarifai_emulator.background_work import begin
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Replica
from clarifai_emulator.dispatch.lean import LeanEnd, LeanReplica
from clarifai_emulator.errors import ModelError, NoRoom
from clarifai_emulator.messages.address import NodepoolKey, RunnerKey
from clarifai_emulator.models.written import WrittenFiles
from clarifai_emulator.nodepools.capacity import Placement
from clarifai_emulator.nodepools.debuggers import Debuggers
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord, ReplicaState, Standby, model_traceback
from clarifai_emulator.nodepools.launch_spec import LaunchSpecs
from clarifai_emulator.nodepools.placing import Places
from clarifai_emulator.nodepools.scaling import crash_delay, is_failed
from clarifai_emulator.nodepools.supervisor_reports import Reporter, keeps_failing
from clarifai_emulator.nodepools.warm_pool import WarmPool
from clarifai_emulator.replica_tokens import hidden
from clarifai_emulator.store import Kind, Store

if TYPE_CHECKING:
    from clarifai_emulator.nodepools.loaded_code import LoadedCode

log = logging.getLogger(__name__)

# The genuine runner needs some milliseconds after an answer until it says that it is idle.
_WIND_UP_SECONDS = 0.2
_WIND_UP_POLL_SECONDS = 0.001
# A process that was killed ends at once, unless the system does not let go of it: a driver or a disk that hangs.
_KILLED_SECONDS = 10.0


class Replicas:
    """Starts and ends the replicas of fleets. ``on_change`` is called with a fleet whose replicas have changed."""

    def __init__(
        self,
        *,
        config: EmulatorConfig,
        store: Store,
        dispatcher: Dispatcher,
        launch_specs: LaunchSpecs,
        places: Places,
        warm_pool: WarmPool,
        reporter: Reporter,
        clock: Clock,
        debuggers: Debuggers,
        written: WrittenFiles,
        on_change: Callable[[Fleet], None],
    ) -> None:
        self._on_change = on_change
        self._config = config
        self._store = store
        self._dispatcher = dispatcher
        self._report = reporter
        self._clock = clock
        self._debuggers = debuggers
        self._written = written
        self._drains: set[asyncio.Task[None]] = set()
        self._fleets: dict[RunnerKey, Fleet] = {}  # by a runner that was made for it
        self.warm_pool = warm_pool
        self._launch_specs = launch_specs
        self._places = places

    @cached_property
    def _loaded_code(self) -> LoadedCode:
        # Imported with the first replica: before, nobody needs what reads model directories.
        from clarifai_emulator.nodepools.loaded_code import LoadedCode

        return LoadedCode(self._written)

    def launch(self, fleet: Fleet, *, instead_of: Sequence[ReplicaRecord] = ()) -> None:
        """Take room and devices for one more replica and start its task. ``instead_of``: those that end once it is
        live. Raises ``NoRoom``."""
        if self._reuse(fleet):
            return
        placement, devices = self._places.take(fleet, instead_of=instead_of)
        self._launch(fleet, placement, devices)

    def why_never(self, nodepool: Nodepool, required: ComputeInfo) -> str:
        """Why a replica that needs ``required`` can never start in this nodepool; empty when it may."""
        return self._places.why_never(nodepool, required)

    def stand_by(self, fleet: Fleet, old: ReplicaRecord | None) -> ReplicaRecord:
        """Start a replica that is to take the place of ``old``, whose room and devices it shares until then; with
        None, in a place of its own. Raises ``NoRoom`` then."""
        if old is None:
            placement, devices = self._places.take(fleet)
        else:
            placement, devices = old.placement, old.devices
            self._places.tell_overcommitment(fleet, placement.nodepool)
        loop = asyncio.get_running_loop()
        record = self._launch(fleet, placement, devices, Standby(loop.create_future(), loop.create_future()))
        if old is not None:
            record.holds_place, record.replaces, old.replaced_by = False, old, record
        return record

    def promote(self, fleet: Fleet, record: ReplicaRecord) -> None:
        """A replica on standby is one of the fleet's from here on."""
        record.state, record.standby = ReplicaState.LIVE, None
        self._on_change(fleet)

    def _launch(
        self, fleet: Fleet, placement: Placement, devices: tuple[str, ...], standby: Standby | None = None
    ) -> ReplicaRecord:
        runner = self._runner(fleet, placement.nodepool)
        credential = self._dispatcher.issue_credential((*placement.nodepool, runner.id))
        record = ReplicaRecord(credential, runner, placement, self._clock.monotonic(), devices=devices, fleet=fleet)
        if standby is not None:
            record.state, record.standby = ReplicaState.STANDBY, standby
        fleet.records[record.replica_id] = record
        self._report.replica(fleet, record, "replica.starting", f"in nodepool '{placement.nodepool[2]}'")
        name = f"replica {record.replica_id[:8]}"
        record.task = begin(self._live(record), name, partial(self._life_failed, record))
        return record

    def connected(self, fleet: Fleet, replica: Replica) -> None:
        """The replica's first stream is there: its model is loaded and it takes work."""
        record = fleet.records.get(replica.replica_id)
        if record is not None and record.state is ReplicaState.DRAINING:
            replica.drain()  # it became ready after it was told to end
        coming = (ReplicaState.STARTING, ReplicaState.STANDBY)
        if record is not None and record.state in coming and replica.is_live and record.replica is None:
            if record.standby is None:
                record.state = ReplicaState.LIVE
            elif not record.standby.live.done():
                record.standby.live.set_result(None)
            record.replica = replica
            replica.tells_code = record.reload is not None
            record.ready = self._clock.monotonic()
            after = f"ready after {record.ready - record.started:.2f} s"
            runner = f", with the genuine runner: {record.genuine_because}" if record.genuine_because else ""
            self._report.replica(fleet, record, "replica.live", f"{after}{runner}")

    def drain(self, fleet: Fleet, record: ReplicaRecord, reason: str, *, at_once: bool = False) -> None:
        """Give it nothing new, let it finish, then end it: SIGTERM alone would lose what it works on."""
        record.state = ReplicaState.DRAINING
        self._report.replica(fleet, record, "replica.draining", reason)
        if record.replica is not None:
            record.replica.drain()
        name = f"end of replica {record.replica_id[:8]}"
        task = begin(self._finish(record, at_once=at_once), name, partial(self.kill, record))
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)

    def kill(self, record: ReplicaRecord, why: str) -> None:
        """End it at once, as a crash would: what it works on fails, and the supervisor starts another."""
        record.killed_because = why
        self._dispatcher.revoke(record.credential)
        link = self._dispatcher.runner(record.runner_key)
        if link is not None:
            self._dispatcher.lose(link, record.replica_id, why)
        if record.process is not None:
            record.process.kill()

    def replace_hung(self, fleet: Fleet, record: ReplicaRecord, replica: Replica) -> None:
        """Replace a replica whose model does not come back from a request. Requests that others still wait for may
        finish."""
        work, since = min(replica.abandoned.items(), key=lambda item: item[1])
        reason = (
            f"its model still works on request {work.request_id}, {self._clock.monotonic() - since:.1f} s after "
            "nobody waited for it any more"
        )
        self._report.replica(fleet, record, "replica.hung", reason, request_id=work.request_id)
        replica.give_up()
        if record.state is not ReplicaState.DRAINING:
            self.drain(fleet, record, "it hangs; another replica takes its place")

    def look_at(self, fleet: Fleet) -> None:
        """Let the supervisor see to a fleet that may have too few replicas."""
        self._on_change(fleet)

    def fleet_of_runner(self, key: RunnerKey) -> Fleet | None:
        """The fleet that this runner was made for."""
        return self._fleets.get(key)

    def forget_runners(self, fleet: Fleet) -> None:
        """The fleet is no more: nor are the runners that were made for it."""
        for nodepool, runner in fleet.runners.items():
            self._store.delete(Kind.RUNNER, (*nodepool, runner.id))
            self._fleets.pop((*nodepool, runner.id), None)
        fleet.runners.clear()

    async def end_all(self, records: Iterable[ReplicaRecord], *, grace: float) -> None:
        """End these replicas: SIGTERM, and after ``grace`` seconds SIGKILL."""
        for task in tuple(self._drains):
            task.cancel()
        await self.end(records, grace=grace)

    async def end(self, records: Iterable[ReplicaRecord], *, grace: float) -> None:
        """End these replicas, while others may still be draining."""
        await asyncio.gather(*(self._end(record, grace=grace) for record in records))

    # What outlives a reset.

    async def park_idle(self, fleets: Iterable[Fleet]) -> None:
        """Keep the replicas that have nothing to do, for whoever deploys the same code again. Those that are only
        winding up what was answered already are waited for, a moment."""
        candidates = [
            (fleet, record) for fleet in fleets for record in fleet.live if fleet.target.source is not None
        ]
        deadline = self._clock.monotonic() + _WIND_UP_SECONDS
        records = [record for _, record in candidates]
        while any(map(_is_winding_up, records)) and self._clock.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_WIND_UP_POLL_SECONDS)
        for fleet, record in candidates:
            if fleet.target.source is None or not _is_idle(record) or record.held_ports():
                continue  # the next model may want the port of its server
            if fleet.records.pop(record.replica_id, None):
                self.warm_pool.put(record, fleet.target.source, fleet.slots_per_replica)

    def _reuse(self, fleet: Fleet) -> bool:
        """Make a warm replica of the same code one of this fleet; False when there is none, or no room for it."""
        source = fleet.target.source
        if source is None:
            return False
        for key, nodepool in fleet.target.nodepools:
            is_free = partial(self._is_free, fleet, key)
            secrets = self._launch_specs.secrets(fleet, source)
            record = self.warm_pool.take(source, key, fleet.slots_per_replica, secrets, is_free)
            if record is None:
                continue
            try:
                record.placement = self._places.take_room(fleet, key, nodepool, machine=record.placement.machine)
            except NoRoom:
                self.warm_pool.put(record, source, fleet.slots_per_replica)
                return False
            self._move_in(fleet, record)
            return True
        return False

    def _is_free(self, fleet: Fleet, nodepool: NodepoolKey, runner: RunnerKey) -> bool:
        """Tell whether a warm replica of this runner may serve the fleet: as its only runner there."""
        mine = fleet.runners.get(nodepool)
        return self._fleets.get(runner) in (None, fleet) and (mine is None or mine.id == runner[3])

    def _move_in(self, fleet: Fleet, record: ReplicaRecord) -> None:
        """A warm replica serves this fleet from now on."""
        self._runner(fleet, record.nodepool, runner_id=record.runner.id)
        record.runner = fleet.runners[record.nodepool]
        record.fleet = fleet
        record.ready = self._clock.monotonic()
        fleet.records[record.replica_id] = record
        self._report.replica(
            fleet, record, "replica.live", "kept warm since an earlier deployment of the same code"
        )
        if record.replica is not None:
            record.replica.offer_idle()
        self._on_change(fleet)

    def queued_runner(self, fleet: Fleet) -> Runner:
        """The runner of a fleet that has no room for a replica: clients look for the reason in its log."""
        return self._runner(fleet, fleet.target.nodepools[0][0])

    def _runner(self, fleet: Fleet, nodepool: NodepoolKey, *, runner_id: str = "") -> Runner:
        """The runner of this fleet in this nodepool: the record that ListRunners shows, made on first use.
        ``runner_id``: of one that is there from before a reset."""
        known = fleet.runners.get(nodepool)
        if known is not None and self._store.get(Kind.RUNNER, (*nodepool, known.id)) is not None:
            return known
        if known is not None:
            self._fleets.pop((*nodepool, known.id), None)
        runner = fleet.runners[nodepool] = Runner(
            id=runner_id or uuid.uuid4().hex, description=f"Runs {fleet.target.name}"
        )
        key = (*nodepool, runner.id)
        self._fleets[key] = fleet
        runner.created_at.GetCurrentTime()
        runner.modified_at.CopyFrom(runner.created_at)
        runner.worker.model.CopyFrom(fleet.target.model)
        runner.worker.model.model_version.CopyFrom(fleet.target.version)
        runner.nodepool.CopyFrom(dict(fleet.target.nodepools)[nodepool])
        runner.compute_info.CopyFrom(fleet.target.version.inference_compute_info)
        runner.min_replicas = fleet.target.autoscale.min_replicas
        self._store.put(Kind.RUNNER, key, runner)
        link = self._dispatcher.add_runner(key, fleet.lane)
        link.threads = fleet.slots_per_replica
        return runner

    # Its life.

    async def _live(self, record: ReplicaRecord) -> None:
        """A replica's whole life: start it, wait until its process has ended, give everything back."""
        why = "the emulator stopped it"
        holding: asyncio.Task[None] | None = None
        debugging: asyncio.Task[None] | None = None
        lean: LeanReplica | None = None
        tell = partial(self._printed, record)
        try:
            fleet = _fleet_of(record)
            backend = self._places.backend_of(dict(fleet.target.nodepools)[record.nodepool])
            source = await self._launch_specs.prepare(fleet, backend, tell)
            code = await self._loaded_code.read(source)
            debugged = (fleet.lane.key.user_id, fleet.lane.key.deployment_id)
            await self._debuggers.prepare(debugged, backend.name)
            spec = self._launch_specs.make(fleet, record, source, tell, self._debuggers.of(debugged))
            record.genuine_because = self._launch_specs.why_genuine(source.backend)
            record.process = await backend.start(spec, explaining(tell))
            if record.ready is None:  # in this process, its model is loaded by now
                self._report.replica(fleet, record, "replica.loading", "its process has started")
            if record.process.debugger is not None:
                attaching = self._debuggers.attach(debugged, record.replica_id, record.process)
                debugging = begin(attaching, "attaching of a debugger", partial(self._kill_unready, record))
            if record.process.reloads is not None:
                record.reload = ReloadLink(record.process.reloads)
                releasing = self._loaded_code.release(source, record, code)
                holding = begin(releasing, "release of a replica", partial(self._kill_unready, record))
            elif record.standby is not None and not record.standby.loaded.done():
                record.standby.loaded.set_result(code.digest)  # whether it loads shows when it is live, or is not
            if record.process.connection is not None:
                lean = self._attach(record, record.process.connection)
            ended = str(await asyncio.shield(record.process.exited))
            why = record.killed_because or _refused(record) or ended
        except ModelError as error:
            why = error.summary
            record.tail.extend(str(error).splitlines())
        except Exception as error:
            log.exception("replica %s", record.replica_id)
            why = f"the emulator failed to start it: {error!r}"
        finally:
            for each in filter(None, (holding, debugging)):
                each.cancel()
            self._debuggers.detach(_fleet_of(record).lane.key[:2], record.replica_id)
            if record.reload is not None:
                record.reload.close()
            if lean is not None:
                lean.lost()
            elif record.process is not None and record.process.connection is not None:
                record.process.connection.close()
            self.warm_pool.discard(record)
            self._give_back(_fleet_of(record), record, why)
            self._ended(_fleet_of(record), record, why)

    def _kill_unready(self, record: ReplicaRecord, reason: str) -> None:
        """End a replica that would wait for ever for what failed."""
        self.kill(record, f"the emulator failed to make it ready: {reason}")

    def _life_failed(self, record: ReplicaRecord, reason: str) -> None:
        """Do what its task can no more: end the replica, and let the fleet have another."""
        fleet, why = _fleet_of(record), f"the emulator failed over it: {reason}"
        self.kill(record, why)
        record.has_ended = True
        fleet.records.pop(record.replica_id, None)
        fleet.failures += 1
        fleet.retry_at = self._clock.monotonic() + crash_delay(fleet.failures)
        fleet.last_crash = self._clock.monotonic(), why
        if is_failed(fleet.failures) and not fleet.live:
            fleet.lane.refuse(keeps_failing(fleet, why))
        self._on_change(fleet)

    def _attach(self, record: ReplicaRecord, end: LeanEnd) -> LeanReplica | None:
        """Feed a lean runner."""
        link = self._dispatcher.runner(record.runner_key)
        if link is None:
            end.close()
            return None
        return LeanReplica(self._dispatcher, link, record.replica_id, end, partial(self._serves_genuinely, record))

    def _serves_genuinely(self, record: ReplicaRecord, reason: str) -> None:
        record.genuine_because = reason
        self._printed(record, f"[emulator] the genuine runner serves: {reason}")

    def _printed(self, record: ReplicaRecord, line: str) -> None:
        if record in self.warm_pool:
            return  # about what is forgotten already
        self._log(record, record.printed.read(line))

    def _log(self, record: ReplicaRecord, lines: Iterable[tuple[str, LogOrigin]]) -> None:
        for printed, origin in lines:
            line = hidden(printed)
            if origin is not LogOrigin.NOISE:
                record.tail.append(line)
            self._report.log(
                _fleet_of(record), "runner", line, record.runner, replica_id=record.replica_id, origin=origin.value
            )

    def _give_back(self, fleet: Fleet, record: ReplicaRecord, why: str) -> None:
        record.has_ended = True
        self._log(record, record.printed.flush())
        self._places.give_back(record)
        self._dispatcher.revoke(record.credential)
        fleet.records.pop(record.replica_id, None)
        link = self._dispatcher.runner(record.runner_key)
        if link is not None:
            self._dispatcher.lose(link, record.replica_id, why)

    def _ended(self, fleet: Fleet, record: ReplicaRecord, why: str) -> None:
        """See to a replica whose process has ended. If nobody asked for that, it starts again, later each time."""
        if record.standby is not None:
            record.standby.fail(load_failure(model_traceback(record.tail), why))
        if record.state in (ReplicaState.DRAINING, ReplicaState.STANDBY) or fleet.retired:
            self._report.replica(fleet, record, "replica.stopped", why)
        else:
            now = self._clock.monotonic()
            fleet.failures = 1 if record.was_healthy(now) else fleet.failures + 1
            fleet.retry_at = now + crash_delay(fleet.failures)
            fleet.last_failure = model_traceback(record.tail)
            fleet.last_crash = now, why
            again = f"starts again in {fleet.retry_at - now:.1f} s"
            self._report.replica(fleet, record, "replica.crashed", f"{why}; {again}")
            # Only what never loaded is refused: a model that dies at work is started again, however often.
            if is_failed(fleet.failures) and record.ready is None and not fleet.serves(fleet.target):
                if fleet.live:
                    fleet.stuck = keeps_failing(fleet, why)
                else:
                    fleet.lane.refuse(keeps_failing(fleet, why))
                self._report.fleet(fleet, "deployment.failed", why, traceback=fleet.last_failure)
        self._on_change(fleet)

    async def _finish(self, record: ReplicaRecord, *, at_once: bool) -> None:
        if record.replica is not None and not at_once:
            await record.replica.drained.wait()
        await self._end(record, grace=self._config.stop_seconds)

    async def _end(self, record: ReplicaRecord, *, grace: float) -> None:
        task, process = record.task, record.process
        if task is None:
            return
        if process is None:
            task.cancel()
        else:
            record.printed.stop()
            if grace:
                process.terminate()
                await asyncio.wait([process.exited], timeout=grace)
            process.kill()
            await asyncio.wait([task], timeout=_KILLED_SECONDS)
            if not task.done():
                log.error(
                    "replica %s could not be ended: its process %d was killed %g s ago and is still there",
                    record.replica_id,
                    process.pid,
                    _KILLED_SECONDS,
                )
                task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _fleet_of(record: ReplicaRecord) -> Fleet:
    assert record.fleet is not None, "a replica is started for a fleet"
    return record.fleet


def _refused(record: ReplicaRecord) -> str:
    """Return why the replica was kept from a port while it loaded its model, which has ended it."""
    network = record.process.network if record.process is not None else None
    return network.refused if network is not None and record.ready is None else ""


def _is_idle(record: ReplicaRecord) -> bool:
    """Tell whether a replica lives, is connected, and works on nothing."""
    replica, process = record.replica, record.process
    if replica is None or process is None or process.exited.done() or record.state is not ReplicaState.LIVE:
        return False
    return bool(replica.streams) and not (replica.busy or replica.draining or replica.hung or replica.lost)


def _is_winding_up(record: ReplicaRecord) -> bool:
    """Tell whether everybody who waited for it has an answer, and it is not quite through itself."""
    busy = record.replica.busy if record.replica is not None else ()
    return bool(busy) and not any(work.is_open for work in busy)
