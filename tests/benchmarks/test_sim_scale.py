"""The simulation is right where mathematics knows the answer, and keeps the rules of what it simulates."""

from __future__ import annotations

import logging
import math
import random
import statistics
from dataclasses import replace
from itertools import pairwise

import pytest
import simpy
from sim_figures import Asked, Figures
from sim_model import Plant, Station, Step, World
from sim_scale import pod_hours

FIGURES = Figures(
    kb=(8.0, 122.0),
    client_ms=(0.1, 0.5),
    front_ms=(0.2, 0.6),
    worker_ms=(0.5, 2.0),
    spread=(1.0, 2.0),
    front_before=0.6,
    redis_read=Asked(0.125, 110.0, 5e-6),
    redis_write=Asked(1.0, 600.0, 1e-5),
)


@pytest.fixture(autouse=True)
def _without_the_words_of_a_busy_client(caplog):
    caplog.set_level(logging.ERROR, logger="cairn")


def mean_waits(service, *, servers, rate, runs=20, served=2_500):
    """Mean seconds in the queue of each run, after a fifth to settle in."""
    return [_waits(random.Random(run), service, servers, rate, served) for run in range(runs)]


def _waits(chance, service, servers, rate, served):
    env = simpy.Environment()
    station, waits = Station(env, servers), []

    def visit():
        begun, seconds = env.now, service(chance)
        yield from station.serve(seconds)
        waits.append(env.now - begun - seconds)

    def arrive():
        for _ in range(served):
            yield env.timeout(chance.expovariate(rate))
            env.process(visit())

    env.process(arrive())
    env.run()
    return statistics.mean(waits[served // 5 :])


def holds(means, expected):
    """Whether the 99 % interval of the mean has it (Student, 19 degrees of freedom), and tells something."""
    half = 2.861 * statistics.stdev(means) / math.sqrt(len(means))
    return abs(statistics.mean(means) - expected) <= half < expected / 2


def erlang_wait(*, servers, rate, service_rate):
    """The mean wait of M/M/c (Erlang C)."""
    load = rate / service_rate
    waiting = load**servers / math.factorial(servers) * servers / (servers - load)
    chance = waiting / (sum(load**k / math.factorial(k) for k in range(servers)) + waiting)
    return chance / (servers * service_rate - rate)


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.7), (4, 3.2), (16, 14.0)])
def test_queues_of_random_work_are_as_long_as_erlang_says(servers, rate):
    means = mean_waits(lambda chance: chance.expovariate(1.0), servers=servers, rate=rate)
    assert holds(means, erlang_wait(servers=servers, rate=rate, service_rate=1.0))


def test_a_queue_of_equal_work_is_as_long_as_pollaczek_and_khinchine_say():
    rate = 0.8
    means = mean_waits(lambda _: 1.0, servers=1, rate=rate)
    assert holds(means, rate / (2 * (1 - rate)))
    assert not holds(means, erlang_wait(servers=1, rate=rate, service_rate=1.0))  # it could be seen


# --- bursts -----------------------------------------------------------------------------------------------


def test_no_burst_is_faster_than_its_work_and_none_is_lost():
    step = Step(rollouts=1_024, kb=122.0)
    for pods in (1, 4, 16):
        world = World(Plant(pods=pods, clients=8), FIGURES)
        (wait_s,) = world.run(step)
        work_s = sum(pod.workers.busy for pod in world.pods)
        assert work_s == pytest.approx(1_024 * FIGURES.mean_worker_s(122.0), rel=0.05)
        assert wait_s >= work_s / (4 * pods)
        assert world.lost == 0


def test_a_pod_that_is_full_is_asked_again_until_it_has_answered_all():
    world = World(Plant(pods=1, clients=32, places=8), FIGURES)
    world.run(Step(rollouts=4_096, kb=8.0))
    assert world.refusals > 0
    assert world.lost == 0
    assert world.redis_commands == pytest.approx(4_096 * 1.125)


def test_pods_beyond_the_connections_of_a_lone_trainer_are_not_asked():
    world = World(Plant(pods=100, clients=1, concurrency=32), FIGURES)
    world.run(Step(rollouts=16_384, group=16))
    assert sum(pod.workers.busy > 0 for pod in world.pods) <= 32


def test_one_machine_takes_the_sum_of_all_work():
    step = Step(rollouts=256, kb=122.0)
    world = World(Plant(pods=1, cores=2, concurrency=8, one_machine=1, round_trip_s=0.0), FIGURES)
    (wait_s,) = world.run(step)
    parts = [*world.clients, *world.pods]
    busy = sum(
        each.cpu.busy if hasattr(each, "cpu") else each.front.busy + each.workers.busy for each in parts
    )
    assert wait_s == pytest.approx(busy, rel=0.02)


def test_a_stream_that_the_pods_keep_up_with_is_done_soon_after_its_last_group():
    step = Step(rollouts=1_024, kb=122.0, generation_s=60.0)
    (wait_s,) = World(Plant(pods=2), FIGURES).run(step)
    assert 0 < wait_s < 0.2


def test_the_same_seed_gives_the_same_run():
    runs = [World(Plant(pods=3, clients=4), FIGURES, seed=seed).run(Step(rollouts=512)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


# --- the autoscaler ---------------------------------------------------------------------------------------


def test_the_autoscaler_keeps_its_bounds_and_no_more_than_doubles():
    plant = Plant(pods=2, clients=8, most_pods=6, pod_start_s=7.0)
    world = World(plant, replace(FIGURES, worker_ms=(20.0, 80.0)))
    world.run(Step(rollouts=4_096, group=16), steps=4)
    counts = [pods for _, pods in world.pod_counts]
    assert max(counts) == 6
    assert all(after <= 2 * before for before, after in pairwise(counts))
    assert world.pod_counts[1][0] >= 2 * 15 + 7  # a scrape, a look at it, a start


def test_pod_hours_are_the_area_under_the_pods():
    assert pod_hours([(0.0, 2), (1_800.0, 4)], until=3_600.0) == 3.0
