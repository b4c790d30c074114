"""Clients that mean no good, at the web and at the callback listener."""

import contextlib
import os
import pathlib
import select
import signal
import socket
import threading
import time

from service import Canaries, Service, eventually
from table import Skipped

# Each is sent as it is and then ended; `@` is where a path of the listener stands.
MALFORMED = [
    b"", b"\r\n\r\n", b"\0" * 100, b"\xff" * 100, b"GET", b"GET /\r\n\r\n", b"GET @ HTTP/9.9\r\n\r\n",
    b"GET @ HTTP/1.1\r\n\r\n", b"G\xc3\xa4T @ HTTP/1.1\r\nhost: x\r\n\r\n", b"GET  @  HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET @ HTTP/1.1\nhost: x\n\n", b"GET @ HTTP/1.1\r\nhost x\r\n\r\n", b"GET @ HTTP/1.1\r\n: x\r\n\r\n",
    b"GET @ HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", b"GET @ HTTP/1.1\r\nho\0st: x\r\n\r\n",
    b"GET @ HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n", b"GET @ HTTP/1.1\r\nhost: \xff\xfe\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n", b"GET * HTTP/1.1\r\nhost: x\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    b"TRACE @ HTTP/1.1\r\nhost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"POST @ HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", b"POST @ HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
    b"POST @ HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    b"POST @ HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST @ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"POST @ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"POST @ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
    b"POST @ HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf", b"POST @ HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
    b"POST @ HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08",
    b"POST @ HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 3000\r\n\r\n" + b"[" * 3000,
    b"POST @ HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 6\r\n\r\n%%%=%=",
    b"GET @" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"GET @ HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n",
    b"GET @ HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 20_000 + b"\r\n", b"GET @%ff%00%2e%2e HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET @/../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n", b"GET @?" + b"a=b&" * 10_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET @ HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    b"GET @ HTTP/1.1\r\nhost: x\r\nrange: bytes=0-0,0-0,-1\r\nif-none-match: \"\r\n\r\n",
]


def connect(address, timeout=10):
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def answer(address, request):
    """The status, or `closed`; None if the connection is still open after 10 s."""
    received = b""
    with connect(address) as client:
        try:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                received = (received + part)[:64]
        except TimeoutError:
            return None
        except OSError:
            # It was refused before all of it had been sent.
            pass
    return received[9:12].decode(errors="replace") if received.startswith(b"HTTP/1.") else "closed"


def malformed(trial, folder):
    """Requests that are none."""
    trial.did(f"{len(MALFORMED)} malformed requests to the web and to the callback listener")
    with Service(folder) as service, Canaries(service, trial):
        seen = {}
        for address, path in [(service.web, b"/api/v1/runs"), (service.callbacks, b"/events/x")]:
            for request in MALFORMED:
                status = answer(address, request.replace(b"@", path, 1))
                seen[status] = seen.get(status, 0) + 1
                named = f"{request[:60]!r}: {status}"
                trial.expect(status is not None, f"{named}: no end")
                trial.expect(status is None or not status.startswith("5"), named)
        trial.saw(", ".join(f"{count} of {status}" for status, count in sorted(seen.items(), key=str)))


def large(trial, folder):
    """Bodies that are too large."""
    seconds = trial.rounds(5, 60)
    trial.did(f"32 connections send bodies of 4 MB to the callback listener for {seconds} s")
    request = b"POST /events/x HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n" + bytes(4_000_000)
    with Service(folder) as service:
        before, statuses = service.program.memory(), []
        until = time.monotonic() + seconds

        def send():
            while time.monotonic() < until:
                statuses.append(answer(service.callbacks, request))

        with Canaries(service, trial):
            senders = [threading.Thread(target=send) for _ in range(32)]
            for sender in senders:
                sender.start()
            most = before
            while any(sender.is_alive() for sender in senders):
                most = max(most, service.program.memory())
                time.sleep(0.1)
        trial.saw(f"{len(statuses)} bodies, answered {', '.join(sorted(map(str, set(statuses))))}; {most - before:.0f} MB more memory")
        trial.expect(set(statuses) <= {"413", "closed"}, "a body was not refused")
        trial.expect(most - before < 100, f"{most - before:.0f} MB more memory")


