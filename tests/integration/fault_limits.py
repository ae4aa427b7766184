#!/usr/bin/env python3
"""A process that may open few files, and a clock that jumps: a command says so
or works, nothing is lost, and the order of a history is that of its seqs."""
import json
import os
import resource
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from scribe import IS_SLOW, SCRIBE, Event, Ledger, Said, claim, run_scribe
from stetcli import DONE, ENVIRONMENT, STET, Answer, StetCase, main

OPEN = "open stet-data segment=65536"
FILES_ENOUGH = 40
# What a store answers that lacks files: it writes nothing any more, or it could
# not begin to.
REFUSALS = {"STET_E_NOMEM", "STET_E_READONLY", "STET_E_UNKNOWN",
            "STET_E_INVALID"}
JUMPS = ("1970-01-02 00:00:00", "2038-02-01 00:00:00", "2001-01-01 00:00:00",
         "2100-12-31 23:59:59", "1999-12-31 23:59:59")


def recorded(event):
    """Its stamp, so that texts compare as times: with all nine digits."""
    seconds, _, fraction = event["recorded_at"].rstrip("Z").partition(".")
    return f"{seconds}.{fraction:0<9}"


class FewFiles(StetCase):
    def setUp(self):
        super().setUp()
        self.ledger = Ledger()
        self.follow(run_scribe(OPEN, "mixed 1 1 60", "close", OPEN, "compact",
                               "mixed 2 1 60", "close", cwd=self.folder))

    def follow(self, said):
        self.ledger.follow(said)
        return said

    def under(self, files, *command, **more):
        limit = (files, files)
        return subprocess.run(
            command, cwd=self.folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, preexec_fn=lambda:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit), **more)

    def check_after(self):
        """With files enough again all is there that is owed."""
        said = self.follow(run_scribe(OPEN, "tell", "verify", "close",
                                      cwd=self.folder))
        claim(not said.refusals, str(said.refusals))

    def test_a_command_says_that_it_may_open_too_few_files(self):
        """Or does what it was told: never a wrong cause, never damage."""
        for verb in (["machine", "load", "all/0"], ["machine", "list"],
                     ["machine", "history", "all/0"], ["store", "verify"],
                     ["store", "compact"],
                     ["machine", "save", "m", "--payload", "1", "--store",
                      "other"]):
            whole = None
            for files in range(FILES_ENOUGH, 3, -1):
                answer = Answer(self.under(files, STET, *verb))
                if "error while loading" in answer.err:
                    break  # too few for the program itself
                told = f"{files} files, {verb}: {answer}"
                self.assertIn(answer.code, (DONE, ENVIRONMENT), told)
                if answer.code == ENVIRONMENT:
                    self.assertIn("Too many open files", answer.err, told)
                    self.assertIn("ulimit -n", answer.err, told)
                elif verb[0] == "machine" and verb[1] != "save":
                    whole = whole or answer.out
                    self.assertEqual(answer.out, whole, told)
            self.check_after()

    def test_a_writer_with_few_files_loses_nothing(self):
        """Writers, the keeper and the settler, who all open files."""
        written = 0
        for run, files in enumerate(range(5, FILES_ENOUGH, 3), start=10):
            done = self.under(files, SCRIBE, input="".join(
                c + "\n" for c in (OPEN, f"mixed {run} 2 12", "compact",
                                   "tell", "close")).encode())
            if done.returncode != 0:  # too few for the program itself
                self.assertIn(b"error while loading", done.stderr)
                continue
            written += self.take(done.stdout.decode(), files)
            self.check_after()
        self.assertGreater(written, 0)

    def take(self, text, files):
        """Take down what was said; gives how many events were stored."""
        said = Said(text)
        for item in said.items:
            if not isinstance(item, Event) and \
                    getattr(item, "status", "STET_OK") != "STET_OK":
                claim(item.status in REFUSALS, f"{files} files: {item}")
        self.ledger.note(said)
        return len(said.of(Event))


