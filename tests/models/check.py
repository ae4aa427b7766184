#!/usr/bin/env python3
"""Have spin try every order of the steps of each model beside this file.

The comment at a model's head says what is tried, with what defined:

  run NAME[=VALUE]...            no assertion may fail, nobody may wait for ever
  long NAME[=VALUE]...           the same, with STET_LONG
  mutant NAME[=VALUE]...: text   a bug planted by these names, to be found

A name on the command line narrows it to models of that name.
"""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # by tools/run-tests
HERE = os.path.dirname(os.path.abspath(__file__))
LINE = re.compile(r"^ \* (run|long|mutant) ([A-Z0-9_= ]+?)(?::.*)?$", re.M)
DEPTH_MAX = 1000000
MEMORY_MB = 4096
# What pan says when it did not look at everything.
UNDONE = ("max search depth too small", "out of memory",
          "Search not completed", "VECTORSZ")


def cases():
    for path in sorted(glob.glob(os.path.join(HERE, "*.pml"))):
        name = os.path.basename(path)[:-len(".pml")]
        with open(path, encoding="utf-8") as file:
            for kind, names in LINE.findall(file.read()):
                wanted = len(sys.argv) < 2 or name in sys.argv[1:]
                if wanted and (kind != "long" or "STET_LONG" in os.environ):
                    yield path, kind, names.split()


def call(folder, *command):
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.returncode, done.stdout


def explore(path, kind, names):
    """What pan says of the model with these names defined. A mutant is found
    before its compiler would have made it fast."""
    how = {"mutant": ["-O0"], "run": ["-O1"], "long": ["-O2", "-DCOLLAPSE"]}
    with tempfile.TemporaryDirectory(prefix="stet-model-") as folder:
        for command in (["spin", "-a", *(f"-D{n}" for n in names), path],
                        ["gcc", *how[kind], "-w", "-DSAFETY", "-DNOFAIR",
                         f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"],
                        ["./pan", f"-m{DEPTH_MAX}", "-n"]):
            code, said = call(folder, *command)
            if code != 0:
                break
        return said


def judge(path, kind, names):
    """A verdict in cmocka's words, and what was seen."""
    began = time.monotonic()
    said = explore(path, kind, names)
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"(\d+) states, stored", said)
    is_found = errors is not None and int(errors.group(1)) > 0
    is_done = errors is not None and not any(u in said for u in UNDONE)
    is_good = is_found if kind == "mutant" else is_done and not is_found
    why = re.search(r"pan:1: (.*?)(?: \(at depth|$)", said, re.M)
    name = "_".join([os.path.basename(path)[:-len(".pml")], *names])
    seen = f"{states.group(1) if states else 0} states, " \
        f"{time.monotonic() - began:.1f} s" + (f": {why.group(1)}" if why else
                                               "")
    return is_good, re.sub(r"\W", "_", name), seen if errors else said


def main():
    if shutil.which("spin") is None:
        print("no spin here")
        return SKIPPED
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(judge, *case) for case in cases()]
        for job in concurrent.futures.as_completed(jobs):
            is_good, name, seen = job.result()
            verdict = "       OK " if is_good else "  FAILED  "
            print(f"{name}: {seen}\n[{verdict}] {name}", flush=True)
            failed += not is_good
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
