"""Ends of the process: the hardest one and the one that is asked for."""

import json
import signal
import time

from service import Canaries, Service, eventually


def kill(trial, folder):
    """kill -9 in the middle of a burst: the run is kept as interrupted, and the next process goes on."""
    rounds = trial.rounds(3, 10)
    trial.did(f"kill -9 of the service in the middle of a burst, {rounds} times")
    with Service(folder) as service:
        runs, slowest = [], 0.0
        for _ in range(rounds):
            run = service.burst({"rate": "20/s", "for": "1m", "max_active": 200})
            # Whole seconds of it are kept, and the one before the last is written by then.
            eventually("chats of the burst", lambda: service.run(run)["elapsed_seconds"] >= 2.5)
            service.program.end(signal.SIGKILL)
            runs.append(run)
            began = time.monotonic()
            service.start()
            slowest = max(slowest, time.monotonic() - began)
        kept = [service.run(run) for run in runs]
        trial.saw(f"ready again after {slowest:.1f} s at most; {', '.join(sorted({run['state'] for run in kept}))}")
        trial.expect(all(run["state"] == "interrupted" for run in kept), "a run is not interrupted")
        trial.expect(all(run["chats"]["passed"] > 0 for run in kept), "the chats of a run are lost")
        trial.expect(not list(folder.glob("data/*damaged*")), "the history was damaged")
        with Canaries(service, trial):
            time.sleep(1)
        trial.expect(service.program.end() == 0, "it does not end well")


def shutdown(trial, folder):
    """SIGTERM with chats in progress, in its time; a second one ends it at once."""
    trial.did("SIGTERM in the middle of a burst of slow chats; once more with a second SIGTERM")
    inputs = {"session_pause": "1m"}
    for signals, seconds, codes in [(1, 2 + 5 + 2, (0,)), (2, 3, (0, 1, 130, 143))]:
        with Service(folder) as service:
            service.burst({"chats": 100}, inputs=inputs)
            eventually("chats", lambda: service.metric("chatprobe_chats_active", mode="burst") >= 100)
            began = time.monotonic()
            for _ in range(signals - 1):
                service.program.send(signal.SIGTERM)
                time.sleep(0.3)
            code = service.program.end(signal.SIGTERM)
            took = time.monotonic() - began
            trial.saw(f"exit code {code} after {took:.1f} s")
            trial.expect(code in codes, f"exit code {code}")
            trial.expect(took < seconds, f"{took:.1f} s")


def bursts(trial, folder):
    """Orders from many sides at once."""
    import concurrent.futures
    import random

    seconds = trial.rounds(5, 60)
    trial.did(f"8 clients start, stop, pause, resume, change and list bursts for {seconds} s")
    answers = {}

    def orders(service, seed):
        draw, until, known = random.Random(seed), time.monotonic() + seconds, []
        while time.monotonic() < until:
            run = draw.choice(known) if known else "none"
            method, path, body = draw.choice(
                [
                    ("POST", "/api/v1/bursts", {"scenario": "contact-center-chat", "load": {"chats": 3}}),
                    ("POST", "/api/v1/bursts", {"scenario": "contact-center-chat", "load": {"rate": "1/s", "for": "5s", "max_active": 5}}),
                    ("POST", f"/api/v1/runs/{run}/stop", {"now": True}),
                    ("POST", f"/api/v1/runs/{run}/stop", {}),
                    ("POST", f"/api/v1/runs/{run}/pause", None),
                    ("POST", f"/api/v1/runs/{run}/resume", None),
                    ("PATCH", f"/api/v1/runs/{run}", {"rate": "9/s"}),
                    ("POST", "/api/v1/probes/canary/run", None),
                    ("GET", "/api/v1/runs", None),
                    ("GET", f"/runs/{run}", None),
                    ("GET", "/metrics", None),
                ]
            )
            status, text = service.request(method, path, body)
            answers[status] = answers.get(status, 0) + 1
            if status == 202 and path == "/api/v1/bursts":
                known.append(json.loads(text)["id"])
        return known

    with Service(folder) as service:
        with Canaries(service, trial), concurrent.futures.ThreadPoolExecutor(8) as clients:
            started = [client.result() for client in [clients.submit(orders, service, seed) for seed in range(8)]]
        runs = [run for known in started for run in known]
        for run in runs:
            service.request("POST", f"/api/v1/runs/{run}/stop", {"now": True})
        for run in runs:
            ended = service.ended(run)
            differences = ended["events"]["differences"]
            trial.expect(not differences, f"{run}: {differences}")
        trial.saw(f"{len(runs)} bursts; {sum(answers.values())} answers, " + ", ".join(f"{n} of {s}" for s, n in sorted(answers.items())))
        trial.expect(all(200 <= status < 500 for status in answers), "answers are errors of the service")
        trial.expect(service.program.end() == 0, "it does not end well")