class Clock(StetCase):
    """The wall clock jumps; the monotonic one, which waits go by, does not."""

    ENV = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "STET_SANDBOX": "off"}

    def setUp(self):
        super().setUp()
        if shutil.which("faketime") is None:
            self.skipTest("no faketime here")

    def at(self, when, *args):
        done = subprocess.run(["faketime", when, STET, *args],
                              cwd=self.folder, capture_output=True, timeout=60,
                              env=dict(os.environ, **self.ENV))
        answer = Answer(done)
        self.assertEqual((answer.code, answer.err), (DONE, ""), str(answer))
        return answer

    def check_order(self, events):
        """Recorded times rise with the seqs, whatever the clock said."""
        self.assertEqual([e["seq"] for e in events],
                         list(range(1, len(events) + 1)))
        stamps = [recorded(e) for e in events]
        self.assertEqual(stamps, sorted(set(stamps)))

    def test_a_clock_that_jumps_between_commands_reorders_nothing(self):
        """Each command is a process of its own, at another time."""
        for i, when in enumerate(JUMPS * 2):
            self.at(when, "machine", "save", "m", "--payload", str(i))
            self.at(when, "store", "verify")
            self.assertEqual(self.at(when, "machine", "load", "m").out, str(i))
        self.at(JUMPS[0], "store", "compact")
        events = [json.loads(line) for line in self.at(
            JUMPS[2], "--json", "machine", "history", "m").lines]
        self.check_order(events)
        for i, event in enumerate(events):
            for at in ([str(event["seq"])], [event["recorded_at"],
                                             "--recorded"]):
                got = self.at(JUMPS[4], "machine", "load", "m", "--at", *at)
                self.assertEqual(got.out, str(i))

    def test_a_clock_that_jumps_under_a_writer_reorders_nothing(self):
        """In one process, whose keeper and settler wait for times, too."""
        now = self.path("now")
        env = dict(os.environ, **self.ENV, LD_PRELOAD=self.library(),
                   FAKETIME_TIMESTAMP_FILE=now, FAKETIME_NO_CACHE="1")
        ledger, commands = Ledger(), []
        process = None
        for run, when in enumerate(JUMPS * 2, start=1):
            with open(now, "w", encoding="ascii") as file:
                file.write("@" + when + "\n")
            process = process or subprocess.Popen(
                [SCRIBE], cwd=self.folder, env=env, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE)
            if not commands:
                self.tell(process, OPEN)
            commands += self.tell(process, f"mixed {run} 2 20")
        commands += self.tell(process, "tell", "verify", "close")
        process.stdin.close()
        process.stdout.close()
        self.assertEqual(process.wait(), 0)
        said = Said("".join(commands))
        claim(not said.naks and not said.refusals,
              f"{said.naks} {said.refusals}")
        ledger.follow(said)
        self.check_order_of_all()

    def tell(self, process, *commands):
        """Send commands, one by one; gives the lines of the answers."""
        lines = []
        for command in commands:
            process.stdin.write(command.encode() + b"\n")
            process.stdin.flush()
            line = ""
            while not line.startswith(("ok ", "no ")):
                line = process.stdout.readline().decode()
                claim(line, f"no answer to {command}: {lines[-3:]}")
                lines.append(line)
        return lines

    def library(self):
        done = subprocess.run(["faketime", "2020-01-01 00:00:00", "sh", "-c",
                               "echo $LD_PRELOAD"], capture_output=True,
                              text=True)
        return done.stdout.strip()

    def check_order_of_all(self):
        events = [json.loads(line) for line in
                  self.stet("--json", "log", "query").lines]
        events.sort(key=lambda event: int(event["position"]))
        stamps = [recorded(event) for event in events]
        self.assertEqual(stamps, sorted(stamps))
        self.assertGreater(len(events), 100)


if __name__ == "__main__":
    main("sanitizers need files and a library order of their own"
         if IS_SLOW else None)
