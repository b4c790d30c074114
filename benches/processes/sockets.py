"""Chats over sockets."""

import json
import statistics
import subprocess
import sys
import time
import urllib.request

from processes.measured import (
    SOCKETS,
    Cost,
    Server,
    bare,
    configuration,
    failures,
    memory_of,
    milliseconds,
    per_chat,
    run,
    started,
)


def sockets_server(binaries, address=SOCKETS):
    return Server([binaries["socket_server"], address], address)


def bare_sockets(binaries, *arguments, address=SOCKETS):
    """What the bare client used, how many frames came to it, and how many seconds that took."""
    command = [binaries["bare_sockets"], address, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    cost = Cost(process.pid)
    process.returncode = cost.code
    said = process.stdout.read().split()
    if cost.code:
        sys.exit(f"bare_sockets: exit code {cost.code}")
    cost.frames, cost.seconds = int(said[0]), float(said[3])
    return cost


def check_passed(name, report, chats):
    seen = report["chats"]
    if (seen["started"], seen["passed"]) != (chats, chats):
        failures.append(f"{name}: of {chats} chats {seen['started']} started and {seen['passed']} passed: {seen}")


def idle_sockets(binaries, folder, small):
    """Sockets that are opened at a rate and kept, and what the memory of one is."""
    count, rate, kept = (200, 100, 1) if small else (15_000, 1_000, 5)
    patience = count / rate + kept
    inputs = ["-i", f"patience={patience}s"]
    with sockets_server(binaries):
        _, alone = run(binaries, folder, "socket-idle", "{ chats: 1 }", ["-i", "patience=1s"], target=f"http://{SOCKETS}")
        load = f"{{ rate: {rate}/s, for: {count / rate}s }}"
        report, cost = run(binaries, folder, "socket-idle", load, inputs, target=f"http://{SOCKETS}")
    with sockets_server(binaries):
        yardstick = bare_sockets(binaries, "open", count, rate, patience)
    check_passed("idle sockets", report, count)
    each = (cost.peak - alone.peak) * 1024 / count
    opened = next(step for step in report["steps"] if step["step"] == "open")["latency"]
    return [{
        "bench": "idle sockets",
        "chats": count,
        "most at once": report["chats"]["most_in_progress"],
        "took": f"{report['elapsed_seconds']:.2f} s",
        "ideal": f"{count / rate + patience:.1f} s",
        "CPU a chat": per_chat(cost, count),
        "of bare": f"{cost.cpu / yardstick.cpu:.2f}",
        "peak": f"{cost.peak:.0f} MB",
        "start late, p99": milliseconds(report["start_lateness"]["p99"]),
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "achieved": f"{each:.1f} kB a socket; opened in {milliseconds(opened['p99'])} (p99)",
        "verdict": report["verdict"],
    }]


def opened_in(name, address, count):
    """The seconds in which the server at this address opened so many sockets, by its own clock."""
    with urllib.request.urlopen(f"http://{address}/handshakes") as answer:
        answered, seconds = answer.read().split()
    if int(answered) != count:
        failures.append(f"handshakes: {name} opened {int(answered)} sockets of {count}")
    return float(seconds)


def handshakes(binaries, folder, small):
    """Sockets that are all opened at once, in turn by chatprobe and by the bare client: how long that takes, from the
    first connection that the server accepts to the last handshake that it answers. On both sides all are open by then.
    Each run has a server and an address of its own, so that it meets no ports that the one before it has left."""
    count, pairs, patience = (200, 1, 2) if small else (15_000, 3, 8)
    addresses = (f"127.0.1.{number}:4100" for number in range(1, 255))

    def ours():
        address = next(addresses)
        with sockets_server(binaries, address):
            load = f"{{ chats: {count} }}"
            report, _ = run(
                binaries, folder, "socket-idle", load, ["-i", f"patience={patience}s"], target=f"http://{address}"
            )
            took = opened_in("chatprobe", address, count)
        check_passed("handshakes", report, count)
        if took >= patience:
            failures.append(f"handshakes: {took:.1f} s are too long: the first sockets were closed after {patience} s")
        return report, took

    def theirs():
        address = next(addresses)
        with sockets_server(binaries, address):
            bare_sockets(binaries, "open", count, 1e9, 0, address=address)
            return opened_in("the bare client", address, count)

    seen = []
    for pair in range(pairs):
        # What is second in one pair is first in the next.
        if pair % 2:
            bare_took = theirs()
            report, took = ours()
        else:
            report, took = ours()
            bare_took = theirs()
        seen.append((took / bare_took, took, bare_took, report))
    ratio, took, bare_took, report = sorted(seen, key=lambda pair: pair[0])[pairs // 2]
    ratios = ", ".join(f"{pair[0]:.2f}" for pair in seen)
    return [{
        "bench": "handshakes",
        "chats": count,
        "took": f"{took:.2f} s",
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "achieved": f"{count / took:,.0f}/s, bare {count / bare_took:,.0f}/s; {ratio:.2f} of the time of the bare client, "
        f"the median of {ratios}",
        "verdict": report["verdict"],
    }]


def socket_echo(binaries, folder, small):
    """Sockets on each of which a frame goes out as soon as the one before came back."""
    count, rounds = (50, 10) if small else (1_000, 500)
    with sockets_server(binaries):
        load = f"{{ chats: {count} }}"
        report, cost = run(binaries, folder, "socket-echo", load, ["-i", f"rounds={rounds}"], target=f"http://{SOCKETS}")
    with sockets_server(binaries):
        yardstick = bare_sockets(binaries, "echo", count, rounds)
    check_passed("echo", report, count)
    frames = count * rounds
    echoed = next(step for step in report["steps"] if step["step"] == "echo")
    if echoed["passed"] != frames or yardstick.frames != frames:
        failures.append(f"echo: {echoed['passed']} and {yardstick.frames} of {frames} frames came back")
    achieved, best = frames / report["elapsed_seconds"], frames / yardstick.seconds
    return [{
        "bench": f"echo, bare {best:,.0f}/s",
        "chats": count,
        "took": f"{report['elapsed_seconds']:.2f} s",
        "of bare": f"{cost.cpu / yardstick.cpu:.2f}",
        "peak": f"{cost.peak:.0f} MB",
        "achieved": f"{achieved:,.0f} frames/s, {achieved / best:.2f} of bare; {cost.cpu / frames * 1e6:.1f} us CPU a frame",
        "verdict": report["verdict"],
    }]


def fan_out(binaries, folder, small):
    """A room in which everybody hears what is said: every delivery is accounted for."""
    count, per_cent, talk = (100, 40, 2) if small else (1_000, 40, 20)
    messages = count * per_cent // 100
    inputs = ["-i", f"speakers_percent={per_cent}", "-i", f"talk={talk}s", "-i", "calm=3s"]
    with sockets_server(binaries):
        load = f"{{ chats: {count} }}"
        report, cost = run(binaries, folder, "room-fan-out", load, inputs, target=f"http://{SOCKETS}")
    with sockets_server(binaries):
        yardstick = bare_sockets(binaries, "room", count, messages, talk)
    check_passed("fan-out", report, count)
    expected = messages * (count - 1)
    seen = report["deliveries"]
    fates = {fate: count for fate, count in seen["by_fate"].items() if count}
    if seen["expected"] != expected or fates != {"delivered": expected}:
        failures.append(f"fan-out: {seen['expected']} of {expected} deliveries were expected: {fates}")
    if yardstick.frames != messages * count:
        failures.append(f"fan-out: the bare client got {yardstick.frames} of {messages * count}")
    return [{
        "bench": "fan-out",
        "chats": count,
        "took": f"{report['elapsed_seconds']:.2f} s",
        "of bare": f"{cost.cpu / yardstick.cpu:.2f}",
        "peak": f"{cost.peak:.0f} MB",
        "achieved": f"{expected / talk:,.0f} deliveries/s, every one accounted for, p99 {milliseconds(seen['latency']['p99'])}; "
        f"{cost.cpu / expected * 1e6:.1f} us CPU each",
        "verdict": report["verdict"],
    }]


def soak(binaries, folder, small):
    """Customers with a socket each, for twenty minutes: the memory of the process does not grow."""
    customers, minutes, warm_up = (50, 0.2, 0.1) if small else (5_000, 20, 5)
    settings = configuration(folder, f"http://{SOCKETS}")
    load = f"{{ customers: {customers}, ramp: 2s, for: {minutes * 60}s, graceful_stop: 1m }}"
    command = [binaries["chatprobe"], "run", "socket-soak", "--config", settings]
    command += ["--load", load, "--json", folder / "report.json"]
    with sockets_server(binaries), open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        began, seen = time.monotonic(), []
        while (passed := time.monotonic() - began) < minutes * 60:
            time.sleep(1)
            if passed >= warm_up * 60:
                seen.append(memory_of(process.pid))
                if not small and len(seen) % 60 == 0:
                    print(f"minute {passed / 60:.0f}: {seen[-1] / 1e6:.1f} MB", file=sys.stderr, flush=True)
        cost = Cost(process.pid)
        process.returncode = cost.code
    report = json.loads((folder / "report.json").read_text())
    if cost.code or report["chats"]["failed"]:
        failures.append(f"soak: exit code {cost.code}, {report['chats']}")
    quarter = len(seen) // 4
    first, last = statistics.mean(seen[:quarter]), statistics.mean(seen[-quarter:])
    if not small and last / first > 1.02:
        failures.append(f"soak: memory grew from {first / 1e6:.1f} to {last / 1e6:.1f} MB")
    return [{
        "bench": f"soak of {minutes:g} minutes",
        "chats": report["chats"]["passed"],
        "most at once": report["chats"]["most_in_progress"],
        "peak": f"{cost.peak:.0f} MB",
        "achieved": f"memory of the last quarter {last / first:.3f} of that of the first, behind {warm_up:g} minutes",
        "verdict": report["verdict"],
    }]
