from __future__ import annotations

import json
from random import Random

from structlog.testing import capture_logs

from rubric.intake import parse_score
from rubric.job import Defaults, prepare
from rubric.reply import compose
from rubric.score import attempt
from service.drift.canary import golden
from service.drift.recheck import Recheck
from service.drift.reference import freeze
from service.drift.watch import Watch
from service.drift.windows import Windows
from tests.service.drift.making import drawn


class Nobody:
    """Counts nothing."""

    def observed(self, signals):
        pass

    def failed(self, kind):
        pass


async def again(*_):
    raise AssertionError("nothing is rechecked")


def test_no_label_that_may_have_any_value_reaches_the_log():
    reference = freeze([drawn(Random(f"g {number}")) for number in range(150)], source="test")
    windows = Windows(names=("source",), reference=reference)
    watch = Watch(Nobody(), windows, recheck=Recheck(share=0.0, again=again, report=print))
    body = {**golden()[0].body, "labels": {"source": "a", "policy": "a secret of the sender's"}}
    job = prepare(parse_score(json.dumps(body).encode()), Defaults())
    verdicts = [response and attempt(job.task, response).verdict for response in job.responses]
    reply = compose(job, verdicts)
    with capture_logs() as logged:
        for _ in range(600):
            watch.scored(job, verdicts, reply)
    assert logged
    assert {json.dumps(each["labels"]) for each in logged} == {'{"source": "a"}'}
    assert "secret" not in str(logged)
