# SPDX-License-Identifier: MIT
"""The metrics of gilscope watch: what they count, that their labels have bounds and hold hostile
names, and that Prometheus' own programs accept them."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import harness
from watched import SERVICE, Service, Watch

# tools/install-deps unpacks it there
PLACES = os.pathsep.join(
    [os.path.join(harness.ROOT, "build/prometheus/usr/bin"), os.environ["PATH"]]
)
PROMTOOL, PROMETHEUS = (shutil.which(name, path=PLACES) for name in ("promtool", "prometheus"))
MS = 1_000_000
S = 1_000_000_000
STEP_S = 1.5  # a second, and a tick
OPEN = "application/openmetrics-text; version=1.0.0"
SAMPLE = re.compile(r'^(gilscope\w*)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)(?: # (.*))?$')
HOSTILE = 'evil"\\\n\x1b[2J\u202eman'
EVIL = """
def evil(seconds):
    time.sleep(seconds)
evil.__code__ = evil.__code__.replace(co_name=NAME, **(
    {"co_qualname": NAME} if sys.version_info >= (3, 11) else {}))
"""


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.text, self.samples, self.exemplars = text, {}, {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            found = SAMPLE.match(line)
            assert found, line
            labels = tuple(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or ""))
            assert (found[1], labels) not in self.samples, line
            self.samples[found[1], labels] = float(found[3])
            if found[4]:
                self.exemplars[found[1], labels] = found[4]

    def value(self, name, **labels):
        """The sum of all samples of that name with these labels."""
        return sum(
            value
            for (family, known), value in self.samples.items()
            if family == "gilscope_" + name and set(labels.items()) <= set(known)
        )

    def labels(self, name, label):
        return {
            dict(known)[label]
            for family, known in self.samples
            if family == "gilscope_" + name and label in dict(known)
        }


def scrape(port, accept="*/*", host=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/metrics",
        headers={"Accept": accept, **({"Host": host} if host else {})},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def watch(port, metrics, *arguments):
    return Watch(f":{port}", "--metrics", metrics, *arguments)


def test_they_count_what_the_service_did(tmp_path):
    port, metrics = harness.free_port(), harness.free_port()
    with Service(port, harness.undisturbed()) as service:
        with watch(port, metrics, "--recordings", tmp_path, "--dump-over", "250ms") as watching:
            marks = [*service.tell("nap 0.12"), *service.tell("spin 0.15")]
            marks += service.tell("nap 0.3")
            marks += service.tell("many 0.1 3", rows=3)
            time.sleep(STEP_S)
            first = Metrics(scrape(metrics)[1])
            marks += service.tell("nap 0.12")
            time.sleep(STEP_S)
            kind, text = scrape(metrics, OPEN)
            events = watching.end()
    assert kind.startswith("application/openmetrics-text") and text.endswith("# EOF\n")
    second = Metrics(text)
    lengths = [mark.t1_ns - mark.t0_ns for mark in marks]
    for seen, known in ((first, lengths[:-1]), (second, lengths)):
        assert seen.value("stalls_total") == len(known)
        assert seen.value("stall_seconds_count") == len(known)
        assert seen.value("stall_seconds_bucket", le="0.2") == sum(ns < 0.2 * S for ns in known)
        assert seen.value("loop_iteration_seconds_bucket", le="+Inf") >= len(known)
        assert seen.value("loop_iteration_seconds_count") == seen.value(
            "loop_iteration_seconds_bucket", le="+Inf"
        )
        for name in ("stall_seconds_sum", "stalled_seconds_total", "function_stall_seconds_total"):
            assert abs(seen.value(name) * S - sum(known)) < 5 * MS * len(known), name
        assert seen.value("function_stalls_total") == len(known)
        assert seen.value("freezes_total") == 1
    assert second.labels("function_stalls_total", "function") == {"nap", "spin", "many"}
    spun = [mark.t1_ns - mark.t0_ns for mark in marks if mark.name == "spin"]
    assert abs(second.value("stalled_seconds_total", state="python") * S - sum(spun)) < 20 * MS
    for key, value in first.samples.items():
        if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
            assert second.samples[key] >= value, key
    recording = next(e["recording"] for e in events if e["event"] == "recording")
    assert (
        f'recording="{recording}"'
        in second.exemplars["gilscope_stall_seconds_bucket", (("le", "0.5"),)]
    )
    assert second.value("recordings_total") == 1
    assert second.value("info", version="0.1.0", mode="edges") == 1
    assert second.labels("worker_info", "pid") == {str(service.pid)}
    assert second.value("resident_bytes") > 1 << 20 and second.value("cpu_seconds_total") > 0


def test_a_process_that_takes_another_ones_place_has_its_number():
    port, metrics = harness.free_port(), harness.free_port()
    with Service(port) as first:
        with watch(port, metrics) as watching:
            first.tell("nap 0.12")
            time.sleep(STEP_S)
            before = Metrics(scrape(metrics)[1])
            first.kill()
            watching.wait_for("death", pid=first.pid)
            with Service(port) as second:
                watching.wait_for("process", "began", pid=second.pid)
                time.sleep(0.2)
                second.tell("nap 0.12")
                time.sleep(STEP_S)
                after = Metrics(scrape(metrics)[1])
            watching.end()
    assert before.value("stalls_total", worker="0") == 1
    assert after.value("stalls_total", worker="0") == after.value("stalls_total") == 2
    assert after.labels("worker_info", "pid") == {str(second.pid)}
    assert after.value("worker_deaths_total", signal="SIGKILL") == 1
    for key, value in before.samples.items():
        if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
            assert after.samples[key] >= value, key


def test_hostile_names_are_labels_and_nothing_else(tmp_path):
    port, metrics = harness.free_port(), harness.free_port()
    source = SERVICE.replace("def many(", EVIL.replace("NAME", repr(HOSTILE)) + "def many(")
    with Service(port, source=source) as service, watch(port, metrics) as watching:
        service.begin("evil 0.12")
        watching.wait_for("stall", "ended")
        time.sleep(STEP_S)
        text = scrape(metrics)[1]
        watching.end()
    (name,) = Metrics(text).labels("function_stalls_total", "function")
    assert "evil" in name and "man" in name and "\\x1b" in name and "\x1b" not in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


@pytest.fixture
def scraped():
    """The port of a service's metrics after some stalls."""
    port, metrics = harness.free_port(), harness.free_port()
    with Service(port) as service, watch(port, metrics) as watching:
        service.tell("nap 0.12")
        time.sleep(STEP_S)
        yield metrics
        watching.end()


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
def test_promtool_has_nothing_to_say(scraped):
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=scrape(scraped)[1], text=True, capture_output=True
    )
    assert done.returncode == 0 and not done.stdout + done.stderr, done


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
def test_the_alerts_are_what_they_say_and_their_metrics_exist(scraped):
    folder = os.path.join(harness.ROOT, "contrib/prometheus")
    done = subprocess.run(
        [PROMTOOL, "test", "rules", f"{folder}/gilscope.test.yml"], text=True, capture_output=True
    )
    assert done.returncode == 0, done
    with open(f"{folder}/gilscope.rules.yml") as rules:
        wanted = set(re.findall(r"gilscope_\w+", "".join(re.findall("expr: .*", rules.read()))))
    assert wanted and wanted <= set(re.findall(r"^# TYPE (\w+)", scrape(scraped)[1], re.M))


@pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not installed")
def test_a_real_prometheus_scrapes_them(scraped, tmp_path):
    port = harness.free_port()
    (tmp_path / "prometheus.yml").write_text(
        "scrape_configs:\n- job_name: gilscope\n  scrape_interval: 1s\n  static_configs:\n"
        f"  - targets: ['127.0.0.1:{scraped}']\n"
    )
    with subprocess.Popen(
        [
            PROMETHEUS,
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    ) as prometheus:
        try:
            stalls = ask(port, "sum(gilscope_stalls_total)")
            assert stalls == 1
            assert ask(port, 'up{job="gilscope"}') == 1
            assert ask(port, "gilscope_stall_seconds_count") == 1
        finally:
            prometheus.send_signal(signal.SIGTERM)


def ask(port, query, seconds=30):
    """The value of the query's only series, once there is one."""
    deadline = time.monotonic() + seconds * harness.PATIENCE
    address = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.request.quote(query)}"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                found = json.load(answer)["data"]["result"]
            if found:
                return float(found[0]["value"][1])
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"no answer to {query}")


def test_they_are_for_this_machine_only(scraped):
    with pytest.raises(urllib.error.HTTPError) as refused:
        scrape(scraped, host="evil.example")
    assert refused.value.code == 403


def test_a_socket_in_the_file_system(tmp_path):
    port, path = harness.free_port(), tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    with Service(port), watch(port, path) as watching:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("GET", "/metrics")
        assert Metrics(connection.getresponse().read().decode()).value("info") == 1
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        connection.close()
        watching.end()
    assert not path.exists()


def test_a_port_that_is_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = harness.gilscope("watch", os.getpid(), "--metrics", port)
    assert outcome.status == 1 and f"cannot serve metrics on 127.0.0.1:{port}" in outcome.stderr
