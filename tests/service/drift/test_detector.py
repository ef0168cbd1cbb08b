from __future__ import annotations

import math
from random import Random

import numpy as np

from service.drift.detector import Detector, Moments
from service.drift.reference import freeze
from service.drift.signals import FEATURES
from tests.service.drift.making import drawn

KNOWN = freeze([drawn(Random(f"known {seed}")) for seed in range(1500)], source="test").series[0].moments()


def first_alarm(detector, groups):
    for number, signals in enumerate(groups, 1):
        if alarm := detector.add(signals.features):
            return number, alarm
    return None, None


def stream(name, count, **options):
    return (drawn(Random(f"{name} {number}"), **options) for number in range(count))


def test_nothing_is_told_while_nothing_changes():
    assert first_alarm(Detector(KNOWN), stream("quiet", 6000)) == (None, None)


def test_a_better_policy_is_told_within_256_groups_and_named():
    detector = Detector(KNOWN)
    first_alarm(detector, stream("before", 128))
    number, alarm = first_alarm(detector, stream("after", 256, better=0.5))
    assert number
    assert alarm.causes[0].up or alarm.causes[0].feature in ("zero", "spread", "degenerate")
    assert {each.feature for each in alarm.causes} & {"reward", "zero", "hop_1", "hop_2", "score", "literal"}


def test_a_lasting_change_is_told_again():
    detector = Detector(KNOWN)
    first, _ = first_alarm(detector, stream("after", 400, better=0.9))
    assert detector.evidence < 0.5
    again, _ = first_alarm(detector, stream("later", 400, better=0.9))
    assert first
    assert again


def test_a_flag_that_the_reference_never_saw_is_told_from_a_few_groups():
    detector = Detector({"entity_dump": Moments(0.0, 0.0, 500)})
    features = np.full(len(FEATURES), math.nan)
    features[FEATURES.index("entity_dump")] = 0.5
    alarms = [detector.add(features) for _ in range(12)]
    told = next(each for each in alarms if each)
    assert [(each.feature, each.up) for each in told.causes] == [("entity_dump", True)]


def test_features_that_a_group_or_the_reference_does_not_have_are_no_evidence():
    detector = Detector({"reward": Moments(0.5, 0.2, 500)})
    silent = np.full(len(FEATURES), math.nan)
    wild = np.ones(len(FEATURES))
    wild[0] = 0.5
    for _ in range(500):
        assert detector.add(silent) is None
        assert detector.add(wild) is None
    assert detector.groups == 1000


def test_a_reference_of_few_prompts_is_believed_less():
    def evidence(prompts):
        detector = Detector({"reward": Moments(0.5, 0.2, prompts)})
        features = np.full(len(FEATURES), math.nan)
        features[0] = 0.55
        for _ in range(100):
            detector.add(features)
        return detector.evidence

    assert evidence(50) < 0.5 * evidence(5000)


def test_the_mean_wealth_of_bets_on_nothing_grows_by_no_more_than_one_a_group():
    random = np.random.default_rng(1)
    means = []
    for _ in range(300):
        detector = Detector({"reward": Moments(0.5, 0.2, 10_000)}, groups_per_false_alarm=1e12)
        features = np.full(len(FEATURES), math.nan)
        for value in np.clip(random.normal(0.5, 0.2, 40), 0, 1):
            features[0] = value
            detector.add(features)
        means.append(detector._mean())
    assert np.mean(means) <= 40 + 4 * np.std(means) / math.sqrt(300)


def test_a_reference_that_knows_no_reward_or_nothing_else_is_bet_on_all_the_same():
    for names, change in (({"hop_1", "length"}, "hop_1"), ({"reward"}, "reward")):
        known = {name: each for name, each in KNOWN.items() if name in names}
        detector = Detector(known)
        assert first_alarm(detector, stream("quiet", 512)) == (None, None)
        _, alarm = first_alarm(detector, stream("after", 768, better=0.7))
        assert alarm.causes[0].feature == change
