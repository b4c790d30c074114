"""Chats over HTTP and callbacks."""

import resource
import shutil
import subprocess
import sys

from processes.measured import (
    CHAT,
    ROOT,
    Server,
    check_counts,
    failures,
    milliseconds,
    per_chat,
    run,
    simulator,
    started,
    stats,
)


def thousand(binaries, folder, small):
    return [started("1,000 a second", binaries, folder, 400 if small else 20_000, 200 if small else 1_000, "1s", 1)]


def open_at_once(binaries, folder, small):
    join = 3 if small else 15
    return [started("open at once", binaries, folder, 400 if small else 19_000, 200 if small else 1_000, f"{join}s", join)]


def growth(binaries, folder, small):
    sizes = [100, 200] if small else [1_000, 5_000, 20_000, 50_000]
    return [started(f"growth, {size:,}", binaries, folder, size, 100 if small else 1_000, "1s", 1) for size in sizes]


def at_once(binaries, folder, small):
    chats = 400 if small else 20_000
    # Files for everything else.
    each = min(chats, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1_000)
    rows = []
    for name, chats, connections in [("all at once", chats, "{}"), ("a connection each", each, "{ per_customer: true }")]:
        with simulator(binaries, folder, "1s", connections=2 * chats):
            load = f"{{ chats: {chats} }}"
            report, cost = run(binaries, folder, "contact-center-chat", load, CHAT, connections=connections)
            check_counts(name, report, chats)
        rows.append({
            "bench": name,
            "chats": chats,
            "most at once": report["chats"]["most_in_progress"],
            "took": f"{report['elapsed_seconds']:.2f} s",
            "ideal": f"{chats * 40e-6 + 5.5:.1f} s",
            "CPU a chat": per_chat(cost, chats),
            "peak": f"{cost.peak:.0f} MB",
            "start late, p99": milliseconds(report["start_lateness"]["p99"]),
            "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
            # The last is due after so many times 40 µs.
            "achieved": f"all under way within {chats * 40e-6 + report['start_lateness']['max']:.2f} s; "
            f"waited for a connection {milliseconds(report['connection_wait']['p99'])} (p99)",
            "verdict": report["verdict"],
        })
    return rows


def until_the_last_event(folder):
    """The shipped scenario, whose chats end when the centre has told that they have."""
    text = (ROOT / "config/scenarios/contact-center-chat.yaml").read_text()
    steps, rest = text.split("# A chat that did not come")
    last = (
        '  - step: farewell\n    wait_for: event.eventType == "PARTICIPANT_DISCONNECTED"\n'
        "    since: interact_end\n\n"
    )
    file = folder / "until-the-last-event.yaml"
    file.write_text(f"{steps}{last}# A chat that did not come{rest}")
    return file


def fidelity(binaries, folder, small):
    """Every count of one side is the other's, and so is the wait for the agent."""
    chats, rate = (400, 200) if small else (20_000, 1_000)
    scenario = until_the_last_event(folder)
    # All agents take the same time: what chatprobe felt longer or shorter is its error, chat by chat.
    with simulator(binaries, folder, "2s"):
        load = f"{{ rate: {rate}/s, for: {chats / rate}s }}"
        report, cost = run(binaries, folder, scenario, load, CHAT)
        truth = stats()
    name, steps = "fidelity", {step["step"]: step for step in report["steps"]}
    requests = {kind: sum(by.values()) for kind, by in truth["requests"].items()}
    expected = {"webhook_create": 1, "webhook_delete": 1, "send_chat": 2 * chats}
    for kind in ["webhook_create", "session_create", "engagement_create", "send_chat", "interact_end", "webhook_delete"]:
        counts = requests[kind], steps[kind]["passed"], expected.get(kind, chats)
        if len(set(counts)) != 1:
            failures.append(f"{name}: {kind}: simulator, chatprobe and arithmetic say {counts}")
    # Customer, engagement, agent, two answers, farewell.
    events = [sum(event[fate] for event in truth["events"].values()) for fate in ["emitted", "sent", "acknowledged"]]
    if set([*events, report["events"]["received"]]) != {6 * chats}:
        failures.append(f"{name}: {events} emitted, sent, acknowledged; {report['events']['received']} received")
    if truth["ended"] != {"bye": chats} or truth["joins"]["count"] != chats:
        failures.append(f"{name}: {truth['ended']}, {truth['joins']['count']} agents")
    felt = steps["agent_join"]["latency"]
    off = {at: felt[at] * 1000 - truth["joins"][f"{at}_ms"] for at in ["mean", "p50", "p99"]}
    # Without room the report says by how much it may be wrong; the simulator may be as late.
    if not small and abs(off["p99"]) >= 2 + 2 * report["precision"] * 1000 and report["verdict"] == "passed":
        failures.append(f"{name}: the wait for the agent is off by {off}")
    return [{
        "bench": name,
        "chats": chats,
        "most at once": report["chats"]["most_in_progress"],
        "took": f"{report['elapsed_seconds']:.2f} s",
        "CPU a chat": per_chat(cost, chats),
        "start late, p99": milliseconds(report["start_lateness"]["p99"]),
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "achieved": "join felt longer by " + ", ".join(f"{value:.2f} ms ({at})" for at, value in off.items())
        + f"; said to be right to {milliseconds(report['precision'])}",
        "verdict": report["verdict"],
    }]


