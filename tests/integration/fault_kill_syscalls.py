#!/usr/bin/env python3
"""A writer is killed at every call on the system, and every such call fails
once: what was acknowledged is there, what was refused is not, a batch is whole,
and the next open needs no help."""
import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from scribe import Event, Ledger, Nak, claim, rounds, run_scribe
from stetcli import main

# A life: a new store, single writes and batches, turns of the segment, the
# keeper's work, a sync, a clean end, a second open, which settles what the first
# one wrote.
OPEN = "open store nothreads segment=65536"
LIFE = (OPEN, "mixed 1 1 22", "steps", "tell", "sync", "mixed 2 1 8", "steps",
        "tell", "close", OPEN, "compact", "tell", "mixed 3 1 5", "tell", "close")
# The same with the keeper and writers on threads of their own.
CROWD = ("open store segment=65536", "mixed 1 4 12", "close",
         "open store", "mixed 2 2 4", "close")
# What follows a kill: recovery, and a little more.
SECOND_LIFE = (OPEN, "tell", "mixed 5 1 3", "steps", "tell", "close")

# What a call may answer while the disk fails.
REFUSALS = {"STET_E_UNKNOWN", "STET_E_READONLY", "STET_E_NOSPACE", "STET_E_IO",
            "STET_E_NOMEM"}
# What a store or a call that never came to be answers to the rest.
CLOSED = "STET_E_INVALID"

# Calls that may fail, and how: each of the first with each of the second.
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "fallocate", "openat",
         "linkat", "renameat", "unlinkat", "pread64", "getdents64", "flock",
         "getrandom")
ERRORS = ("EIO", "ENOSPC", "EACCES", "EMFILE", "ENOMEM")

# Leaks cannot be looked for in a traced process.
TRACED = "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "") + \
    ":detect_leaks=0"


def strace(*options, trace="/dev/null"):
    return ["strace", "-f", "-qq", "-E", TRACED, "-o", trace, *options]


def why_not():
    """The reason for which calls cannot be injected here, or None."""
    if shutil.which("strace") is None:
        return "strace is not here"
    done = subprocess.run(
        strace("-e", "inject=getpid:error=EIO:when=1") + ["true"],
        capture_output=True, text=True)
    if done.returncode != 0:
        return f"strace may not trace: {done.stderr.strip()}"
    return None


class Case:
    """One life in a folder of its own, with one fault, and what follows.

    `template` is a store to begin with, and `owed` what scribes said of it."""

    def __init__(self, parent, life, options, template=None, owed=None):
        self.folder = tempfile.mkdtemp(dir=parent)
        self.life = life
        self.options = options
        self.owed = owed
        if template:
            shutil.copytree(template, os.path.join(self.folder, "store"))

    def run(self):
        try:
            self.check()
        except AssertionError as error:
            raise AssertionError(
                f"{' '.join(self.options)}: {error}") from error
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def check(self):
        ledger, handle = Ledger(), Handle()
        said = run_scribe(*self.life, under=strace(*self.options),
                          cwd=self.folder)
        if self.owed:
            ledger.note(self.owed)
            handle.begin_with(self.owed)
        if self.life is not CROWD:
            for item in said.items:
                handle.take(item)
        ledger.note(said)
        self.check_after(ledger)

    def check_after(self, ledger):
        """Whatever happened: open, look, write, close, look again."""
        said = run_scribe("open store segment=65536", "tell", "verify",
                          "mixed 9 1 5", "close",
                          "open store readonly", "tell", "verify", "close",
                          cwd=self.folder)
        claim(not said.refusals and not said.naks,
              f"reopened: {said.refusals} {said.naks} {said.err}")
        ledger.follow(said)


class Handle:
    """What one process said, held to itself from item to item."""

    def __init__(self):
        self.acked = {}        # position: Event
        self.unknown = set()   # tokens, of this handle's life
        self.may_show = set()  # tokens left behind by a life before it

    def begin_with(self, owed):
        self.acked = {e.position: e for e in owed.of(Event)}

    def take(self, item):
        if isinstance(item, Event):
            self.take_ack(item)
        elif isinstance(item, Nak):
            self.take_nak(item)
        else:
            self.take_reply(item)

    def take_ack(self, event):
        claim(not self.unknown, f"written after an unknown outcome: {event}")
        self.acked[event.position] = event

    def take_nak(self, nak):
        claim(nak.status in REFUSALS, str(nak))
        claim(not self.unknown or nak.status == "STET_E_READONLY", str(nak))
        if nak.status == "STET_E_UNKNOWN":
            self.unknown.add(nak.token)

    def take_reply(self, reply):
        claim(reply.status in REFUSALS | {"STET_OK", CLOSED}, str(reply))
        if reply.command == "open":
            self.may_show |= self.unknown
            self.unknown = set()
        if reply.command == "tell" and reply.status == "STET_OK":
            self.take_telling([event for event, _ in reply.told])

    def take_telling(self, told):
        """All that was acknowledged is shown, and of the rest only what an
        unknown outcome left behind before this open."""
        shown = {event.position: event for event in told}
        for position, event in self.acked.items():
            claim(shown.get(position) == event,
                  f"acknowledged {event}, shown {shown.get(position)}")
        for position, event in shown.items():
            claim(position in self.acked or event.token in self.may_show,
                  f"shown, never acknowledged: {event}")


