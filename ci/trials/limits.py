"""What the machine lets the process have."""

import contextlib
import pathlib

from service import Canaries, Service
from table import Skipped

MEMORY = 64 << 20


@contextlib.contextmanager
def group(name, memory):
    """A control group below our own with so many bytes; the version of control groups, and the file that takes processes."""
    lines = [line.split(":", 2) for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
    own = {controllers: path for _, controllers, path in lines}
    if "memory" in own:
        version, top, path, limit = 1, "/sys/fs/cgroup/memory", own["memory"], "memory.limit_in_bytes"
    elif "" in own:
        version, top, path, limit = 2, "/sys/fs/cgroup", own[""], "memory.max"
    else:
        raise Skipped("there are no control groups here")
    folder = pathlib.Path(top, path.lstrip("/"), name)
    try:
        folder.mkdir()
    except OSError as error:
        raise Skipped(f"nobody may make a control group here: {error.strerror}") from None
    try:
        try:
            # Not created: without the file there is no controller of memory.
            with open(folder / limit, "r+") as file:
                file.write(str(memory))
        except OSError as error:
            raise Skipped(f"control groups have no limit of memory here: {error.strerror}") from None
        yield version, folder / "cgroup.procs"
    finally:
        folder.rmdir()


def memory(trial, folder):
    """A burst that does not fit into the memory of the control group is refused."""
    chats = 100_000
    trial.did(f"a burst of {chats:,} chats in a control group of {MEMORY >> 20} MB, and one of 20")
    with group(folder.name, MEMORY) as (version, processes):
        # The files of the machine must not decide.
        more = f"limits: {{ max_active_chats: {chats}, max_rate: {chats}/s }}\n"
        with Service(folder, more, group=processes) as service, Canaries(service, trial):
            body = {"scenario": "contact-center-chat", "target": "centre", "load": {"chats": chats}}
            status, text = service.request("POST", "/api/v1/bursts", body)
            refused = f"{MEMORY >> 20} MB of `{processes.parent}/"
            trial.saw(f"control groups are of version {version}; the first burst is answered {status}{', for want of memory' if refused in text else ''}")
            trial.expect(status == 409 and refused in text, f"it is answered {status} {text[:300]}")
            ended = service.ended(service.burst({"chats": 20}))
            trial.saw(f"{ended['chats']['passed']} chats of the second pass, with {service.program.memory():.0f} MB")
            trial.expect(ended["chats"]["passed"] == 20, f"{ended['chats']['passed']} of 20 chats passed")
