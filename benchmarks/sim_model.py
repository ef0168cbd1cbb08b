"""A cluster in a simulation: trainer processes, their link, pods behind a Service, one Redis, an autoscaler.

What decides is the real code where it can be: the client's window and its patience (`trainer_client`), and
how a group is cut into pieces (`service.workers.cut`). What work takes comes from `sim_figures.py`. Time is
simulated, in seconds; the same seed gives the same run again.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import simpy
from sim_figures import Asked, Figures

from service.admission import WORKER_BYTES
from service.settings import Settings
from service.workers import cut
from trainer_client import protocol
from trainer_client.throttle import Throttle

Process = Generator[Any, Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a training step asks: groups of rollouts of so many KB each.

    Colocated (`generation_s` 0): all groups are ready at once. Else they come while others are generated.
    """

    rollouts: int
    group: int = 8
    kb: float = 122.0
    generation_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """What answers, and how it is reached. `balanced`: each request goes to the pod with the fewest, as from
    a proxy; else each connection stays with the pod that chance gave it, as from a Kubernetes Service.
    """

    pods: int
    trainer: str = ""
    cores: int = 4
    clients: int = 1
    concurrency: int = 32
    balanced: bool = False
    most_pods: int = 0
    """An autoscaler may go up to here from `pods`; 0 for none."""
    pod_start_s: float = 0.0
    round_trip_s: float = 0.0005
    link_bytes_s: float = 25e9 / 8
    """Of all trainer processes together, and of Redis."""
    redis_budget_s: float = 0.05
    one_machine: int = 0
    """All processes share so many cores; 0 where each has its own."""
    places: int = Settings.model_fields["max_in_flight"].default
    bytes_per_core: int = WORKER_BYTES


class Station:
    """So many servers with one queue, first come, first served. `busy` sums the seconds of work begun.

    `cores`, where there are any, are shared with other stations: all stand on one machine.
    """

    def __init__(
        self, env: simpy.Environment, servers: int = 1, *, cores: simpy.Resource | None = None
    ) -> None:
        self.busy = 0.0
        self.servers = servers
        self._env = env
        self._turns = simpy.Resource(env, servers)
        self._cores = cores or self._turns

    def serve(self, seconds: float) -> Process:
        with self._turns.request() as turn:
            yield turn
            self.busy += seconds
            if self._cores is self._turns:
                yield self._env.timeout(seconds)
                return
            with self._cores.request() as core:
                yield core
                yield self._env.timeout(seconds)