class Faults(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="stet-fault-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.template = None
        self.owed = None

    def begin_killed(self):
        """Have cases begin with the store that a killed writer left."""
        home = tempfile.mkdtemp(dir=self.folder)
        self.owed = run_scribe(OPEN, "mixed 1 1 25", "steps", "mixed 2 1 3",
                               cwd=home)
        self.template = os.path.join(home, "store")

    def calls(self, life):
        """The names of the calls of one undisturbed life, by thread and in
        order, and how many the first has before the store is touched."""
        case = Case(self.folder, life, [], self.template)
        trace = os.path.join(case.folder, "trace")
        said = run_scribe(*life, under=strace(trace=trace), cwd=case.folder)
        self.assertEqual((said.refusals, said.naks, said.err), ([], [], ""))
        with open(trace, encoding="utf-8", errors="replace") as file:
            found = re.findall(r"^(?:(\d+) +)?(\w+)\((.*)$", file.read(), re.M)
        threads = collections.OrderedDict()
        for thread, name, rest in found:
            threads.setdefault(thread, []).append((name, '"store"' in rest))
        first = next(iter(threads.values()))
        before = next(i for i, (_, is_ours) in enumerate(first) if is_ours)
        return [[name for name, _ in calls]
                for calls in threads.values()], before

    def run_cases(self, life, cases):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(Case(self.folder, life, options,
                                     self.template, self.owed).run)
                    for options in cases]
            broken = [str(j.exception()) for j in jobs if j.exception()]
        print(f"{len(jobs)} cases, {len(broken)} broken")
        self.assertEqual(broken, [], "\n".join(broken[:20]))

    def thin(self, cases, usual, slow):
        """All of them in a long run, else some that lie evenly."""
        most = rounds(usual, len(cases), slow)
        step = max(1, -(-len(cases) // most))
        if step > 1 and step % len(ERRORS) == 0:
            step += 1  # or it would always be the same error
        return cases[::step]

    def kills(self, life):
        """A kill at each call of each thread: calls are counted by thread."""
        threads, before = self.calls(life)
        most = max(len(calls) for calls in threads)
        return [("-e", f"inject=all:signal=KILL:when={n}")
                for n in range(before + 1, most + 1)]

    def failures(self, life):
        """Each call of each kind fails once, in each way."""
        [names], before = self.calls(life)
        return [("--seccomp-bpf", "-e", f"trace={name}", "-e",
                 f"inject={name}:error={error}:when={n}")
                for name in CALLS
                for n in range(names[:before].count(name) + 1,
                               names.count(name) + 1)
                for error in ERRORS]

    def test_a_kill_at_any_call_loses_nothing_acknowledged(self):
        """Between any two calls on the system the process may end."""
        self.run_cases(LIFE, self.thin(self.kills(LIFE), 120, 20))

    def test_a_kill_at_any_call_of_many_threads_loses_nothing(self):
        """The keeper and several writers, whose calls interleave as they
        like."""
        self.run_cases(CROWD, self.thin(self.kills(CROWD), 40, 10))

    def test_a_kill_during_recovery_loses_nothing(self):
        """Recovery writes; whoever opens next begins again."""
        self.begin_killed()
        self.run_cases(SECOND_LIFE,
                       self.thin(self.kills(SECOND_LIFE), 60, 10))

    def test_a_call_that_fails_once_is_answered_as_promised(self):
        """A failed write or sync: unknown, and no write until a reopen. No
        space: nothing happened. Reads go on, and the next open finds all."""
        self.run_cases(LIFE, self.thin(self.failures(LIFE), 200, 20))

    def test_a_call_that_fails_during_recovery_loses_nothing(self):
        """The open is refused or it is complete; the next one is complete."""
        self.begin_killed()
        self.run_cases(SECOND_LIFE,
                       self.thin(self.failures(SECOND_LIFE), 60, 10))


if __name__ == "__main__":
    main(why_not())
