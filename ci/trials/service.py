"""A chatprobe that runs with a simulator, its canary probe, and what both say."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

QUICK = "{ session_pause: 10ms, first_message_delay: 10ms, reply_delay: 10ms }"
# From one canary to the next, in seconds.
EVERY = 0.25
PROBE = {"mode": "probe"}
# A machine that is kept busy must not decide.
PATIENT = "{ start_lateness_p99: 1m, send_lateness_p99: 1m, scheduler_lag_p99: 1m, stall: 1m, cpu_wait: 100% }"
# How long anything may take that is expected to happen, in seconds.
PATIENCE = 30


class Failure(Exception):
    """An expectation that is not met; the trial ends."""


def eventually(what, look, patience=PATIENCE):
    """What `look` returns as soon as it is true."""
    deadline = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failure(f"no {what} within {patience} s")
        time.sleep(0.05)


class Program:
    """A chatprobe process, with what it logs in a file."""

    running = []

    def __init__(self, folder, name, arguments, limits="", variables=None, group=None):
        """`limits` as `ulimit` takes them, `group` the file that takes the processes of a control group."""
        self.log_file = folder / f"{name}.log"
        command = [os.environ["CHATPROBE"], *arguments]
        if limits:
            command = ["sh", "-c", f'ulimit {limits} && exec "$0" "$@"', *command]
        if group:
            command = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group), *command]
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        environment.pop("CHATPROBE_CONFIG", None)
        environment.update(variables or {})
        with open(self.log_file, "a") as log:
            self.started_at = log.tell()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        Program.running.append(self)

    @classmethod
    def end_all(cls):
        """Ends what a trial has left running."""
        for program in cls.running:
            program.process.kill()
            program.process.wait()
        cls.running.clear()

    def log(self):
        with open(self.log_file, errors="replace") as log:
            log.seek(self.started_at)
            return log.read()

    def address(self, word):
        """The address that stands behind a word of the log."""

        def look():
            if self.process.poll() is not None:
                raise Failure(f"it ended with {self.process.returncode}: {self.log()[-500:]}")
            return re.search(word + r".*?http://(127\.0\.0\.1:\d+)", self.log())

        return eventually(f"`{word}` in the log", look).group(1)

    def memory(self):
        """Resident, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def send(self, number):
        self.process.send_signal(number)

    def is_over(self):
        """Whether it has ended, apart from threads that the kernel does not let go of."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "Z"

    def end(self, number=signal.SIGTERM, patience=PATIENCE):
        """Its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"no end within {patience} s of {signal.Signals(number).name}") from None


