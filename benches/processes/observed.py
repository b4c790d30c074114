"""Chats while somebody looks at them: scrapes, pages and reports."""

import contextlib
import json
import select
import socket
import statistics
import threading
import time
import urllib.request

from processes.measured import (
    CHAT_SECONDS,
    Server,
    configuration,
    failures,
    milliseconds,
    run,
    simulator,
)


def scrapes(binaries, folder, small):
    """Scrapes of the service while a burst runs, and its probe beside."""
    chats, rate = (400, 200) if small else (20_000, 1_000)
    inputs = "{ session_pause: 2s, first_message_delay: 500ms, reply_delay: 500ms }"
    common = "scenario: contact-center-chat, target: centre"
    more = (
        f"probes: {{ one: {{ {common}, every: 1s, inputs: {{ session_pause: 0s, first_message_delay: 0s, reply_delay: 0s }} }} }}\n"
        f"bursts: {{ rush: {{ {common}, inputs: {inputs}, load: {{ rate: {rate}/s, for: {chats / rate}s }} }} }}"
    )
    web = "http://127.0.0.1:4180"
    with simulator(binaries, folder, "1s"):
        command = [binaries["chatprobe"], "serve", "--config", configuration(folder, more=more)]
        with Server(command, "127.0.0.1:4180"):
            def get(path):
                with urllib.request.urlopen(web + path) as answer:
                    return answer.read().decode()

            def probed():
                """Seconds and number of the probe's steps that were requests, until now."""
                lines = [line for line in get("/metrics").splitlines() if 'mode="probe"' in line]
                kinds = [f'step="{step}"' for step in ["session_create", "engagement_create", "send_chat", "interact_end"]]
                asked = [line for line in lines if "step_duration_seconds_" in line and any(kind in line for kind in kinds)]
                sums = {part: sum(float(line.split()[1]) for line in asked if f"{part}{{" in line) for part in ["sum", "count"]}
                return sums["sum"], sums["count"]

            time.sleep(3 if small else 15)
            before = probed()
            order = urllib.request.Request(
                f"{web}/api/v1/bursts", b'{"burst":"rush"}', {"content-type": "application/json"}
            )
            run_id = json.load(urllib.request.urlopen(order))["id"]
            took = []
            while True:
                began = time.perf_counter()
                get("/metrics")
                took.append(time.perf_counter() - began)
                report = json.loads(get(f"/api/v1/runs/{run_id}"))
                if report["state"] == "ended":
                    break
                if report["state"] == "running":
                    beside = probed()
                time.sleep(0.1)
    alone = before[0] / before[1]
    beside = (beside[0] - before[0]) / (beside[1] - before[1])
    took.sort()
    if report["chats"]["passed"] != chats:
        failures.append(f"scrapes: {report['chats']}")
    return [{
        "bench": "scrapes beside them",
        "chats": chats,
        "most at once": report["chats"]["most_in_progress"],
        "took": f"{report['elapsed_seconds']:.2f} s",
        "achieved": f"{len(took)} scrapes, p99 {milliseconds(took[int(len(took) * 0.99)])}; "
        f"a probe's step takes {milliseconds(alone)} alone, {milliseconds(beside)} beside",
        "start late, p99": milliseconds(report["start_lateness"]["p99"]),
        "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
        "verdict": report["verdict"],
    }]


class Pages:
    """Browsers that follow a run, as far as the service can tell, until the end of the block."""

    def __init__(self, count, path):
        self.open = [socket.create_connection(("127.0.0.1", 4180)) for _ in range(count)]
        for page in self.open:
            page.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        self.bytes = 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while self.open:
            ready, _, _ = select.select(self.open, [], [], 0.2)
            for page in ready:
                self.bytes += len(page.recv(1 << 16))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pages, self.open = self.open, []
        self.reader.join()
        for page in pages:
            page.close()


class Service:
    """`chatprobe serve` with one burst of the shipped chats, until the end of the block."""

    WEB = "http://127.0.0.1:4180"

    def __init__(self, binaries, folder, rate, seconds):
        inputs = "{ session_pause: 2s, first_message_delay: 500ms, reply_delay: 500ms }"
        more = (
            "bursts: { rush: { scenario: contact-center-chat, target: centre, "
            f"inputs: {inputs}, load: {{ rate: {rate}/s, for: {seconds}s }} }} }}"
        )
        command = [binaries["chatprobe"], "serve", "--config", configuration(folder, more=more)]
        self.server = Server(command, "127.0.0.1:4180")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def get(self, path):
        with urllib.request.urlopen(self.WEB + path) as answer:
            return answer.read().decode()

    def post(self, path, body=b"{}"):
        order = urllib.request.Request(self.WEB + path, body, {"content-type": "application/json"})
        with urllib.request.urlopen(order) as answer:
            return json.load(answer)

    def cpu(self):
        """Seconds of CPU of the process so far."""
        lines = self.get("/metrics").splitlines()
        return float(next(line for line in lines if line.startswith("process_cpu_seconds_total")).split()[1])

    def start(self):
        return self.post("/api/v1/bursts", b'{"burst":"rush"}')["id"]

    def report(self, run_id):
        return json.loads(self.get(f"/api/v1/runs/{run_id}"))

    def wait(self, run_id, is_reached):
        """The first report of which that is so."""
        while not is_reached(report := self.report(run_id)):
            time.sleep(0.5)
        return report


