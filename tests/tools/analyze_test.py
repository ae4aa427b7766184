#!/usr/bin/env python3
"""Each analyzer of tools/analyze finds the slip that is put into a small tree.

A finding that is listed in tools/analyze.known passes; a line there that fits
nothing, or has no reason, does not.
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

CLEAN = """\
int stet_sum(int a, int b);

int stet_sum(int a, int b)
{
    return a + b;
}
"""
USED_AFTER_FREE = """\
#include <stdlib.h>

int stet_first(void);

int stet_first(void)
{
    int *p = malloc(sizeof *p);
    if (p == NULL) {
        return 0;
    }
    *p = 1;
    free(p);
    return *p;
}
"""
PAST_THE_END = """\
int stet_last(void);

int stet_last(void)
{
    int a[2] = {1, 2};
    return a[2];
}
"""
SWAPPED_CLEARING = """\
#include <string.h>

void stet_clear(char *p, unsigned long n);

void stet_clear(char *p, unsigned long n)
{
    memset(p, (int)n, 0);
}
"""
FREED = ("src/core/x.c: use after 'free' of 'p' [CWE-N] "
         "[-Wanalyzer-use-after-free]\n")

# name: (options, source, tools/analyze.known, words of the answer)
CASES = {
    "a_clean_tree_passes": ([], CLEAN, "# Nothing.\n", None),
    "gcc_finds":
        (["--only", "gcc"], USED_AFTER_FREE, "", "use after 'free' of 'p'"),
    "cppcheck_finds":
        (["--only", "cppcheck"], PAST_THE_END, "", "[arrayIndexOutOfBounds]"),
    "clang_tidy_finds":
        (["--only", "clang-tidy"], SWAPPED_CLEARING, "",
         "[bugprone-suspicious-memset-usage]"),
    "a_listed_finding_passes":
        (["--only", "gcc"], USED_AFTER_FREE, FREED + "  A test of the list.\n", None),
    "a_listing_without_a_reason_fails":
        (["--only", "gcc"], USED_AFTER_FREE, FREED, "no reason for: src/core/x.c"),
    "a_listing_that_fits_nothing_fails":
        ([], CLEAN, FREED + "  It was so once.\n", "found no more: " + FREED),
    "what_does_not_compile_fails":
        (["--only", "gcc"], "int stet_sum(\n", "", "expected"),
    "an_analyzer_that_cannot_run_fails":
        (["--only", "gcc", "--cflags=-fno-such-thing"], CLEAN, "",
         "analyze: gcc fails"),
}


def run_case(options, source, known, words):
    """The reason why a case fails, or None."""
    with tempfile.TemporaryDirectory() as root:
        for path, content in (("src/core/x.c", source),
                              ("tools/analyze.known", known)):
            os.makedirs(os.path.dirname(os.path.join(root, path)))
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(content)
        shutil.copy(os.path.join(ROOT, ".clang-tidy"), root)
        done = subprocess.run(
            [os.path.join(ROOT, "tools/analyze"), "--root", root, *options],
            capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode != (1 if words else 0) or (words or "") not in said:
        return f"wanted: {words}\n{said}"
    return None


def main():
    failed = 0
    for name, case in CASES.items():
        why = run_case(*case)
        if why:
            failed += 1
            print(why)
        print(f"[{'  FAILED  ' if why else '       OK '}] analyze_{name}",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
