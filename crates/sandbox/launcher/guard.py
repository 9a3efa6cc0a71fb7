"""Runs a command so that nothing of it outlives whoever started us.

    guard.py run COMMAND [ARG ...]    any command, in a process group of its own
    guard.py emulator LEDGER          the AWS emulator, in this interpreter

`run` watches its standard input. When that reaches its end, which the kernel sees to even when
our starter is killed outright, or on SIGTERM, SIGINT or SIGHUP, the command's whole group is
asked to stop and then killed: the emulator together with every Lambda process it spawned,
Terraform together with its providers. It exits with the command's own status.

`run` hands what it reads there on to the command's own standard input.

`emulator` also writes a ledger of who stands behind each temporary key. The emulator's CloudTrail
record names only the key id, so the relay needs that to say which role made a call. The ledger
holds names and never a secret or a session token. And it gives the emulator `AWSDenyAll`, one of the
policies that AWS publishes: without it, denies that find no other room could not be tried.

It loads what `STATE_DIR` holds. By itself it would save its state there only when it ends, with all
that has happened since; instead it saves when it reads the line `save`, and answers with the file
`STATE_DIR/saved`, which holds `ok` or the reason why not. A line `event` and a JSON object has it
deliver an event of AWS, see `organisation/voice.py`.

The folder `organisation` beside this file adds what several accounts need.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

GRACE_SECONDS = 5.0
AWS_DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"


def kill_group(group, sig):
    try:
        os.killpg(group, sig)
    except (ProcessLookupError, PermissionError):
        pass


def adopt_orphans():
    """Makes the kernel hand us the group's orphans. Not every first process of a container reaps what it inherits."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    PR_SET_CHILD_SUBREAPER = 36
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        pass


def reap_orphans():
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if ended == 0:
            time.sleep(0.01)


def run(command):
    try:
        os.setsid()
    except PermissionError:
        pass  # Already the leader of a session.
    adopt_orphans()
    # The child gets a pipe from us, so that it too can notice if we are killed outright.
    try:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    stopping = threading.Event()

    def stop(*_):
        stopping.set()

    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, stop)

    def watch_stdin():
        try:
            while data := os.read(0, 4096):
                child.stdin.write(data)
                child.stdin.flush()
        except OSError:
            pass
        stopping.set()

    threading.Thread(target=watch_stdin, daemon=True).start()
    while child.poll() is None and not stopping.wait(0.05):
        pass
    if child.poll() is None:
        kill_group(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    kill_group(child.pid, signal.SIGKILL)
    status = child.wait()
    reap_orphans()
    if status < 0 and not stopping.is_set():
        print(f"{command[0]} was ended by signal {-status}", file=sys.stderr)
    return status if status >= 0 else 128 - status


def save_state():
    from ministack import app
    from ministack.core import persistence

    folder = persistence.STATE_DIR
    try:
        for name, get_state in app._build_persistence_save_dict().items():
            state = get_state()
            if state is None:
                continue
            persistence.save_state(name, state)
            # A failure is only logged there.
            if not os.path.exists(os.path.join(folder, f"{name}.json")):
                raise RuntimeError(f"the state of {name} was not written")
        answer = "ok"
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    with open(os.path.join(folder, "saved.part"), "w", encoding="utf-8") as file:
        file.write(answer)
    os.replace(os.path.join(folder, "saved.part"), os.path.join(folder, "saved"))


def obey(line):
    from organisation import voice

    command, _, rest = line.decode("utf-8").strip().partition(" ")
    if command == "save":
        save_state()
    elif command == "event":
        voice.speak(rest)


def obey_the_guard():
    try:
        for line in sys.stdin.buffer:
            try:
                obey(line)
            except Exception:
                # The emulator goes on; whoever wrote the line finds this in its log.
                traceback.print_exc()
    except OSError:
        pass
    kill_group(os.getpgrp(), signal.SIGKILL)


def emulator(ledger_path):
    import organisation

    organisation.install()
    threading.Thread(target=obey_the_guard, daemon=True).start()

    from ministack.services import iam, sts

    # The emulator has some of the policies that AWS publishes, and not this one. The document is AWS's.
    iam._aws_managed_policies[AWS_DENY_ALL] = iam._make_aws_managed_record(
        "AWSDenyAll",
        '{"Version":"2012-10-17","Statement":[{"Sid":"DenyAll","Effect":"Deny","Action":["*"],"Resource":"*"}]}',
        "Deny all access.",
    )
    register = sts.register_session
    lock = threading.Lock()
    written = {}

    def register_and_note(access_key, session):
        register(access_key, session)
        line = json.dumps(
            {
                "access_key_id": access_key,
                "arn": session.get("Arn"),
                "user_id": session.get("UserId"),
                "principal_type": session.get("PrincipalType"),
                "principal_name": session.get("PrincipalName"),
                "issued_at": session.get("IssuedAt"),
            },
            sort_keys=True,
        )
        with lock:
            # A function's session is registered anew at every start with the same key.
            if written.get(access_key) == session.get("Arn"):
                return
            written[access_key] = session.get("Arn")
            with open(ledger_path, "a", encoding="utf-8") as ledger:
                ledger.write(line + "\n")

    sts.register_session = register_and_note
    sys.argv = ["ministack"]
    from ministack import app

    app.save_all = lambda services: None
    app.main()


if __name__ == "__main__":
    if len(sys.argv) >= 3 and sys.argv[1] == "run":
        sys.exit(run(sys.argv[2:]))
    elif len(sys.argv) == 3 and sys.argv[1] == "emulator":
        emulator(sys.argv[2])
    else:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