class Documents:
    """The report of a run as a page, asked for once a second until the end of the block."""

    def __init__(self, service, run_id):
        self.service, self.path = service, f"/api/v1/runs/{run_id}/report.html"
        self.over = threading.Event()
        self.made = 0
        self.asking = threading.Thread(target=self.ask, daemon=True)

    def ask(self):
        while not self.over.wait(1):
            self.service.get(self.path)
            self.made += 1

    def __enter__(self):
        self.asking.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.asking.join()


def pages(binaries, folder, small):
    """A burst with no page of the console open, and with a hundred that follow it."""
    chats, rate = (400, 200) if small else (20_000, 1_000)
    rows = []
    for count in [0, 100]:
        with simulator(binaries, folder, "1s"), Service(binaries, folder, rate, chats / rate) as service:
            used = service.cpu()
            run_id = service.start()
            with Pages(count, f"/live/runs/{run_id}") as opened:
                report = service.wait(run_id, lambda report: report["state"] == "ended")
            used = service.cpu() - used
        if report["chats"]["passed"] != chats or (count and not opened.bytes):
            failures.append(f"pages: {report['chats']}, {opened.bytes} bytes")
        rows.append({
            "bench": f"{count} pages open",
            "chats": chats,
            "took": f"{report['elapsed_seconds']:.2f} s",
            "CPU a chat": f"{used / chats * 1000:.2f} ms",
            "start late, p99": milliseconds(report["start_lateness"]["p99"]),
            "sent late, p99": milliseconds(report["send_lateness"]["p99"]),
            "achieved": f"{opened.bytes / 1e6:.1f} MB read",
            "verdict": report["verdict"],
        })
    return rows


def price_of_looking(binaries, folder, rate, seconds):
    """CPU seconds a second that a hundred open pages and a report a second take by themselves.

    They look at a run that has measured as much as it will, and whose chats have all ended, because it is paused. What
    the process takes then without being looked at is subtracted.
    """
    with simulator(binaries, folder, "1s"), Service(binaries, folder, rate, 2 * seconds) as service:
        run_id = service.start()
        time.sleep(seconds)
        service.post(f"/api/v1/runs/{run_id}/pause")
        service.wait(run_id, lambda report: report["chats"]["in_progress"] == 0)
        used = [service.cpu()]
        time.sleep(seconds)
        used.append(service.cpu())
        with Pages(100, f"/live/runs/{run_id}"), Documents(service, run_id):
            time.sleep(seconds)
        used.append(service.cpu())
    alone, looked_at = used[1] - used[0], used[2] - used[1]
    return (looked_at - alone) / seconds


def looking(binaries, folder, small):
    """What a hundred open pages and a report a second change for the chats of a burst.

    Who looks uses CPU in the same process. So CPU a chat beside it is what the process used, less what looking takes by
    itself: see `price_of_looking`. How late chats start and requests are sent needs no such correction. Both are the
    medians of several pairs, because runs differ from each other by more than looking may change them (3 %).
    """
    chats, rate, pairs = (400, 200, 1) if small else (20_000, 1_000, 3)
    seconds = chats / rate
    price = price_of_looking(binaries, folder, rate, seconds)
    seen = {False: [], True: []}
    for _ in range(pairs):
        for looked_at in seen:
            with simulator(binaries, folder, "1s"), Service(binaries, folder, rate, seconds) as service:
                used = service.cpu()
                run_id = service.start()
                count = 100 if looked_at else 0
                with Pages(count, f"/live/runs/{run_id}") as opened, contextlib.ExitStack() as stack:
                    documents = stack.enter_context(Documents(service, run_id)) if looked_at else None
                    # Whoever asks whether it is over looks at it.
                    time.sleep(seconds + CHAT_SECONDS + 1)
                    report = service.wait(run_id, lambda report: report["state"] == "ended")
                used = service.cpu() - used
            if report["chats"]["passed"] != chats or (looked_at and not (opened.bytes and documents.made)):
                failures.append(f"looking: {report['chats']}, {opened.bytes} bytes")
            own = price * report["elapsed_seconds"] if looked_at else 0
            late = [report["start_lateness"]["p99"], report["send_lateness"]["p99"]]
            seen[looked_at].append([(used - own) / chats, *late])
    alone, beside = ([statistics.median(column) for column in zip(*runs)] for runs in seen.values())
    ratios = [f"{there / here:.3f}" if here else "?" for here, there in zip(alone, beside)]
    return [
        {
            "bench": name,
            "chats": chats,
            "CPU a chat": f"{cpu * 1000:.3f} ms",
            "start late, p99": milliseconds(start),
            "sent late, p99": milliseconds(send),
            "achieved": achieved,
        }
        for name, (cpu, start, send), achieved in [
            ("not looked at", alone, f"the median of {pairs}"),
            (
                "100 pages and a report a second",
                beside,
                f"of not looked at: CPU a chat {ratios[0]}, starts {ratios[1]}, requests {ratios[2]}; "
                f"looking itself takes {price:.3f} CPUs",
            ),
        ]
    ]
