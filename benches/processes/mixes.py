"""Mixes of requests beside a service that stores what it is told: what they cost, and whether hours of them grow."""

import csv
import json
import statistics
import subprocess
import sys
import time
import urllib.request

from processes.measured import (
    ROOT,
    Cost,
    Server,
    configuration,
    failures,
    memory_of,
    milliseconds,
    run,
)
from processes.observed import Pages, Service

STATUS = "127.0.0.1:4200"
USERS = 20_000
# Of so many requests one stores.
MIX = 3

# What is promised.
MOST_OF_BARE = 1.7
MOST_LATE = 0.005
LEAST_OF_LOCUST = 10
RATE_WITHIN = 0.01
MEMORY_WITHIN = 1.02
MOST_GROWTH = 200e6
SOAK_HOURS = 3

# As many requests at a time as in the others, each user one a second.
LOCUSTFILE = """
import itertools
from locust import HttpUser, constant_throughput, task

numbers = itertools.count()

class Customer(HttpUser):
    wait_time = constant_throughput(1)

    @task
    def ask(self):
        number = next(numbers)
        user = f"user-{number % %USERS%}"
        if number % %MIX% == 0:
            body = {"user": user, "article": f"article-{number % 100}", "status": "like"}
            self.client.post("/user/status", json=body, name="store")
        else:
            self.client.get(f"/{user}/query?status=like", name="query")
"""


def behaviour(binaries):
    """The simulated service that stores behaviours and answers queries for them."""
    return Server([binaries["chatprobe"], "simulate", "behaviour", "--listen", STATUS], STATUS)


