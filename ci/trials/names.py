"""Names that nobody resolves."""

import os
import socket
import time

from service import Canaries, Service
from table import Skipped, command

RESOLVER = "127.0.0.53"


def hanging(trial, folder):
    """Lookups that hang slow nobody else's."""
    trial.did("a burst of 600 chats against a target whose name server never answers; the canary's target has a name too")
    # In namespaces of its own the resolver's address and file are nobody else's.
    if os.getpid() != 1:
        raise Skipped("needs namespaces")
    configuration = folder / "resolv.conf"
    configuration.write_text(f"nameserver {RESOLVER}\noptions timeout:5 attempts:5\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((RESOLVER, 53))
        if not command("mount", "--bind", str(configuration), "/etc/resolv.conf"):
            raise Skipped("nobody may mount here")
        try:
            ask = folder / "ask.yaml"
            ask.write_text("scenario: ask\nsteps: [{ step: ask, http: { get: '{{ target.url }}/' } }]\n")
            lost = "  lost: { url: 'http://no-answer.example', connections: { opening: 1000 }, variables: { tenant_id: t, channel_provider_id: p } }"
            # Each canary has to connect, and so to look its target up.
            quick = "idle_close: 20ms\n"
            with Service(folder, targets=lost, host="localhost", centre=quick, scenarios=[ask]) as service:
                with Canaries(service, trial):
                    run = service.burst({"chats": 600}, scenario="ask", target="lost", inputs={})
                    time.sleep(trial.rounds(6, 30))
                    passed = service.metric("chatprobe_chats_passed_total", mode="probe")
                    sum_ = service.metric("chatprobe_chat_duration_seconds_sum", mode="probe")
                chats = service.run(run)["chats"]
                trial.saw(f"{chats['in_progress']} chats wait for their name")
                trial.expect(chats["in_progress"] == 600, f"not all chats wait: {chats}")
                trial.saw(f"a canary took {sum_ / passed:.2f} s on average")
                trial.expect(sum_ / passed < 1, "canaries were slow")
                service.request("POST", f"/api/v1/runs/{run}/stop", {"now": True})
                service.ended(run)
        finally:
            command("umount", "/etc/resolv.conf")
