"""Processes that are started, and what they cost."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CENTRE = "http://127.0.0.1:4000"
SOCKETS = "127.0.0.1:4100"
CHAT = ["-i", "session_pause=2s", "-i", "first_message_delay=500ms", "-i", "reply_delay=500ms"]
# Pauses and answers of one chat besides the wait for the agent.
CHAT_SECONDS = 4.5
# The agent and two answers.
EVENTS_CONSUMED = 3

failures = []


def build(profile):
    """The binaries, freshly built."""
    command = ["cargo", "build", "--locked", "--message-format=json", "--profile", profile, "--bin", "chatprobe"]
    command += ["--bench", "bare_client", "--bench", "clients", "--bench", "plain_server"]
    command += ["--bench", "bare_sockets", "--bench", "socket_server", "--bench", "bare_mix"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    artifacts = [m for m in messages if m.get("reason") == "compiler-artifact" and m.get("executable")]
    return {artifact["target"]["name"]: artifact["executable"] for artifact in artifacts}


def memory_of(pid):
    """Bytes of the process in RAM."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Cost:
    """What a process used until it ended."""

    def __init__(self, pid):
        _, status, usage = os.wait4(pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        self.user, self.system = usage.ru_utime, usage.ru_stime
        self.cpu = self.user + self.system
        self.peak = usage.ru_maxrss / 1024


class Server:
    """A process that serves until the end of the block."""

    def __init__(self, command, address):
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        host, port = address.rsplit(":", 1)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.05)
        sys.exit(f"{command[0]} does not answer at {address}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def simulator(binaries, folder, join, agents="unlimited", connections=10_000):
    settings = folder / "centre.yaml"
    settings.write_text(
        f"{{ agents: {agents}, join: {join}, answer: 500ms, typing: 0s, "
        f"limits: {{ connections: {connections}, engagements: 200000 }} }}\n"
    )
    command = [binaries["chatprobe"], "simulate", "--listen", "127.0.0.1:4000", "--settings", settings]
    return Server(command, "127.0.0.1:4000")


def configuration(folder, target=CENTRE, more="", connections="{}"):
    file = folder / "chatprobe.yaml"
    file.write_text(
        f"targets: {{ centre: {{ url: '{target}', variables: {{ tenant_id: t, channel_provider_id: p }}, "
        f"connections: {connections} }} }}\n"
        f"scenarios: [{ROOT}/config/scenarios, {ROOT}/benches/scenarios]\n"
        "listen: { web: 127.0.0.1:4180, callbacks: 127.0.0.1:4181 }\n"
        "limits: { max_active_chats: 200000, max_rate: 20000/s }\n"
        f"{more}\n"
    )
    return file


def run(binaries, folder, scenario, load, inputs=(), target=CENTRE, expected=(0, 3), connections="{}"):
    """One `chatprobe run`: its report and its cost."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    settings = configuration(folder, target, connections=connections)
    command = [binaries["chatprobe"], "run", scenario, "--config", settings]
    command += ["--load", load, "--json", report, *inputs]
    log = open(folder / "log", "w")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    cost = Cost(process.pid)
    process.returncode = cost.code
    if cost.code not in expected:
        failures.append(f"{scenario} {load}: exit code {cost.code}: {(folder / 'log').read_text()[-600:]}")
    if not report.exists():
        sys.exit(failures[-1])
    return json.loads(report.read_text()), cost


def bare(binaries, chats, rate):
    command = [binaries["bare_client"], CENTRE, str(chats), str(rate)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    cost = Cost(process.pid)
    process.returncode = cost.code
    cost.late = int(process.stdout.read().split(" ended ")[1].split()[0]) / 1e6
    return cost


def stats():
    with urllib.request.urlopen(f"{CENTRE}/stats") as answer:
        return json.load(answer)


def check_counts(name, report, chats):
    """Both sides agree."""
    seen = report["chats"]
    if (seen["started"], seen["passed"]) != (chats, chats):
        failures.append(f"{name}: of {chats} chats {seen['started']} started and {seen['passed']} passed")
    consumed = report["events"]["by_fate"].get("consumed", 0)
    if consumed != EVENTS_CONSUMED * chats:
        failures.append(f"{name}: {consumed} events were consumed, not {EVENTS_CONSUMED} of each chat")
    acknowledged = sum(event["acknowledged"] for event in stats()["events"].values())
    received = report["events"]["received"]
    # A chat does not wait for the last of its events, which may come when the run is over.
    if not acknowledged - chats <= received <= acknowledged:
        failures.append(f"{name}: {received} events were received, {acknowledged} acknowledged")


def per_chat(cost, chats):
    return f"{cost.cpu / chats * 1000:.2f} ms"


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms"


def started(name, binaries, folder, chats, rate, join, join_seconds):
    seconds = chats / rate
    with simulator(binaries, folder, join):
        report, cost = run(binaries, folder, "contact-center-chat", f"{{ rate: {rate}/s, for: {seconds}s }}", CHAT)
        check_counts(name, report, chats)
    with simulator(binaries, folder, join):
        yardstick = bare(binaries, chats, rate)
    return {
        "bench": name,
        "chats": chats,
        "most at once": report["chats"]["most_in_progress"],
        "took": f"{report['elapsed_seconds']:.2f} s",
        "ideal": f"{seconds + CHAT_SECONDS + join_seconds:.1f} s",
        "CPU a chat": per_chat(cost, chats),
        "of bare": f"{cost.cpu / yardstick.cpu:.2f}",
        "peak": f"{cost.peak:.0f} MB",
        "start late, p99": milliseconds(report["start_lateness"]["p99"]),
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "bare late, p99": milliseconds(yardstick.late),
        "verdict": report["verdict"],
    }
