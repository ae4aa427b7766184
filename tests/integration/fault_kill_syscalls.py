#!/usr/bin/env python3
"""A writer is killed at every call on the system, and every such call fails
once: what was acknowledged is there, what was refused is not, a batch is whole,
and the next open needs no help."""
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

SKIPPED = 77

# A life: a new store, single writes and batches, turns of the segment, the
# keeper's work, a sync, a clean end, a second open.
OPEN = "open store nothreads segment=65536"
LIFE = (OPEN, "mixed 1 1 22", "steps", "tell", "sync", "mixed 2 1 8", "steps",
        "tell", "close", OPEN, "mixed 3 1 5", "tell", "close")

# What a call may answer while the disk fails.
REFUSALS = {"STET_E_UNKNOWN", "STET_E_READONLY", "STET_E_NOSPACE", "STET_E_IO",
            "STET_E_NOMEM"}
# What a store or a call that never came to be answers to the rest.
CLOSED = "STET_E_INVALID"

FAILURES = [("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync", "EIO"),
            ("fsync", "EIO"), ("ftruncate", "EIO"), ("fallocate", "ENOSPC"),
            ("openat", "ENOSPC"), ("openat", "EMFILE"), ("linkat", "ENOSPC"),
            ("renameat", "ENOSPC"), ("unlinkat", "EIO"), ("pread64", "EIO"),
            ("getrandom", "EIO")]


def strace(*options, trace="/dev/null"):
    return ["strace", "-f", "-qq", "-o", trace, *options]


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
    """One life in a folder of its own, with one fault, and what follows."""

    def __init__(self, parent, options):
        self.folder = tempfile.mkdtemp(dir=parent)
        self.options = options

    def run(self):
        try:
            ledger = Ledger()
            said = run_scribe(*LIFE, under=strace(*self.options),
                              cwd=self.folder)
            handle = Handle()
            for item in said.items:
                handle.take(item)
            ledger.note(said)
            self.check_after(ledger)
        except AssertionError as error:
            raise AssertionError(
                f"{' '.join(self.options)}: {error}") from error
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def check_after(self, ledger):
        """Whatever happened: open, look, write, close, look again."""
        said = run_scribe("open store segment=65536", "tell", "verify",
                          "mixed 4 1 5", "close",
                          "open store readonly", "tell", "verify", "close",
                          cwd=self.folder)
        claim(not said.refusals and not said.naks,
              f"reopened: {said.refusals} {said.naks} {said.err}")
        first, last = said.tellings
        ledger.check(first)
        ledger.note(said)
        ledger.check_again(last)


class Handle:
    """What one process said, held to itself from item to item."""

    def __init__(self):
        self.acked = {}        # position: Event
        self.unknown = set()   # tokens, of this handle's life
        self.may_show = set()  # tokens left behind by a life before it

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


class KillAtSyscalls(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="stet-fault-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def calls(self):
        """The names of the calls of one undisturbed life, in order, and how
        many of them there are before the store is touched."""
        home = tempfile.mkdtemp(dir=self.folder)
        trace = os.path.join(home, "trace")
        said = run_scribe(*LIFE, under=strace(trace=trace), cwd=home)
        self.assertEqual((said.refusals, said.naks, said.err), ([], [], ""))
        with open(trace, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        calls = [re.match(r"(?:\d+ +)?(\w+)\(", line) for line in lines]
        calls = [(m.group(1), "store" in line)
                 for m, line in zip(calls, lines) if m]
        before = next(i for i, (_, is_ours) in enumerate(calls) if is_ours)
        return [name for name, _ in calls], before

    def run_cases(self, cases):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(Case(self.folder, options).run)
                    for options in cases]
            broken = [str(j.exception()) for j in jobs if j.exception()]
        print(f"{len(jobs)} cases, {len(broken)} broken")
        self.assertEqual(broken, [], "\n".join(broken[:20]))

    def thin(self, cases, usual, slow):
        """All of them in a long run, else some that lie evenly."""
        most = rounds(usual, len(cases), slow)
        step = max(1, -(-len(cases) // most))
        return cases[::step]

    def test_a_kill_at_any_call_loses_nothing_acknowledged(self):
        """Between any two calls on the system the process may end."""
        names, before = self.calls()
        cases = [("-e", f"inject=all:signal=KILL:when={n}")
                 for n in range(before + 1, len(names) + 1)]
        self.run_cases(self.thin(cases, 150, 20))

    def test_a_call_that_fails_once_is_answered_as_promised(self):
        """A failed write or sync: unknown, and no write until a reopen. No
        space: nothing happened. Reads go on, and the next open finds all."""
        names, before = self.calls()
        cases = []
        for name, error in FAILURES:
            first = names[:before].count(name) + 1
            cases += [("--seccomp-bpf", "-e", f"trace={name}", "-e",
                       f"inject={name}:error={error}:when={n}")
                      for n in range(first, names.count(name) + 1)]
        self.run_cases(self.thin(cases, 300, 30))


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"SKIP: {reason}")
        sys.exit(SKIPPED)
    main()
