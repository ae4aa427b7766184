#!/usr/bin/env python3
"""tools/run-tests counts what ran, and nothing that fails can pass unseen."""
import os
import stat
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

SUITE = """\
echo '[==========] Running 4 test(s).'
echo '[ RUN      ] test_one'
echo '[       OK ] test_one'
echo '[  FAILED  ] test_two'
echo '[  ERROR   ] test_three'
echo '[  SKIPPED ] test_four'
echo '[==========] 4 test(s) run.'
echo '[  PASSED  ] 1 test(s).'
echo '[  SKIPPED ] test_four'
echo '[  FAILED  ] test_two'
exit 2
"""

# name: (script, options, exit status, last line, words somewhere)
CASES = {
    "counts_each_test_of_a_suite":
        (SUITE, [], 1, "1 passed, 2 failed, 1 skipped", "FAILED"),
    "counts_a_script_as_one":
        ("exit 0", [], 0, "1 passed, 0 failed", "ok"),
    "a_crash_after_passing_tests_fails":
        ("echo '[       OK ] test_one'; kill -SEGV $$", [], 1,
         "1 passed, 1 failed", "signal 11"),
    "a_failing_script_shows_its_output":
        ("echo the reason; exit 1", [], 1, "0 passed, 1 failed",
         "the reason"),
    "a_skip_is_not_a_pass":
        ("echo no disk; exit 77", [], 0, "0 passed, 0 failed, 1 skipped",
         "no disk"),
    "a_hanging_test_fails":
        ("exec tail -f /dev/null", ["--limit-s", "0.2"], 1,
         "0 passed, 1 failed", "not done after 0.2 s"),
    "a_missing_interpreter_fails":
        (None, [], 1, "0 passed, 1 failed", "No such file"),
    "tells_where_the_build_is":
        ('echo "$STET_BUILD $STET $STET_PRESET"; exit 1',
         ["--build", "/some/asan"], 1, "0 passed, 1 failed",
         "/some/asan /some/asan/stet asan"),
}


def run(*arguments, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith("STET_")}
    done = subprocess.run(
        [os.path.join(ROOT, "tools/run-tests"), *arguments],
        env=dict(env, **environment), capture_output=True, text=True)
    return done.stdout, done.returncode


def run_case(script, options, status, last, words):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            shell = "/bin/sh" if script is not None else "/absent/shell"
            file.write(f"#!{shell}\n{script}\n")
        os.chmod(path, stat.S_IRWXU)
        said, got = run(*options, path)
    lines = said.splitlines()
    return got == status and lines[-1] == last and words in said, said


def a_release_refuses_skips():
    """But not what a sanitizer is in the way of."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexit 77\n")
        os.chmod(path, stat.S_IRWXU)
        said, status = run("--build", "build/dev", path, STET_RELEASE="1")
        also, passed = run("--build", "build/tsan", path, STET_RELEASE="1")
    return (status == 1 and "0 passed, 1 failed\n" in said and
            "a release refuses" in said and passed == 0), said + also


def sum_adds_up():
    """A run that fails makes the sum fail, whatever passes after it."""
    with tempfile.TemporaryDirectory() as folder:
        tally = os.path.join(folder, "tally")
        run("/bin/false", STET_TALLY=tally)
        run("/bin/true", "/bin/true", STET_TALLY=tally)
        said, status = run("--sum", tally)
    return status == 1 and said == "2 passed, 1 failed\n", said


def main():
    outcomes = {name: run_case(*case) for name, case in CASES.items()}
    outcomes["sum_adds_up"] = sum_adds_up()
    outcomes["a_release_refuses_skips"] = a_release_refuses_skips()
    for name, (is_ok, said) in outcomes.items():
        if not is_ok:
            print(said)
        print(f"[{'       OK ' if is_ok else '  FAILED  '}] run_tests_{name}")
    return 0 if all(is_ok for is_ok, _ in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