class Service:
    """`chatprobe serve` against a simulator that it does not share a process with."""

    def __init__(self, folder, more="", limits="", targets="", health=PATIENT, host="127.0.0.1", centre="", scenarios=(), token=None, group=None):
        self.folder = folder
        self.limits = limits
        self.group = group
        self.token = token
        self.centre_settings = f"agents: unlimited\njoin: 5ms\nanswer: 5ms\ntyping: 5ms\n{centre}"
        self.start_centre("127.0.0.1:0")
        target = f"http://{host}:{self.centre_address.split(':')[1]}"
        scenarios = ", ".join(f"'{path}'" for path in (pathlib.Path("config/scenarios").resolve(), *scenarios))
        self.configuration = f"""
targets:
  centre: {{ url: '{target}', variables: {{ tenant_id: t, channel_provider_id: p }} }}
{targets}
scenarios: [{scenarios}]
listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}
probes:
  canary: {{ scenario: contact-center-chat, target: centre, every: {EVERY}s, inputs: {QUICK} }}
data: {{ directory: data }}
shutdown: {{ grace: 2s }}
health: {health}
{more}
"""
        self.write(self.configuration)
        self.start()

    def start_centre(self, listen):
        settings = self.folder / "simulator.yaml"
        settings.write_text(self.centre_settings)
        arguments = ["simulate", "--settings", str(settings), "--listen", listen]
        self.centre = Program(self.folder, "simulator", arguments)
        self.centre_address = self.centre.address("contact centre")

    def start_centre_anew(self):
        self.centre.end(signal.SIGKILL)
        self.start_centre(self.centre_address)

    def write(self, configuration):
        (self.folder / "chatprobe.yaml").write_text(configuration)

    def start(self):
        arguments = ["serve", "--config", str(self.folder / "chatprobe.yaml")]
        variables = {"CHATPROBE_ADMIN_TOKEN": self.token} if self.token else {}
        self.program = Program(self.folder, "service", arguments, self.limits, variables, self.group)
        self.web = self.program.address("open")
        self.callbacks = self.program.address("callbacks")
        eventually("answer of /readyz", lambda: self.get("/readyz")[0] == 200)

    def request(self, method, path, body=None, timeout=10, token=None):
        """Status and text of an answer; the token is the right one unless another is given."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.web}{path}", data=data, method=method)
        if data is not None:
            request.add_header("content-type", "application/json")
        token = token or self.token
        if token:
            request.add_header("authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError as error:
            return 0, str(error)

    def get(self, path, timeout=10):
        return self.request("GET", path, timeout=timeout)

    def json(self, path):
        status, text = self.get(path)
        if status != 200:
            raise Failure(f"GET {path}: {status} {text[:200]}")
        return json.loads(text)

    def burst(self, load, **more):
        """The id of a burst that was started."""
        inputs = {"session_pause": "10ms", "first_message_delay": "10ms", "reply_delay": "10ms"}
        body = {"scenario": "contact-center-chat", "target": "centre", "load": load, "inputs": inputs, **more}
        status, text = self.request("POST", "/api/v1/bursts", body)
        if status != 202:
            raise Failure(f"a burst was answered {status} {text[:200]}")
        return json.loads(text)["id"]

    def run(self, run):
        return self.json(f"/api/v1/runs/{run}")

    def ended(self, run, patience=PATIENCE):
        """The run, once it has ended."""

        def look():
            found = self.run(run)
            return found["verdict"] and found

        return eventually(f"end of run {run}", look, patience)

    def metric(self, name, **labels):
        """The sum over all series of this name with these labels."""
        status, text = self.get("/metrics")
        if status != 200:
            raise Failure(f"GET /metrics: {status} {text[:200]}")
        total = 0.0
        for line in text.splitlines():
            series, _, value = line.rpartition(" ")
            own, _, rest = series.partition("{")
            if own == name and all(f'{key}="{wanted}"' in rest for key, wanted in labels.items()):
                total += float(value)
        return total

    def canaries(self):
        """How many canary chats passed, and how many failed."""
        passed = self.metric("chatprobe_chats_passed_total", **PROBE)
        return passed, self.metric("chatprobe_chats_failed_total", **PROBE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Program.end_all()


class Canaries:
    """Probes while something else happens: they go on, and none fails."""

    def __init__(self, service, trial):
        self.service, self.trial = service, trial

    def __enter__(self):
        eventually("canary", lambda: self.service.canaries()[0] >= 1)
        self.before, self.began = self.service.canaries(), time.monotonic()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        # At least one behind it all.
        passed = self.service.canaries()[0]
        eventually("canary", lambda: self.service.canaries()[0] > passed)
        seconds = time.monotonic() - self.began
        passed, failed = (after - before for after, before in zip(self.service.canaries(), self.before))
        self.trial.saw(f"{passed:.0f} canaries passed, {failed:.0f} failed")
        # A canary takes its time too, on a machine that is kept busy.
        expected = int(seconds / (EVERY * 20))
        self.trial.expect(failed == 0, f"{failed:.0f} canaries failed")
        self.trial.expect(passed >= expected, f"{passed:.0f} canaries passed in {seconds:.0f} s, and not {expected}")