def slow(trial, folder):
    """Clients that send or read next to nothing."""
    seconds = trial.rounds(6, 60)
    trial.did(f"for {seconds} s 200 clients send a byte a second of a head or a body, and 50 read nothing of what they asked for")
    head = b"POST /events/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
    with Service(folder) as service:
        files = service.program.files()
        with Canaries(service, trial):
            clients = [connect(address) for address in [service.web, service.callbacks] * 50]
            bodies = [connect(service.callbacks) for _ in range(100)]
            deaf = [connect(service.web) for _ in range(50)]
            for client in bodies:
                client.sendall(head)
            for client in deaf:
                client.sendall(b"GET /metrics HTTP/1.1\r\nhost: " + service.web.encode() + b"\r\n\r\n")
            slowest, until = 0.0, time.monotonic() + seconds
            while time.monotonic() < until:
                for client in clients + bodies:
                    try:
                        client.send(b"G")
                    except OSError:
                        # It was closed, as it may be.
                        pass
                began = time.monotonic()
                status, _ = service.get("/healthz")
                slowest = max(slowest, time.monotonic() - began)
                trial.expect(status == 200, f"GET /healthz: {status}")
                time.sleep(0.9)
        trial.saw(f"/healthz within {slowest * 1000:.0f} ms")
        trial.expect(slowest < 2, f"/healthz took {slowest:.1f} s")
        for client in clients + bodies + deaf:
            client.close()
        eventually("files given back", lambda: service.program.files() <= files + 20)


def watchers(trial, folder):
    """Many browsers that watch and read nothing."""
    count = trial.rounds(100, 400)
    trial.did(f"{count} clients watch a burst in progress and read nothing")
    with Service(folder) as service:
        run = service.burst({"rate": "20/s", "for": "1m", "max_active": 200})
        before = service.program.memory()
        with Canaries(service, trial):
            watching = [connect(service.web) for _ in range(count)]
            for client in watching:
                client.sendall(f"GET /live/runs/{run} HTTP/1.1\r\nhost: {service.web}\r\naccept: text/event-stream\r\n\r\n".encode())
            time.sleep(4)
            status, _ = service.get(f"/runs/{run}")
            trial.expect(status == 200, f"the page of the run: {status}")
            grown = service.program.memory() - before
        trial.saw(f"{grown:.0f} MB more memory")
        trial.expect(grown < 150, f"{grown:.0f} MB more memory")
        for client in watching:
            client.close()
        service.request("POST", f"/api/v1/runs/{run}/stop", {"now": True})
        chats = service.ended(run)["chats"]
        trial.expect(chats["failed"] == 0, f"{chats['failed']} chats failed")


def silent(trial, folder):
    """Connections on the callback port that never send a byte take no room from the target's events."""
    trial.did("700 silent connections to the callback listener of a process with 1,024 files; then the simulator starts anew")
    service = Service(folder, limits="-n 1024")
    with service:
        silent = []
        # Those that find no room any more are none.
        with contextlib.suppress(OSError):
            while len(silent) < 700:
                silent.append(connect(service.callbacks, timeout=2))
        trial.expect(len(silent) == 700, f"only {len(silent)} were accepted")
        # Its connections to the callback listener are new ones then.
        service.start_centre_anew()
        before = service.canaries()[0]
        eventually("canary on a new connection", lambda: service.canaries()[0] > before)
        with Canaries(service, trial):
            time.sleep(3)
        closed = sum(1 for client in silent if is_closed(client))
        counted = service.metric("chatprobe_listener_closed_total", listener="callbacks", reason="capacity")
        trial.saw(f"{closed} of {len(silent)} silent connections were closed, {counted:.0f} of them to make room")
        trial.expect(closed > 0, "no silent connection was closed")
        trial.expect(counted > 0, "chatprobe_listener_closed_total counts no connection that was closed to make room")
        trial.expect("a connection was closed to make room for another" in service.program.log(), "no warning in the log")
        for client in silent:
            client.close()


def is_closed(client):
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def at_once(trial, folder):
    """More connections in a moment than an accept queue usually holds."""
    trial.did("1,000 connections to the callback listener as fast as possible, with an event each")
    request = b"POST /events/x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
    service = Service(folder)
    with service, Canaries(service, trial):
        host, port = service.callbacks.split(":")
        clients, waiting = {}, select.epoll()
        began = time.monotonic()
        for _ in range(1_000):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((host, int(port)))
            clients[client.fileno()] = client
            waiting.register(client, select.EPOLLOUT)
        sent, slowest, answered = set(), 0.0, 0
        while clients and time.monotonic() < began + 10:
            for number, _ in waiting.poll(1):
                client = clients[number]
                if number not in sent:
                    sent.add(number)
                    client.send(request)
                    waiting.modify(client, select.EPOLLIN)
                    continue
                answered += client.recv(100).startswith(b"HTTP/1.1 404")
                slowest = time.monotonic() - began
                waiting.unregister(client)
                clients.pop(number).close()
        trial.saw(f"{answered} answers, the last after {slowest * 1000:.0f} ms")
        trial.expect(answered == 1_000, f"{answered} of 1,000 answers")
        # A connection that found no room is tried again after a second.
        trial.expect(slowest < 1, f"the last answer took {slowest:.1f} s")