class World:
    """Everything of one simulation. `run` plays steps and says when the last reward of each had come."""

    def __init__(self, plant: Plant, figures: Figures, *, seed: int = 1) -> None:
        random.seed(seed)  # the client's throttle draws from there
        self.env = simpy.Environment()
        self.plant = plant
        self.figures = figures
        self.chance = random.Random(seed)
        self.cores = simpy.Resource(self.env, plant.one_machine) if plant.one_machine else None
        self.redis = Station(self.env)
        self.redis_link = Station(self.env)
        self.link = Station(self.env)
        self.pods: list[Pod] = [Pod(self) for _ in range(plant.pods)]
        self.redis_commands = 0.0
        self.redis_bytes = 0.0
        self.refusals = 0
        self.lost = 0
        self.pod_counts: list[tuple[float, int]] = [(0.0, plant.pods)]
        self.clients = [Client(self) for _ in range(plant.clients)]

    def run(self, step: Step, *, steps: int = 1, every_s: float = 0.0) -> list[float]:
        """Seconds from the end of each generation to its last reward.

        A step begins `every_s` after the one before, or as soon as that is done.
        """
        if self.plant.most_pods:
            self.env.process(Autoscaler(self).live())
        waits: list[float] = []
        played = self.env.process(self._play(step, steps, every_s, waits))
        self.env.run(until=played)
        return waits

    def _play(self, step: Step, steps: int, every_s: float, waits: list[float]) -> Process:
        for _ in range(steps):
            begun = self.env.now
            for client in self.clients:
                client.connections.clear()  # idle ones are closed between steps
            groups = self._groups(step)
            asked = [
                self.env.process(self.clients[index % len(self.clients)].score(group))
                for index, group in enumerate(groups)
            ]
            yield self.env.all_of(asked)
            waits.append(self.env.now - begun - step.generation_s)
            if (rest := begun + every_s - self.env.now) > 0:
                yield self.env.timeout(rest)

    def _groups(self, step: Step) -> Iterable[Group]:
        """The last group is there when generation ends; the others came while it went on."""
        count = -(-step.rollouts // step.group)
        ready = sorted(self.chance.betavariate(2, 2) * step.generation_s for _ in range(count))
        ready[-1] = step.generation_s
        return [Group(after_s, (step.kb * 1000,) * step.group) for after_s in ready]

    def pod_for(self, connection: Pod | None) -> Pod:
        if self.plant.balanced:
            least = min(pod.inside for pod in self.pods)
            return self.chance.choice([pod for pod in self.pods if pod.inside == least])
        return connection or self.chance.choice(self.pods)


@dataclass(frozen=True, slots=True)
class Group:
    """When it is generated, and the characters of its rollouts."""

    after_s: float
    sizes: tuple[float, ...]

    @property
    def bytes(self) -> float:
        return sum(self.sizes)


# --- the trainer's side -----------------------------------------------------------------------------------


class Client:
    """One process with the real window, and one core for writing bodies and reading replies."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._env = world.env
        self.cpu = Station(world.env, cores=world.cores)
        self.connections: list[Pod] = []
        self._turns = simpy.Resource(world.env, world.plant.concurrency)
        self._throttle = Throttle(limit=world.plant.concurrency, clock=lambda: world.env.now)

    def score(self, group: Group) -> Process:
        yield self._env.timeout(group.after_s)
        cost = self._world.figures.client_s(group.sizes)
        with self._turns.request() as turn:
            yield turn
            yield from self.cpu.serve(cost)
            troubles: list[protocol.Trouble] = []
            while (trouble := (yield from self._attempt(group, again=bool(troubles)))) is not None:
                troubles.append(trouble)
                wait = protocol.pause(troubles, remaining_s=_PATIENCE_S, spread=self._world.chance.random())
                if wait is None:
                    self._world.lost += 1
                    return
                yield self._env.timeout(wait)

    def _attempt(self, group: Group, *, again: bool) -> Process:
        """The real throttle's turn, then one request: None, or why it was refused."""
        world = self._world
        while (wait := self._throttle.enter(again=again)) != 0:
            yield self._env.timeout(0.05 if wait is None else wait * (1 + world.chance.random()))
        started = self._env.now
        connection = self.connections.pop() if self.connections else None
        yield from world.link.serve(group.bytes / world.plant.link_bytes_s)
        yield self._env.timeout(world.plant.round_trip_s)
        pod = world.pod_for(connection)
        refused: int | None = yield from pod.answer(group)
        self.connections.append(pod)
        trouble = None
        if refused is not None:
            world.refusals += 1
            answer = protocol.Answer(429, {"retry-after": str(refused)}, b"{}")
            trouble = protocol.read_refusal(answer, now=_EPOCH)
        self._throttle.leave(trouble, started=started)
        return trouble


_PATIENCE_S = 300.0
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


# --- a pod ------------------------------------------------------------------------------------------------


class Pod:
    """A front process with one core, and workers; who comes when it is full is told when to come back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.born = world.env.now
        self.front = Station(world.env, cores=world.cores)
        self.workers = Station(world.env, world.plant.cores, cores=world.cores)
        self.inside = 0
        self._bytes = 0.0

    def answer(self, group: Group) -> Process:
        """None when it is scored, else the seconds of `Retry-After`."""
        world, plant = self._world, self._world.plant
        full = self._bytes + group.bytes > plant.bytes_per_core * plant.cores
        if self.inside >= plant.places or (self.inside and full):
            return world.chance.randint(1, 3)
        self.inside += 1
        self._bytes += group.bytes
        yield from self._work(group)
        self.inside -= 1
        self._bytes -= group.bytes
        return None

    def _work(self, group: Group) -> Process:
        figures, front = self._world.figures, self._world.figures.front_s(group.sizes)
        yield from self.front.serve(front * figures.front_before)
        yield from self._read(figures.redis_read, len(group.sizes))
        pieces = cut([int(size) for size in group.sizes], workers=self._world.plant.cores)
        work = [figures.worker_s([group.sizes[at] for at in piece], self._world.chance) for piece in pieces]
        yield self._world.env.all_of([self._world.env.process(self.workers.serve(each)) for each in work])
        self._world.env.process(self._redis(figures.redis_write, len(group.sizes)))  # nobody waits for it
        yield from self.front.serve(front * (1 - figures.front_before))

    def _read(self, each: Asked, rollouts: int) -> Process:
        """No longer than the budget: what comes later is not waited for, though Redis still does it."""
        asked = self._world.env.process(self._redis(each, rollouts))
        yield asked | self._world.env.timeout(self._world.plant.redis_budget_s)

    def _redis(self, each: Asked, rollouts: int) -> Process:
        world = self._world
        world.redis_commands += each.commands * rollouts
        world.redis_bytes += each.bytes * rollouts
        yield from world.redis_link.serve(each.bytes * rollouts / world.plant.link_bytes_s)
        yield from world.redis.serve(each.server_s * rollouts)
        yield world.env.timeout(world.plant.round_trip_s)


# --- the autoscaler ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Autoscaler:
    """Kubernetes' rule on CPU, with the numbers of `deploy/k8s/base/autoscaler.yaml`.

    Every 15 s it sees what was used in the 15 s up to a scrape that is up to as old. Up at most doubles;
    down waits until nothing of the last 15 minutes asked for more, and takes a fifth a minute.
    """

    world: World
    target: float = 0.6
    tolerance: float = 0.1
    sync_s: float = 15.0
    down_s: float = 900.0
    _asked: list[tuple[float, int]] = field(default_factory=list)
    _seen: list[float] = field(default_factory=lambda: [0.0])
    _wanted: int = 0

    def live(self) -> Process:
        env = self.world.env
        self._wanted = len(self.world.pods)
        while True:
            yield env.timeout(self.sync_s)
            self._seen.append(sum(pod.front.busy + pod.workers.busy for pod in self.world.pods))
            if len(self._seen) < 3:  # the scrape of one round before is the newest that is known
                continue
            pods = len(self.world.pods)
            used = (self._seen[-2] - self._seen[-3]) / (self.sync_s * pods * self.world.plant.cores)
            ratio = used / self.target
            wish = pods if abs(ratio - 1) <= self.tolerance else -(-pods * used // self.target)
            self._decide(int(max(self.world.plant.pods, min(self.world.plant.most_pods, wish))))

    def _decide(self, wish: int) -> None:
        env, pods = self.world.env, self.world.pods
        self._asked = [(at, many) for at, many in self._asked if at > env.now - self.down_s]
        self._asked.append((env.now, wish))
        if wish > self._wanted:
            more = min(wish, 2 * self._wanted) - self._wanted
            self._wanted += more
            env.process(self._start(more))
        elif (most := max(many for _, many in self._asked)) < len(pods) == self._wanted:
            keep = max(most, len(pods) - max(1, int(len(pods) * 0.2 * self.sync_s / 60)))
            del pods[keep:]
            self._wanted = keep
            self.world.pod_counts.append((env.now, keep))

    def _start(self, more: int) -> Process:
        yield self.world.env.timeout(self.world.plant.pod_start_s)
        self.world.pods.extend(Pod(self.world) for _ in range(more))
        self.world.pod_counts.append((self.world.env.now, len(self.world.pods)))
