#!/usr/bin/env python3
"""Progress: drawn on a terminal for long work, and never else."""
import os
import pty
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DONE, STET, StetCase, main

CLEARED = b"\r\x1b[K"


class Progress(StetCase):
    def start(self, *words):
        """Run with a terminal for stderr; gives the process and our end."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = subprocess.Popen(
            [STET, *words], cwd=self.folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        return process, ours

    def make_machines(self, count):
        self.write("log.jsonl", "".join(
            f'{{"id":"m{n}","ts":{n},"to":"s"}}\n' for n in range(count)))
        self.stet("import", "log.jsonl")

    def rest(self, terminal):
        """All that is written until the other end is closed."""
        said = b""
        while True:
            try:
                said += os.read(terminal, 4096)
            except OSError:
                return said

    def test_long_work_is_drawn_and_taken_away(self):
        """An import whose input does not come shows its seconds, and leaves a
        clean line when it is done."""
        process, terminal = self.start("import", "-", "--format", "jsonl")
        said = b""
        while b"stdin: 1 s" not in said:
            said += os.read(terminal, 4096)
        process.stdin.write(b'{"id":"m","ts":1,"to":"s","action":"go"}\n')
        process.stdin.close()
        said += self.rest(terminal)
        self.assertTrue(said.endswith(CLEARED), said)
        self.assertIn(b"transitions  1", process.stdout.read())
        self.assertEqual(process.wait(), DONE)
        process.stdout.close()

    def test_output_that_goes_elsewhere_is_waited_for(self):
        """An export whose reader does not come shows its seconds: the data
        are in the pipe, the line is on the terminal."""
        self.make_machines(10000)
        for words in (["export"], ["log", "query"], ["machine", "list"]):
            process, terminal = self.start(*words)
            said = b""
            while words[-1].encode() + b": 1 s" not in said:
                said += os.read(terminal, 4096)
            lines = process.stdout.read().count(b"\n")
            said += self.rest(terminal)
            self.assertTrue(said.endswith(CLEARED), said)
            self.assertEqual((process.wait(), lines), (DONE, 10000))
            process.stdin.close()
            process.stdout.close()

    def test_output_on_the_same_terminal_is_not_drawn_over(self):
        """Data that come line by line say by themselves that it works."""
        self.make_machines(10000)
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = subprocess.Popen([STET, "machine", "list"],
                                   cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=theirs, stderr=theirs)
        os.close(theirs)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(1.5)  # nobody reads, so that it cannot end
        said = self.rest(ours)
        self.assertEqual((process.wait(), said.count(b"\n")), (DONE, 10000))
        self.assertNotIn(b"\x1b", said)

    def test_quick_work_is_silent(self):
        """A bar that flashes by is noise."""
        self.stet("machine", "save", "m", "--payload", "1")
        process, terminal = self.start("store", "verify")
        process.communicate(b"")
        self.assertEqual((process.returncode, self.rest(terminal)),
                         (DONE, b""))


if __name__ == "__main__":
    main()
