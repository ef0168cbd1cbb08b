"""Traces say where the time of a request goes, to a real collector, and never a word of what was sent."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.service.bodies import FOUR, group
from tests.service.serving import running, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@contextmanager
def collector():
    """Spans by name, as they arrive."""
    spans = {}

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                raw = gzip.decompress(raw)
            for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
                for scope in resource.scope_spans:
                    spans.update({span.name: span for span in scope.spans})
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collect)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def scored(server):
    return [each for each in server.events() if each.get("route") == "/score"]


def test_spans_of_a_request_hang_together_and_belong_to_the_trace_of_the_caller():
    with collector() as (url, spans):
        with running(workers=0, traces_url=url) as server, server.client() as client:
            parent = f"00-{TRACE}-00f067aa0ba902b7-01"
            reply = client.post("/score", json=group(FOUR), headers={"traceparent": parent})
            assert reply.headers["traceparent"].split("-")[1] == TRACE
            assert server.stop() == 0  # and what waits is sent
            logged = scored(server)
        assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
        assert spans["request"].parent_span_id.hex() == "00f067aa0ba902b7"
        assert spans["match"].parent_span_id == spans["request"].span_id
        assert spans["match"].start_time_unix_nano >= spans["request"].start_time_unix_nano
        assert [each["trace_id"] for each in logged] == [TRACE]
        assert FOUR[:12] not in repr(spans)


def test_a_request_without_a_trace_gets_one_and_its_reply_names_it():
    with running(workers=0) as server, server.client() as client:
        one, other = (client.post("/score", json=group(FOUR)) for _ in range(2))
        traces = [each.headers["traceparent"].split("-")[1] for each in (one, other)]
        wait_until(lambda: len(scored(server)) == len(traces))  # the event comes after the reply
        assert [each["trace_id"] for each in scored(server)] == traces
    assert len(set(traces)) == 2
    assert all(len(each) == 32 for each in traces)


def test_a_collector_that_is_away_costs_no_request():
    with running(workers=0, traces_url="http://127.0.0.1:9/v1/traces") as server, server.client() as client:
        assert client.post("/score", json=group(FOUR)).status_code == 200
        assert server.stop() == 0
