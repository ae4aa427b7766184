#!/usr/bin/env python3
"""The line behind "try: " is a step that helps: where it is a command, it is
run here, and finds the store and the machine that the error was about."""
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DONE, ENVIRONMENT, NO, STET, USAGE, StetCase, main


class Steps(StetCase):
    def step_of(self, code, *words, stdin=b""):
        """What a command that fails says to try."""
        answer = self.run_stet(*words, stdin=stdin)
        self.assertEqual(answer.code, code, answer)
        return answer.err.splitlines()[-1].removeprefix("try: ")

    def run_step(self, step):
        """Run the command that a step names; the rest is talk."""
        command = step.split(", ")[0].split("; ")[0]
        return self.stet(*shlex.split(command)[1:])

    def test_a_step_is_about_the_same_store_and_namespace(self):
        """It is copied as it stands; in another store it says not found."""
        where = ("--store", "games", "--namespace", "7")
        self.stet("machine", "step", "m", "--to", "a", *where)
        self.stet("checkpoint", "set", "here", "m", *where)
        for words, wanted in (
                (["machine", "load", "none"], "machine list"),
                (["machine", "load", "m", "--at", "9"], "machine history m"),
                (["machine", "load", "m", "--at", "@none"],
                 "checkpoint list m"),
                (["machine", "load", "none", "--at", "@here"],
                 "machine list"),
                (["machine", "fork", "m", "f", "--at", "9"],
                 "machine history m"),
                (["machine", "diff", "m", "1", "9"], "machine history m"),
                (["machine", "diff", "m", "none"], "machine list"),
                (["machine", "compare", "m", "none"], "machine list"),
                (["machine", "step", "m", "--to", "b", "--expect", "9"],
                 "machine show m"),
                (["checkpoint", "set", "x", "none"], "machine list"),
                (["checkpoint", "set", "x", "m", "--at", "9"],
                 "machine history m"),
                (["checkpoint", "show", "none", "m"], "checkpoint list m"),
                (["checkpoint", "show", "none"], "checkpoint list"),
                (["checkpoint", "restore", "none", "m"],
                 "checkpoint list m"),
                (["checkpoint", "restore", "here", "none"], "machine list"),
                (["checkpoint", "restore", "here", "m", "--expect", "9"],
                 "machine show m")):
            step = self.step_of(NO, *words, *where)
            self.assertEqual(
                step.split(",")[0],
                f"stet --store games --namespace 7 {wanted}", words)
            self.run_step(step)

    def test_a_step_quotes_what_a_shell_would_part(self):
        """Ids and folders may hold anything."""
        for name in ("it's 1", "a b", "$HOME", "*", "caf\u00e9", "-x"):
            where = ("--store", name)
            self.stet("machine", "save", "--payload", "1", *where, "--",
                      name)
            for words in (["machine", "load", "--at", "9"],
                          ["machine", "save", "--expect", "9", "--payload",
                           "2"], ["machine", "load", "--at", "@none"]):
                step = self.step_of(NO, *words, *where, "--", name)
                ran = subprocess.run(
                    ["sh", "-c", step.split(", ")[0].replace(
                        "stet", '"$0"', 1), STET], cwd=self.folder,
                    capture_output=True, text=True)
                self.assertEqual((ran.returncode, ran.stderr), (DONE, ""),
                                 step)

    def test_a_step_takes_the_store_from_where_the_error_did(self):
        """STET_STORE and the default hold for the next command too."""
        self.stet("machine", "save", "m", "--payload", "1")
        self.assertEqual(self.step_of(NO, "machine", "load", "none"),
                         "stet machine list")

    def test_a_deleted_machine_has_a_history(self):
        """It is not among those that are listed."""
        self.stet("machine", "save", "m", "--payload", "1")
        self.stet("machine", "delete", "m")
        step = self.step_of(NO, "machine", "load", "m")
        self.assertEqual(step, "stet machine history m")
        self.run_step(step)

    def test_a_point_is_not_taken_for_an_id_in_silence(self):
        """Two words to diff are two machines, though people mean a point."""
        self.stet("machine", "save", "m", "--payload", "[1]")
        self.stet("machine", "save", "m", "--payload", "[2]")
        step = self.step_of(NO, "machine", "diff", "m", "1")
        self.assertEqual(step, "stet machine diff m 1 newest")
        self.run_step(step)

    def test_a_missing_parent_is_made(self):
        """A first write makes a store, not the folders above it."""
        words = ["machine", "save", "m", "--payload", "1", "--store",
                 "stet:no/such/store"]
        step = self.step_of(NO, *words)
        self.assertEqual(step, "mkdir -p no/such/store, then again")
        os.makedirs(self.path("no", "such", "store"))
        self.stet(*words)

    def test_a_memory_store_is_not_offered_for_reading(self):
        """It is new in each run: no write before can help."""
        self.assertEqual(
            self.step_of(NO, "machine", "list", "--store", "memory:"),
            "--store DIR; what is in memory ends with its command")

    def test_an_input_that_cannot_be_read_is_not_the_stores_fault(self):
        """A folder opens like a file and fails at the first read."""
        os.mkdir(self.path("d.csv"))
        for words in (["import", "d.csv"], ["import", "none.csv"],
                      ["machine", "save", "m", "d.csv"],
                      ["machine", "update", "m", "@none"]):
            self.assertEqual(self.step_of(ENVIRONMENT, *words),
                             "a file that can be read, or - for stdin")
        self.assertEqual(os.listdir(self.folder), ["d.csv"])

    def test_a_number_out_of_range_is_told_its_range(self):
        """254 is no accident that could be guessed."""
        for number in ("255", "-1", "x", str(1 << 64)):
            answer = self.refused(USAGE, "machine", "list", "--namespace",
                                  number)
            self.assertIn(f"--namespace {number}: not a number from 0 to 254",
                          answer.err)

    def test_doctors_step_is_about_its_store(self):
        """The line that it ends with is copied as well."""
        self.stet("machine", "save", "m", "--payload", "1", "--store", "g")
        [line] = [line for line in self.stet("doctor", "--store", "g").lines
                  if line.startswith("to check it")]
        self.assertEqual(
            self.run_step(line.removeprefix("to check it").strip()).code,
            DONE)


if __name__ == "__main__":
    main()
