"""Disks that are full or hang."""

import contextlib
import os
import signal
import time

from service import Canaries, Service, eventually
from table import Skipped, command


@contextlib.contextmanager
def mounted(folder, kind, source, *options):
    data = folder / "data"
    data.mkdir()
    if not command("mount", "-t", kind, *options, source, str(data)):
        raise Skipped(f"nobody may mount {kind} here")
    try:
        yield data
    finally:
        command("umount", "--lazy", str(data))


def full(trial, folder):
    """A full disk: chats go on, the loss is told, and with room again all is well."""
    trial.did("the history on a tmpfs of 8 MB, which is filled and emptied again")
    with mounted(folder, "tmpfs", "none", "-o", "size=8m") as data, Service(folder) as service:
        filler = data / "filler"
        with Canaries(service, trial):
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            run = service.burst({"chats": 200, "ramp": "2s"})
            chats = service.ended(run)["chats"]
            trial.saw(f"{chats['passed']} of 200 chats of a burst passed")
            trial.expect(chats["passed"] == 200, f"{chats['passed']} of 200 chats passed")
            eventually("chatprobe_history_broken", lambda: service.metric("chatprobe_history_broken") == 1)
            filler.unlink()
            eventually("working history", lambda: service.metric("chatprobe_history_broken") == 0)
        trial.saw("`chatprobe_history_broken` 1, and 0 with room again")
        later = service.burst({"chats": 5})
        service.ended(later)
        trial.expect(service.program.end() == 0, "it does not end well")
        service.start()
        kept = service.run(later)
        trial.saw(f"a burst after it is kept: {kept['state']}, {kept['chats']['passed']} passed")
        trial.expect(kept["state"] == "ended" and kept["chats"]["passed"] == 5, "a burst after it is not kept")
        # Its record was in memory while there was no room.
        kept = service.run(run)
        trial.saw(f"that of the full disk is {kept['state']}, {kept['chats']['passed']} passed")
        trial.expect(kept["state"] == "ended" and kept["chats"]["passed"] == 200, "the burst of the full disk is not kept")


def frozen(trial, folder):
    """A file system that hangs: chats and the web go on."""
    seconds = trial.rounds(8, 60)
    trial.did(f"the history on an ext4 that is frozen for {seconds} s (fsfreeze)")
    if os.geteuid() != 0 or not command("losetup", "--find"):
        raise Skipped("needs root and a loop device")
    image = folder / "image"
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    if not command("mkfs.ext4", "-q", str(image)):
        raise Skipped("mkfs.ext4 is missing")
    with mounted(folder, "ext4", str(image), "-o", "loop") as data:
        with Service(folder) as service:
            run = service.burst({"rate": "5/s", "for": "2m", "max_active": 50})
            if not command("fsfreeze", "--freeze", str(data)):
                raise Skipped("nobody may freeze a file system here")
            try:
                with Canaries(service, trial):
                    slowest = 0.0
                    until = time.monotonic() + seconds
                    broken = 0
                    while time.monotonic() < until:
                        broken = max(broken, service.metric("chatprobe_history_broken"))
                        began = time.monotonic()
                        for page in ("/metrics", f"/runs/{run}"):
                            status, _ = service.get(page, timeout=5)
                            trial.expect(status == 200, f"GET {page}: {status}")
                        slowest = max(slowest, time.monotonic() - began)
                        time.sleep(0.2)
                slow = service.metric("chatprobe_history_slow_writes_total")
                trial.saw(f"/metrics and the page of the burst within {slowest * 1000:.0f} ms")
                trial.saw(f"`chatprobe_history_broken` {broken:.0f}, {slow:.0f} slow write")
                trial.expect(broken == 1, "chatprobe_history_broken stays 0")
                trial.expect(slow == 1, f"{slow:.0f} slow writes")
            finally:
                command("fsfreeze", "--unfreeze", str(data))
            service.request("POST", f"/api/v1/runs/{run}/stop", {"now": True})
            ended = service.ended(run)
            trial.expect(ended["chats"]["failed"] == 0, f"{ended['chats']['failed']} chats failed")
            trial.did("SIGTERM while it is frozen again")
            if not command("fsfreeze", "--freeze", str(data)):
                raise Skipped("nobody may freeze a file system here")
            try:
                eventually("write that hangs", lambda: service.metric("chatprobe_history_write_seconds") > 0.5)
                began = time.monotonic()
                service.program.send(signal.SIGTERM)
                # The kernel does not let go of a thread that hangs, and so keeps the exit code.
                eventually("end of the process", service.program.is_over, patience=2 + 5 + 2)
                trial.saw(f"over after {time.monotonic() - began:.1f} s")
            finally:
                command("fsfreeze", "--unfreeze", str(data))
            trial.expect(service.program.end() == 0, "it does not end well")