def waiting(binaries, folder, small):
    chats, ramp = (400, 1) if small else (100_000, 20)
    patience = ramp + (3 if small else 25)
    with simulator(binaries, folder, "1h"):
        report, cost = run(
            binaries, folder, "idle-wait", f"{{ chats: {chats}, ramp: {ramp}s }}", ["-i", f"patience={patience}s"],
            # Every wait ends in vain.
            expected=(1,),
        )
    if report["chats"]["most_in_progress"] != chats:
        failures.append(f"waiting: {report['chats']['most_in_progress']} of {chats} waited together")
    reasons = report["chats"]["failed_by_reason"]
    if reasons != {"agent_join_timeout": chats}:
        failures.append(f"waiting: {reasons}")
    return [{
        "bench": "waiting for an agent",
        "chats": chats,
        "most at once": report["chats"]["most_in_progress"],
        "took": f"{report['elapsed_seconds']:.2f} s",
        "ideal": f"{ramp + patience:.1f} s",
        "CPU a chat": per_chat(cost, chats),
        "peak": f"{cost.peak:.0f} MB",
        "start late, p99": milliseconds(report["start_lateness"]["p99"]),
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "verdict": report["verdict"],
    }]


def throughput(binaries, folder, small):
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install --no-install-recommends wrk")
    seconds = 2 if small else 10
    address = "127.0.0.1:4100"
    with Server([binaries["plain_server"], address], address):
        wrk = subprocess.run(
            ["wrk", "-t2", "-c64", f"-d{seconds}s", f"http://{address}/engagements/1"],
            stdout=subprocess.PIPE, check=True, text=True,
        ).stdout
        best = float(next(line for line in wrk.splitlines() if "Requests/sec" in line).split()[1])
        report, cost = run(
            binaries, folder, "one-request", f"{{ customers: 64, for: {seconds}s }}", target=f"http://{address}"
        )
        command = [binaries["clients"], f"http://{address}/engagements/1"]
        alone = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    chats = report["chats"]["passed"]
    clients = {line.split(":")[0]: int(line.split()[1]) / best for line in alone.splitlines()}
    return [{
        "bench": f"throughput, wrk {best:,.0f}/s",
        "chats": chats,
        "most at once": 64,
        "took": f"{report['elapsed_seconds']:.2f} s",
        "CPU a chat": per_chat(cost, chats),
        "peak": f"{cost.peak:.0f} MB",
        "achieved": f"{chats / seconds:,.0f}/s, {chats / seconds / best:.2f} of wrk",
        "verdict": report["verdict"],
    }] + [
        {"bench": f"{client} alone, one thread", "achieved": f"{share:.2f} of wrk"}
        for client, share in clients.items()
    ]


def arrivals(binaries, folder, small):
    rate, seconds = (200, 2) if small else (5_000, 10)
    address = "127.0.0.1:4100"
    with Server([binaries["plain_server"], address], address):
        load = f"{{ rate: {rate}/s, for: {seconds}s }}"
        report, cost = run(binaries, folder, "one-request", load, target=f"http://{address}")
    chats, dropped = report["chats"]["started"], report["chats"]["dropped"]
    if abs(chats / (rate * seconds) - 1) > 0.01 and not dropped:
        failures.append(f"arrivals: {chats} of {rate * seconds} started, and none was dropped")
    return [{
        "bench": f"arrivals at {rate:,}/s",
        "chats": chats,
        "took": f"{report['elapsed_seconds']:.2f} s",
        "CPU a chat": per_chat(cost, chats),
        "peak": f"{cost.peak:.0f} MB",
        "start late, p99": milliseconds(report["start_lateness"]["p99"]),
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "achieved": f"{chats / report['elapsed_seconds']:,.0f}/s, {dropped} dropped",
        "verdict": report["verdict"],
    }]
