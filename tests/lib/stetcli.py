"""The command under test, for scripts in tests/integration.

A test case has a fresh folder that is its own store's parent, and self.stet()
to run the command there. The command is $STET, else build/dev/stet.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
STET = os.path.abspath(os.environ.get(
    "STET", os.path.join(ROOT, "build", "dev", "stet")))

DONE, NO, USAGE, ENVIRONMENT, DAMAGED = range(5)
SKIPPED = 77  # of a script, by tools/run-tests

DATA = os.path.abspath(os.environ.get(
    "STET_TEST_DATA", os.path.join(ROOT, "..", "shared", "data")))
RECEIPT, ROADTRAFFIC, EXPRESS = (os.path.join(DATA, name) for name in (
    "receipt.xes.gz", "roadtraffic100.xes.gz",
    "express_package_json.jsonl.gz"))


def no_data(*paths):
    """Why tests of these real logs cannot run, or None."""
    missing = [path for path in paths if not os.path.exists(path)]
    return f"not here: {missing[0]}; see STET_TEST_DATA" if missing else None


class Answer:
    """What a run said: its exit code, and what it wrote as bytes and text."""

    def __init__(self, done):
        self.code = done.returncode
        self.raw = done.stdout
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def json(self):
        """The one object of the output."""
        [line] = self.lines
        return json.loads(line)

    @property
    def objects(self):
        """The objects of the output, one a line."""
        return [json.loads(line) for line in self.lines]

    def __str__(self):
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class StetCase(unittest.TestCase):
    """Each test runs in a folder of its own; the store is ./stet-data."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="stet-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return name

    def run_stet(self, *args, stdin=b"", env=None):
        """Run the command and give its Answer, whatever it is."""
        clean = {k: v for k, v in os.environ.items() if k != "STET_STORE"}
        clean.update(env or {})
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        return Answer(subprocess.run([STET, *args], cwd=self.folder,
                                     input=data, env=clean, timeout=60,
                                     stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE))

    def stet(self, *args, stdin=b"", env=None):
        """Run the command; it must succeed and have nothing to say."""
        answer = self.run_stet(*args, stdin=stdin, env=env)
        self.assertEqual((answer.code, answer.err), (DONE, ""),
                         f"stet {' '.join(args)}: {answer}")
        return answer

    def refused(self, code, *args, says=(), stdin=b"", env=None):
        """Run the command; it must fail as the house has it: one line that
        names the thing, one with the next step, no data."""
        answer = self.run_stet(*args, stdin=stdin, env=env)
        told = f"stet {' '.join(args)}: {answer}"
        self.assertEqual(answer.code, code, told)
        self.assertEqual(answer.out, "", told)
        lines = answer.err.splitlines()
        self.assertEqual(len(lines), 2, told)
        self.assertRegex(lines[0], r"^stet: .", told)
        self.assertRegex(lines[1], r"^try: .", told)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, answer.err, told)
        return answer


class Lines(unittest.TextTestResult):
    """A line a test, as cmocka writes them and tools/run-tests counts."""

    def say(self, verdict, test):
        name = getattr(test, "_testMethodName", "set_up")
        self.stream.writeln(f"[{verdict}] {name}")
        self.stream.flush()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say("       OK ", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("  FAILED  ", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.say("  FAILED  ", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln(reason)
        self.say("  SKIPPED ", test)


def main(why_not=None):
    """Run the script's tests; `why_not` is why none of them can be."""
    if why_not:
        print(why_not)
        sys.exit(SKIPPED)
    unittest.main(verbosity=0, testRunner=unittest.TextTestRunner(
        verbosity=0, resultclass=Lines))