def bare_mix(binaries, requests, rate):
    command = [binaries["bare_mix"], f"http://{STATUS}", str(requests), str(rate), str(USERS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    cost = Cost(process.pid)
    process.returncode = cost.code
    said = process.stdout.read()
    if cost.code:
        failures.append(f"bare_mix: exit code {cost.code}: {said}")
        sys.exit(failures[-1])
    cost.late = int(said.split(" sent ")[1].split()[0]) / 1e6
    return cost


def check_mix(name, report, requests, seconds, small):
    """All requests passed, and one of three stored, to one request; and they were on time."""
    steps = {step["step"]: step["passed"] for step in report["steps"]}
    stored, queried = steps["store"], steps["query"]
    if stored + queried != requests or abs((MIX - 1) * stored - queried) > 1:
        failures.append(f"{name}: of {requests} requests {stored} stored and {queried} queried: {report['chats']}")
    if small:
        return
    rate, wanted = report["chats"]["started"] / report["scheduled_seconds"], requests / seconds
    if abs(rate / wanted - 1) > RATE_WITHIN:
        failures.append(f"{name}: {rate:.2f} requests a second began, not {wanted:.2f}")
    for what in ["start_lateness", "send_lateness"]:
        if report[what]["p99"] > MOST_LATE:
            failures.append(f"{name}: {what} is {milliseconds(report[what]['p99'])}, more than {milliseconds(MOST_LATE)}")


def of_seconds(name, binaries, folder, rate, seconds, small):
    requests = rate * seconds
    with behaviour(binaries):
        load = f"{{ rate: {rate}/s, for: {seconds}s }}"
        report, cost = run(binaries, folder, "status-mix", load, ["-i", f"users={USERS}"], target=f"http://{STATUS}")
    with behaviour(binaries):
        yardstick = bare_mix(binaries, requests, rate)
    check_mix(name, report, requests, seconds, small)
    ratio = cost.cpu / yardstick.cpu
    if not small and ratio > MOST_OF_BARE:
        failures.append(f"{name}: {ratio:.2f} times the CPU of the bare client, more than {MOST_OF_BARE}")
    row = {
        "bench": f"{name} of {seconds} s",
        "chats": report["chats"]["passed"],
        "most at once": report["chats"]["most_in_progress"],
        "took": f"{report['elapsed_seconds']:.2f} s",
        "CPU a chat": f"{cost.cpu / requests * 1000:.3f} ms",
        "of bare": f"{ratio:.2f}",
        "peak": f"{cost.peak:.0f} MB",
        "start late, p99": milliseconds(report["start_lateness"]["p99"]),
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "bare late, p99": milliseconds(yardstick.late),
        "verdict": report["verdict"],
    }
    return row, cost.cpu / requests


def mix(binaries, folder, small):
    """One request that stores for each two that query, 500 a second."""
    rate, seconds = (60, 5) if small else (500, 60)
    return [of_seconds("mix", binaries, folder, rate, seconds, small)[0]]


def long_mix(binaries, folder, small):
    """The same for ten minutes."""
    rate, seconds = (60, 10) if small else (500, 600)
    return [of_seconds("mix", binaries, folder, rate, seconds, small)[0]]


def installed_locust(folder):
    """The program in a virtual environment of its own, which is gone with the folder."""
    requirements = ROOT / "benches/locust-requirements.txt"
    done = subprocess.run([ROOT / "ci/python-tools", folder / "locust", requirements], stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"locust: {requirements} could not be installed")
    return folder / "locust/bin/locust"


def locust(binaries, folder, small):
    """The same requests by Locust, right after chatprobe."""
    rate, seconds = (60, 5) if small else (500, 60)
    program = installed_locust(folder)
    row, each = of_seconds("mix", binaries, folder, rate, seconds, small)
    file = folder / "locustfile.py"
    file.write_text(LOCUSTFILE.replace("%USERS%", str(USERS)).replace("%MIX%", str(MIX)))
    command = [program, "--locustfile", file, "--headless", "--users", str(rate), "--spawn-rate", str(rate)]
    command += ["--run-time", f"{seconds}s", "--host", f"http://{STATUS}", "--csv", folder / "locust-figures", "--only-summary"]
    with behaviour(binaries), open(folder / "log", "w") as log:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log)
        cost = Cost(process.pid)
        process.returncode = cost.code
        took = time.monotonic() - began
    with open(folder / "locust-figures_stats.csv") as figures:
        rows = {line["Name"]: line for line in csv.DictReader(figures)}
    total, failed = (int(rows["Aggregated"][column]) for column in ["Request Count", "Failure Count"])
    if cost.code or failed or not total:
        failures.append(f"locust: exit code {cost.code}, {failed} of {total} failed: {(folder / 'log').read_text()[-600:]}")
    ratio = cost.cpu / total / each if total else 0
    if not small and ratio < LEAST_OF_LOCUST:
        failures.append(f"locust: {ratio:.1f} times the CPU of chatprobe a request, less than {LEAST_OF_LOCUST}")
    return [row, {
        "bench": "the same by Locust",
        "chats": total,
        "took": f"{took:.2f} s",
        "CPU a chat": f"{cost.cpu / total * 1000:.3f} ms" if total else "?",
        "peak": f"{cost.peak:.0f} MB",
        "achieved": f"{total / seconds:.0f} requests a second; {ratio:.1f} times the CPU of chatprobe a request",
    }]


class SoakedService(Service):
    """`chatprobe serve` with a history and a burst of the mix, until the end of the block."""

    def __init__(self, binaries, folder, rate, seconds):
        self.data = folder / "data"
        more = (
            f"data: {{ directory: {self.data} }}\n"
            f"bursts: {{ rush: {{ scenario: status-mix, target: centre, inputs: {{ users: {USERS} }}, "
            f"load: {{ rate: {rate}/s, for: {seconds}s }} }} }}"
        )
        command = [binaries["chatprobe"], "serve", "--config", configuration(folder, f"http://{STATUS}", more)]
        self.server = Server(command, "127.0.0.1:4180")

    def memory(self):
        return memory_of(self.server.process.pid)

    def history(self):
        """Bytes of all files of the data directory."""
        return sum(file.stat().st_size for file in self.data.rglob("*") if file.is_file())

    def page(self, run_id):
        """Bytes that a page gets that is opened now: itself, and everything up to how the run stands."""
        page = len(self.get(f"/runs/{run_id}").encode())
        with urllib.request.urlopen(f"{self.WEB}/live/runs/{run_id}") as stream:
            for line in stream:
                page += len(line)
                if line.startswith(b"event: page"):
                    break
        return page


def soak_http(binaries, folder, small, minutes=45):
    """A mix for most of an hour on a service with a history and an open page: what grows, and what it would in three hours."""
    rate, minutes = (30, 0.5) if small else (200, minutes)
    seen, begin = [], minutes / 3
    with behaviour(binaries), SoakedService(binaries, folder, rate, round(minutes * 60)) as service:
        run_id = service.start()
        began = time.monotonic()
        with Pages(1, f"/live/runs/{run_id}") as opened:
            step = min(60, minutes * 60 / 12)
            for look in range(1, round(minutes * 60 / step) + 1):
                # Memory is read in between as well: one reading says little.
                memory = []
                while time.monotonic() < began + look * step:
                    time.sleep(min(1, step / 10))
                    memory.append(service.memory())
                minute = (time.monotonic() - began) / 60
                seen.append((minute, statistics.mean(memory), service.history(), service.page(run_id), opened.bytes))
                told = [f"{figure / 1e6:.2f}" for figure in seen[-1][1:]]
                print(
                    f"minute {minute:.1f}: memory {told[0]} MB, history {told[1]} MB, a page opened now {told[2]} MB, "
                    f"the open page got {told[3]} MB",
                    file=sys.stderr,
                    flush=True,
                )
            report = service.wait(run_id, lambda report: report["state"] == "ended")
        time.sleep(2)
        ended = service.history()
        drift = json.loads(service.get(f"/api/v1/runs/{run_id}/drift"))["summary"]
    print(f"history once it has ended: {ended / 1e6:.2f} MB\n{drift}", file=sys.stderr)
    first = next(row for row in seen if row[0] >= begin)
    last = seen[-1]
    grown = last[1] / first[1]
    hours = SOAK_HOURS * 60 / (last[0] - first[0]) if last is not first else 0
    growth = [hours * (there - here) for here, there in zip(first[2:4], last[2:4])]
    if report["chats"]["failed"] or report["verdict"] != "passed":
        failures.append(f"soak-http: {report['verdict']} {report['verdict_reasons']}, {report['chats']}")
    if not small and grown > MEMORY_WITHIN:
        failures.append(f"soak-http: memory grew from {first[1] / 1e6:.1f} to {last[1] / 1e6:.1f} MB, by more than {MEMORY_WITHIN - 1:.0%}")
    if not small and sum(growth) > MOST_GROWTH:
        failures.append(f"soak-http: in {SOAK_HOURS} h history and page grow by {sum(growth) / 1e6:.0f} MB, more than {MOST_GROWTH / 1e6:.0f} MB")
    return [{
        "bench": f"soak of {minutes:g} minutes over HTTP",
        "chats": report["chats"]["passed"],
        "most at once": report["chats"]["most_in_progress"],
        "took": f"{report['elapsed_seconds']:.2f} s",
        "start late, p99": milliseconds(report["start_lateness"]["p99"]),
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "achieved": f"memory {first[1] / 1e6:.1f} MB at minute {first[0]:.0f}, {grown:.3f} of it at the end; in {SOAK_HOURS} h the history grows "
        f"by {growth[0] / 1e6:.1f} MB and what a page opened late gets by {growth[1] / 1e6:.1f} MB; the open page got "
        f"{last[4] / last[0] / 60 / 1e3:.1f} kB/s",
        "verdict": report["verdict"],
    }]
