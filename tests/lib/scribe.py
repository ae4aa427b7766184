"""Driving tests/programs/scribe, and holding a store to what it acknowledged.

A Scribe is a running process; a Ledger is what a store owes: every event that
was acknowledged or once shown, whole batches, nothing that was refused.
"""
import collections
import os
import re
import select
import subprocess
import time

from stetcli import ROOT

BUILD = os.environ.get("STET_BUILD", os.path.join(ROOT, "build", "dev"))
SCRIBE = os.path.join(BUILD, "tests", "programs", "scribe")
PRESET = os.environ.get("STET_PRESET", "dev")
IS_LONG = "STET_LONG" in os.environ
# Ten times slower, and no place to measure time or to be exhaustive.
IS_SLOW = PRESET in ("asan", "tsan", "cov")

BATCH_FIRST, BATCH_LAST = 1 << 2, 1 << 3

Event = collections.namedtuple("Event", "id seq position hash token")
Nak = collections.namedtuple("Nak", "token status text")
# `told` is what a "tell" listed: (Event, flags) each.
Reply = collections.namedtuple("Reply", "command status text told")


def rounds(usual, thorough, slow):
    """How often, for the kind of run that this is."""
    return thorough if IS_LONG and not IS_SLOW else slow if IS_SLOW else usual


class Said:
    """What a scribe said: Events acknowledged, Naks and Replies, in order."""

    def __init__(self, text):
        self.items = []
        told = []
        lines = text.split("\n")
        lines.pop()  # of a process that was killed: half a line
        for line in lines:
            kind, rest = line.split(" ", 1)
            if kind == "has":
                *fields, flags = rest.split(" ")
                told.append((event_of(fields), int(flags)))
            elif kind == "ack":
                self.items.append(event_of(rest.split(" ")))
            elif kind == "nak":
                self.items.append(Nak(*rest.split(" ", 2)))
            elif kind == "ok":
                self.items.append(Reply(rest, "STET_OK", "", told))
                told = []
            else:
                self.items.append(Reply(*rest.split(" ", 2), told))
                told = []

    def of(self, kind):
        return [i for i in self.items if isinstance(i, kind)]

    @property
    def naks(self):
        return self.of(Nak)

    @property
    def tellings(self):
        return [r.told for r in self.of(Reply) if r.command == "tell"]

    @property
    def refusals(self):
        return [r for r in self.of(Reply) if r.status != "STET_OK"]


def event_of(fields):
    name, seq, position, digest, token = fields
    return Event(name, int(seq), int(position), digest, token)


class Scribe:
    """A process that takes commands until it is told to end, or killed."""

    def __init__(self, *under, cwd=None):
        self.process = subprocess.Popen(
            [*under, SCRIBE], cwd=cwd, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.text = b""

    def send(self, *commands):
        self.process.stdin.write(
            "".join(c + "\n" for c in commands).encode())
        self.process.stdin.flush()

    def hear(self, is_enough, timeout_s=60):
        """Read until the text satisfies; False when it ended or took long.

        The time is that of the whole: a writer who never pauses is heard no
        longer than one who falls silent.
        """
        out = self.process.stdout
        until = time.monotonic() + timeout_s
        while not is_enough(self.text):
            left = max(0, until - time.monotonic())
            ready, _, _ = select.select([out], [], [], left)
            part = os.read(out.fileno(), 1 << 16) if ready else b""
            if not part:
                return False
            self.text += part
        return True

    def hear_reply(self, command):
        """Read until the next answer to `command`, and give it."""
        seen = len(self.text)
        pattern = re.compile(rb"^(?:ok|no) " + command.encode() + rb"\b.*\n",
                             re.M)
        if not self.hear(lambda text: pattern.search(text, seen)):
            raise AssertionError(
                f"no answer to {command}: {self.text[seen:]!r} "
                f"{self.process.stderr.read()!r}")
        return self.said().of(Reply)[-1]

    def said(self):
        return Said(self.text.decode())

    def kill(self):
        """End it now; what it had said before is still heard."""
        self.process.kill()
        return self.end()

    def end(self):
        """Let it come to its end: a kill by itself, without a close."""
        self.process.stdin.close()
        self.text += self.process.stdout.read()
        talk = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()
        claim(talk == b"", talk.decode("utf-8", "replace"))
        return self.said()


def run_scribe(*commands, under=(), cwd=None):
    """Run commands to their end; gives what was said, and the process."""
    done = subprocess.run(
        [*under, SCRIBE], cwd=cwd, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=120,
        input="".join(c + "\n" for c in commands).encode())
    said = Said(done.stdout.decode())
    said.code = done.returncode
    said.err = done.stderr.decode("utf-8", "replace")
    return said


class Ledger:
    """What a store owes. Claims raise AssertionError."""

    def __init__(self):
        self.events = {}     # position: Event
        self.refused = set() # tokens said not to be stored
        self.tokens = {}     # token: positions, of batches that were shown
        self.heads = {}      # id: seq, of what was shown
        self.shown = 0       # positions up to here were compared

    def note(self, said):
        """Take down what was answered."""
        for item in said.items:
            self.note_one(item)

    def note_one(self, item):
        if isinstance(item, Event):
            known = self.events.setdefault(item.position, item)
            claim(known == item, f"{item} was {known} before")
            self.refused.discard(item.token)
        elif isinstance(item, Nak) and \
                item.status not in ("STET_E_UNKNOWN", "STET_E_TIMEOUT"):
            self.refused.add(item.token)

    def follow(self, said):
        """Take down what was answered, and compare each telling of all events
        with what was answered before it."""
        for item in said.items:
            self.note_one(item)
            if isinstance(item, Reply) and item.command == "tell":
                self.check_again(item.told)

    def check(self, telling):
        """Compare the events from position `shown` + 1 on with what is owed;
        what was shown is owed from now on."""
        batches = collections.OrderedDict()
        for event, flags in telling:
            self.check_event(event)
            batches.setdefault(event.token, []).append((event, flags))
        for token, batch in batches.items():
            self.check_batch(token, batch)
        missing = [e for p, e in self.events.items() if p > self.shown]
        claim(not missing, f"missing: {sorted(missing)[:5]}")

    def check_event(self, event):
        claim(event.position == self.shown + 1,
              f"position {self.shown + 1} is due: {event}")
        known = self.events.setdefault(event.position, event)
        claim(known == event, f"{event} was {known} before")
        claim(event.seq == self.heads.get(event.id, 0) + 1,
              f"seq {self.heads.get(event.id, 0) + 1} is due: {event}")
        claim(event.token not in self.refused,
              f"refused, and there all the same: {event}")
        self.shown = event.position
        self.heads[event.id] = event.seq

    def check_batch(self, token, batch):
        claim(token not in self.tokens, f"stored twice: {token}")
        size = int(token.split("/")[1])
        claim(len(batch) == size, f"batch {token} is not whole: {batch}")
        marks = [flags & (BATCH_FIRST | BATCH_LAST) for _, flags in batch]
        want = [0] * size
        want[0] |= BATCH_FIRST
        want[-1] |= BATCH_LAST
        claim(marks == want, f"batch {token} has marks {marks}")
        self.tokens[token] = [e.position for e, _ in batch]

    def check_again(self, telling):
        """Compare all events with what was shown and acknowledged."""
        fresh = Ledger()
        fresh.events, fresh.refused = dict(self.events), self.refused
        fresh.check(telling)


def claim(is_so, text):
    if not is_so:
        raise AssertionError(text)
