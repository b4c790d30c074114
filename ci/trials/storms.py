"""Storms of signals and reloads, and a process that stands still."""

import signal
import threading
import time

from service import Canaries, Service, eventually


def signals(trial, folder):
    """Signals that mean something, and some that do not."""
    count = trial.rounds(300, 3000)
    trial.did(f"{count} SIGHUP, every third with a configuration that is wrong, among SIGWINCH, SIGPIPE and SIGCONT")
    with Service(folder) as service:
        with Canaries(service, trial):
            for number in range(count):
                wrong = number % 3 == 0
                service.write(service.configuration + ("nonsense: 1\n" if wrong else f"# {number}\n"))
                service.program.send(signal.SIGHUP)
                service.program.send((signal.SIGWINCH, signal.SIGPIPE, signal.SIGCONT)[number % 3])
                time.sleep(0.01)
            service.write(service.configuration)
            service.program.send(signal.SIGHUP)
            eventually("good configuration", lambda: service.metric("chatprobe_config_last_reload_successful") == 1)
        refused = service.program.log().count("the old one stays in force")
        accepted = service.program.log().count("the configuration was reloaded")
        trial.saw(f"{accepted} reloads taken, {refused} refused")
        trial.expect(accepted > 0 and refused > 0, "no reload was taken, or none refused")
        trial.expect(service.program.end() == 0, "it does not end well")


def reloads(trial, folder):
    """Reloads through the API while probes and bursts change."""
    seconds = trial.rounds(4, 30)
    trial.did(f"4 clients reload for {seconds} s, in turn with and without a burst on a schedule, while a burst goes on")
    scheduled = (
        "bursts: { often: { scenario: contact-center-chat, target: centre, load: { chats: 1 }, "
        "schedule: { cron: '* * * * * *' }, inputs: { session_pause: 10ms, first_message_delay: 10ms, reply_delay: 10ms } } }\n"
    )
    with Service(folder) as service:
        run = service.burst({"rate": "10/s", "for": "5m", "max_active": 100})
        statuses, until = [], time.monotonic() + seconds

        def reload():
            while time.monotonic() < until:
                statuses.append(service.request("POST", "/api/v1/reload")[0])

        with Canaries(service, trial):
            clients = [threading.Thread(target=reload) for _ in range(4)]
            for client in clients:
                client.start()
            while any(client.is_alive() for client in clients):
                for more in ("", scheduled):
                    replacement = service.folder / "next.yaml"
                    replacement.write_text(service.configuration + more)
                    replacement.replace(service.folder / "chatprobe.yaml")
                    time.sleep(0.3)
        trial.saw(f"{len(statuses)} reloads, answered {', '.join(map(str, sorted(set(statuses))))}")
        trial.expect(set(statuses) == {200}, "a reload was refused")
        trial.expect(service.request("POST", "/api/v1/reload")[0] == 200, "the last reload was refused")
        before = service.metric("chatprobe_bursts_total", burst="often")
        time.sleep(3)
        starts = service.metric("chatprobe_bursts_total", burst="often") - before
        trial.saw(f"{starts:.0f} starts on schedule in the 3 s after it, one a second")
        trial.expect(2 <= starts <= 4, f"{starts:.0f} starts on schedule in 3 s")
        service.request("POST", f"/api/v1/runs/{run}/stop", {"now": True})
        chats = service.ended(run)["chats"]
        trial.expect(chats["failed"] == 0, f"{chats['failed']} chats failed")
        trial.expect(service.program.end() == 0, "it does not end well")


def standstill(trial, folder):
    """A process that stands still does not blame the target."""
    trial.did("SIGSTOP for 2 s and SIGCONT, twice, in the middle of a burst")
    with Service(folder, health="{ stall: 1s }") as service:
        run = service.burst({"rate": "10/s", "for": "6s", "max_active": 100})
        for _ in range(2):
            time.sleep(1)
            service.program.send(signal.SIGSTOP)
            time.sleep(2)
            service.program.send(signal.SIGCONT)
        ended = service.ended(run)
        trial.saw(f"the burst is {ended['verdict']}: {'; '.join(ended['verdict_reasons'])[:160]}")
        trial.expect(ended["verdict"] == "invalid", f"the burst is {ended['verdict']}")
        with Canaries(service, trial):
            time.sleep(1)


def guesses(trial, folder):
    """Guesses of the admin token are slow, and whoever has it is not."""
    seconds = trial.rounds(5, 60)
    trial.did(f"7 clients guess the admin token for {seconds} s, and one at the same address knows it")
    with Service(folder, token="0123456789abcdef" * 4) as service:
        statuses, until = [], time.monotonic() + seconds

        def guess(client):
            while time.monotonic() < until:
                guessed = f"{client}-{len(statuses)}".rjust(64, "x")
                statuses.append(service.request("POST", "/api/v1/reload", timeout=seconds, token=guessed)[0])

        with Canaries(service, trial):
            clients = [threading.Thread(target=guess, args=[number]) for number in range(7)]
            for client in clients:
                client.start()
            slowest = 0.0
            while any(client.is_alive() for client in clients):
                began = time.monotonic()
                status, _ = service.request("POST", "/api/v1/probes/canary/resume")
                slowest = max(slowest, time.monotonic() - began)
                trial.expect(status == 200, f"the right token: {status}")
                time.sleep(1)
        trial.saw(f"{len(statuses)} guesses; the right token was taken within {slowest * 1000:.0f} ms")
        trial.expect(set(statuses) <= {0, 401}, f"guesses were answered {sorted(set(statuses))}")
        trial.expect(len(statuses) < 20 * seconds, f"{len(statuses)} guesses in {seconds} s")
        trial.expect(slowest < 1, f"the right token took {slowest:.1f} s")