def accept_queue(trial, folder):
    """Events that find the accept queue of the callback listener full are not charged to the target."""
    length, waits = 16, {"1900ms": 20, "2600ms": 20}
    trial.did(
        f"net.core.somaxconn is {length}; SIGSTOP for 2 s, while 100 connections to the callback listener come, and the events of two "
        "bursts of 20 chats, of which one waits for its agents until before SIGCONT, and the other until after it"
    )
    with accept_queues_of(length), Service(folder, centre="first_events: 1500ms\n") as service:
        inputs = {"session_pause": "10ms", "first_message_delay": "10ms", "reply_delay": "10ms"}
        runs = [service.burst({"chats": chats}, inputs={**inputs, "agent_join_timeout": wait}) for wait, chats in waits.items()]
        eventually("chats that wait", lambda: service.metric("chatprobe_chats_active", mode="burst") == sum(waits.values()))
        time.sleep(0.3)
        service.program.send(signal.SIGSTOP)
        host, port = service.callbacks.split(":")
        clients = [socket.socket() for _ in range(100)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((host, int(port)))
        time.sleep(2)
        service.program.send(signal.SIGCONT)
        ended = [service.ended(run) for run in runs]
        for client in clients:
            client.close()
        # Both are read about once a second.
        own = eventually("overflow that is counted", lambda: service.metric("chatprobe_listener_dropped_connections_total", listener="callbacks"))
        found = eventually("overflow of the host", lambda: service.metric("chatprobe_host_listen_overflows_total"))
        trial.saw(f"{found:.0f} connections found an accept queue full, {own:.0f} are counted against the callback listener")
        for wait, run in zip(waits, ended):
            reasons, verdict = run["chats"]["failed_by_reason"], run["verdict"]
            trial.saw(f"of those that wait {wait} {run['chats']['passed']} passed, {reasons.get('internal', 0)} failed with `internal`; the run is {verdict}")
            trial.expect(set(reasons) <= {"internal"}, f"chats failed because of {reasons}")
            why = " ".join(run["verdict_reasons"])
            trial.expect(verdict == "invalid" and "accept queue of chatprobe itself was full" in why, f"the run is {verdict}: {why}")
        trial.expect(any(run["chats"]["failed"] for run in ended), "no chat failed, so that nothing was shown")
        trial.expect("the accept queue was full" in service.program.log(), "no warning in the log")
        with Canaries(service, trial):
            time.sleep(1)


@contextlib.contextmanager
def accept_queues_of(length):
    """Listeners that begin meanwhile have accept queues of this length."""
    setting = pathlib.Path("/proc/sys/net/core/somaxconn")
    # That of the machine belongs to others.
    if os.getpid() != 1:
        raise Skipped("needs namespaces")
    before = setting.read_text()
    try:
        setting.write_text(str(length))
    except OSError:
        raise Skipped("nobody may change net.core.somaxconn here") from None
    try:
        yield
    finally:
        setting.write_text(before)


def few_files(trial, folder):
    """The web answers a process that has no files left for chats."""
    trial.did("a burst of 400 chats at once, whose target answers after 3 s, in a process with 256 files")
    slow = "faults: { slow: [{ probability: 1, by: 3s, only: [session_create] }] }"
    with Service(folder, limits="-n 256", centre=slow) as service:
        inputs = {"session_pause": "5s", "first_message_delay": "10ms", "reply_delay": "10ms"}
        run = service.burst({"chats": 400}, inputs=inputs)
        slowest, until = 0.0, time.monotonic() + 5
        while time.monotonic() < until:
            began = time.monotonic()
            status, text = service.get(f"/api/v1/runs/{run}", timeout=3)
            slowest = max(slowest, time.monotonic() - began)
            trial.expect(status == 200, f"the run: {status} {text[:80]}")
            time.sleep(0.2)
        trial.saw(f"the run is shown within {slowest * 1000:.0f} ms")
        service.request("POST", f"/api/v1/runs/{run}/stop", {"now": True})
        ended = service.ended(run)
        short = sum(1 for failure in ended["failures"] if "as many files and connections open as it may" in failure["detail"])
        trial.saw(f"{ended['chats']['failed']} chats failed; the run is {ended['verdict']}")
        # Otherwise the trial has shown nothing.
        trial.expect(short > 0, "no chat failed because of a lack of files")
        trial.expect(ended["verdict"] == "invalid", f"the run is {ended['verdict']}")
        before = service.canaries()[0]
        eventually("canary", lambda: service.canaries()[0] > before)
