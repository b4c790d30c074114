"""The trials of ci/chaos, in namespaces of their own.

Network, mounts and processes are their own where the machine allows it, so that only loopback can be reached and
nothing is left behind.
"""

import fcntl
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import connections
import disk
import ends
import limits
import names
import service
import storms
import table

TRIALS = {
    "kill": ends.kill,
    "shutdown": ends.shutdown,
    "bursts": ends.bursts,
    "full-disk": disk.full,
    "frozen-disk": disk.frozen,
    "malformed": connections.malformed,
    "large": connections.large,
    "slow": connections.slow,
    "silent": connections.silent,
    "at-once": connections.at_once,
    "accept-queue": connections.accept_queue,
    "few-files": connections.few_files,
    "memory": limits.memory,
    "hanging-names": names.hanging,
    "watchers": connections.watchers,
    "signals": storms.signals,
    "reloads": storms.reloads,
    "guesses": storms.guesses,
    "standstill": storms.standstill,
}
# Set for the command in the namespaces.
INSIDE = "CHATPROBE_CHAOS_INSIDE"
SIOCSIFFLAGS = 0x8914


def loopback():
    """Switches on the loopback of a new network namespace."""
    up_and_running = struct.pack("16sH14x", b"lo", 0x41)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, up_and_running)


def namespaces():
    """The command that makes them; empty if the machine has none."""
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command.append("--map-root-user")
    try:
        possible = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        possible = False
    return command if possible else []


def inside(arguments):
    """Runs this command once more in namespaces of its own; its exit code."""
    folder = tempfile.mkdtemp(prefix="chatprobe-chaos-")
    try:
        environment = {**os.environ, INSIDE: "1", "TMPDIR": folder}
        running = subprocess.Popen([*namespaces(), sys.executable, "-B", __file__, *arguments], env=environment)

        def end(*_):
            # The command itself, which cleans up; what stands around it would only kill it.
            children = pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
            for process in map(int, children or [running.pid]):
                os.kill(process, signal.SIGTERM)

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        return running.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def attempt(name, long):
    """The trial, with its outcome."""
    trial = table.Trial(name, long)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="chatprobe-chaos-"))
    began = time.monotonic()
    try:
        TRIALS[name](trial, folder)
    except table.Skipped as reason:
        trial.skipped = str(reason)
    except service.Failure as failure:
        trial.broken.append(str(failure))
    finally:
        service.Program.end_all()
    trial.seconds = time.monotonic() - began
    if trial.broken:
        for log in folder.glob("*.log"):
            print(f"--- {name}: the end of {log.name}\n" + log.read_text(errors="replace")[-4000:], file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    return trial


def main(arguments):
    long = "--long" in arguments
    names = [name for name in arguments if name != "--long"] or list(TRIALS)
    unknown = [name for name in names if name not in TRIALS]
    if unknown:
        print(f"no trial {', '.join(unknown)}; there are {', '.join(TRIALS)}", file=sys.stderr)
        return 2
    if INSIDE not in os.environ:
        return inside(arguments)
    if os.getpid() == 1:
        loopback()
    # A termination ends trials as Ctrl-C does, so that they clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trials, began = [], time.monotonic()
    print(table.HEAD, flush=True)
    for name in names:
        try:
            trials.append(attempt(name, long))
        except KeyboardInterrupt:
            return 130
        print(trials[-1].row(), flush=True)
    report = pathlib.Path(os.environ["REPORTS"], "chaos.md")
    report.write_text("\n".join([table.HEAD, *(trial.row() for trial in trials)]) + "\n")
    broken = [trial.name for trial in trials if trial.broken]
    seconds = ", ".join(f"{trial.name} {trial.seconds:.0f} s" for trial in trials)
    print(f"\n{len(trials)} trials in {time.monotonic() - began:.0f} s ({seconds}); broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
