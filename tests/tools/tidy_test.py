#!/usr/bin/env python3
"""Each check of tools/tidy finds the violation that is put into a small tree.

A check that nothing can fail protects nothing. The tree is clean before; each
case adds one file and names the check and the words it must answer with.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

CLEAN = {
    "include/stet/thing.h": """\
/*
 * Thing: stands for the public interface.
 */
#ifndef STET_THING_H
#define STET_THING_H

#ifdef __cplusplus
extern "C" {
#endif

/* A thing; opaque. */
typedef struct stet_thing stet_thing;

/*
 * Count a thing's parts.
 *
 * Thread-safe. Since 0.1.
 */
__attribute__((visibility("default"))) int stet_parts(const stet_thing *t);

#ifdef __cplusplus
}
#endif

#endif
""",
    "src/core/part.h": """\
/*
 * Part: stands for a module.
 */
#ifndef STET_CORE_PART_H
#define STET_CORE_PART_H

#include <stdint.h>

int stet__part(uint64_t a);

#endif
""",
    "src/core/part.c": """\
#include "core/part.h"

#include <string.h>

#include <stet/thing.h>

int stet__part(uint64_t a)
{
    if (a > 1) {
        for (;;) {
            if (a == 2) {
                return 2; /* "strcpy(" is banned in code, not in comments */
            }
        }
    }
    return (int)strlen("strcpy()");
}
""",
    "tools/symbols.txt": "stet_parts\n",
    "tools/symbols-config.txt": "",
}


def header(guard, text):
    return (f"#ifndef {guard}\n#define {guard}\n\n{text}\n\n#endif\n")


def long_function(lines):
    return "int f(void)\n{\n" + "    f();\n" * (lines - 3) + "}\n"


def public(declaration):
    return header("STET_SEED_H", declaration)


# name: (check, path, content, words of the answer)
CASES = {
    "core_includes_os":
        ("layers", "src/core/x.c", '#include "os/os.h"\n',
         'src/core includes "os/os.h"'),
    "os_includes_core":
        ("layers", "src/os/x.c", '#include "core/part.h"\n',
         'src/os includes "core/part.h"'),
    "cli_includes_engine":
        ("layers", "src/cli/x.c", '#include "engine/x.h"\n',
         'src/cli includes "engine/x.h"'),
    "store_includes_another_store":
        ("layers", "src/stores/one/x.c", '#include "stores/two/x.h"\n',
         'store one includes "stores/two/x.h"'),
    "include_beside_the_file":
        ("layers", "src/core/x.c", '#include "part.h"\n', "not a path"),
    "unknown_layer":
        ("layers", "src/util/x.c", "int x;\n", "is not a layer"),
    "system_header_outside_os":
        ("layers", "src/engine/x.c", "#include <unistd.h>\n",
         "src/engine includes <unistd.h>"),
    "library_header_in_a_wrong_layer":
        ("layers", "src/base/x.c", "#include <zstd.h>\n",
         "src/base includes <zstd.h>"),
    "public_header_includes_a_system_header":
        ("layers", "include/stet/seed.h", public("#include <pthread.h>"),
         "a public header includes pthread.h"),
    "banned_everywhere":
        ("words", "tests/unit/x_test.c", "void f(void) { usleep(1); }\n",
         "usleep is banned"),
    "banned_copy":
        ("words", "src/cli/x.c", "void f(char *a) { strcpy(a, a); }\n",
         "strcpy is banned"),
    "banned_in_the_library":
        ("words", "src/engine/x.c", "void *f(void) { return malloc(1); }\n",
         "malloc is banned"),
    "talks_on_stderr":
        ("words", "src/stores/one/x.c", "void *f(void) { return stderr; }\n",
         "stderr is banned"),
    "long_function":
        ("sizes", "src/core/x.c", long_function(71), "f has 71 lines"),
    "long_file":
        ("sizes", "src/core/x.c", "int x;\n" * 1001, "1001 lines"),
    "seven_parameters":
        ("sizes", "src/core/x.c",
         "int f(int a, int b, int (*c)(int, int), int d,\n"
         "      int e, int g, int h)\n{\n}\n", "f has 7 parameters"),
    "seven_parameters_declared":
        ("sizes", "src/core/x.h",
         header("STET_CORE_X_H",
                "int f(int a, int b, int c, int d, int e, int g, int h);"),
         "f has 7 parameters"),
    "deep_nesting":
        ("sizes", "src/core/x.c",
         "void f(void)\n{\n    if (1) {\n        while (2) {\n"
         "            do {\n                if (3) {\n                }\n"
         "            } while (4);\n        }\n    }\n}\n",
         "f nests 4 deep"),
    "undocumented_function":
        ("docs", "include/stet/seed.h", public("STET_API int stet_x(void);"),
         "not documented"),
    "undocumented_type":
        ("docs", "include/stet/seed.h",
         public("typedef struct stet_x {\n    int x;\n} stet_x;"),
         "not documented"),
    "no_word_on_threads":
        ("docs", "include/stet/seed.h",
         public("/* Do it. Since 0.1. */\nSTET_API int stet_x(void);"),
         "no word on threads"),
    "no_version":
        ("docs", "include/stet/seed.h",
         public("/* Do it. Thread-safe. */\nSTET_API int stet_x(void);"),
         "no word on since"),
    "layout":
        ("layout", "src/core/x.c", "int f(void) {\n    return 0;\n}\n",
         "should be clang-formatted"),
    "wide_comment":
        ("layout", "src/core/x.c", f"/* {'x' * 75} */\n", "81 columns"),
    "blank_at_the_end":
        ("layout", "src/core/x.c", "int x; \n", "a blank at the end"),
    "promise":
        ("layout", "src/core/x.c", "/* TO" "DO: later */\n", "a promise"),
    "wrong_guard":
        ("headers", "src/core/x.h", header("STET_CORE_Y_H", "int x;"),
         "the guard is not"),
    "own_header_not_first":
        ("headers", "src/core/part.c",
         '#include <string.h>\n\n#include "core/part.h"\n',
         'the first include is not "core/part.h"'),
    "system_after_project":
        ("headers", "src/core/x.c",
         '#include <string.h>\n\n#include "core/part.h"\n\n'
         "#include <stdio.h>\n", "<stdio.h> after a project header"),
    "header_needs_another":
        ("headers", "src/core/x.h",
         header("STET_CORE_X_H", "int f(uint64_t a);"),
         "does not compile alone"),
    "public_header_is_not_cxx":
        ("headers", "include/stet/seed.h",
         public("/* A name. */\nextern int class;"),
         "does not compile alone (g++"),
    "public_header_is_not_c11":
        ("headers", "include/stet/seed.h",
         public('/* A claim. */\n_Static_assert(1);'),
         "does not compile alone (gcc -std=c11)"),
    "exported_and_not_listed":
        ("symbols", "src/core/x.c",
         '__attribute__((visibility("default"))) int stet_extra(void);\n'
         "int stet_extra(void)\n{\n    return 1;\n}\n",
         "exported and not listed: stet_extra"),
    "listed_and_not_exported":
        ("symbols", "tools/symbols.txt", "stet_parts\nstet_gone\n",
         "listed and not exported: stet_gone"),
    "takes_time_from_the_system":
        ("symbols", "src/core/x.c",
         "long time(long *);\nlong stet__x(void);\n"
         "long stet__x(void)\n{\n    return time(0);\n}\n",
         "src/core/x.c: takes time from outside"),
    "the_engine_takes_files_from_the_system":
        ("symbols", "src/engine/x.c",
         "int fsync(int);\nint stet__x(void);\n"
         "int stet__x(void)\n{\n    return fsync(0);\n}\n",
         "src/engine/x.c: takes fsync from outside"),
    "a_mutant_of_what_is_no_more":
        ("mutants", "tests/mutants/x.patch",
         "A bug.\n--- a/src/core/part.c\n+++ b/src/core/part.c\n"
         "@@ -1 +1 @@\n-a line that is gone\n+another\n",
         "does not apply"),
}


def make_tree(root):
    for path, content in CLEAN.items():
        write(root, path, content)
    write(root, "src/core/parts.c",
          "#include <stet/thing.h>\n\n"
          "int stet_parts(const stet_thing *t)\n{\n"
          "    return t == 0;\n}\n")
    for name in (".clang-format", "tools/stet.map"):
        target = os.path.join(root, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.join(ROOT, name), target)


def write(root, path, content):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def build(root):
    """Compile src as the Makefile does, for the check of symbols."""
    objects = []
    for path in glob.glob("src/*/*.c", root_dir=root):
        target = os.path.join(root, "build/obj", path[:-2] + ".o")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        subprocess.run(["gcc", "-fPIC", "-fvisibility=hidden", "-w",
                        "-Iinclude", "-Isrc", "-c", path, "-o", target],
                       cwd=root, check=True)
        objects.append(target)
    for library, made_of in (("libstet", objects),
                             ("libstet-config", ["-xc", "/dev/null"])):
        subprocess.run(["gcc", "-shared",
                        "-Wl,--version-script=tools/stet.map",
                        "-o", f"build/{library}.so.0", *made_of], cwd=root,
                       check=True)


def tidy(root, check):
    """What the check (None: all) answers: its lines, and whether it failed."""
    options = ["--only", check] if check else []
    if check in (None, "symbols"):
        build(root)
        options += ["--build", "build"]
    done = subprocess.run(
        [os.path.join(ROOT, "tools/tidy"), "--root", root, *options],
        capture_output=True, text=True)
    return done.stdout.splitlines(), done.returncode


def run_case(case):
    """The reason why a case fails, or None."""
    with tempfile.TemporaryDirectory() as root:
        make_tree(root)
        check = None
        if case:
            check, path, content, words = case
            write(root, path, content)
        lines, status = tidy(root, check)
    if case is None:
        return "\n".join(lines) if lines or status else None
    named = "tools/symbols.txt" if "export" in words else path
    if status != 1 or not any(line.startswith(named) and words in line
                              for line in lines):
        return f"wanted {named}: {words}\n" + "\n".join(lines)
    return None


def main():
    failed = 0
    for name, case in [("clean_tree", None), *CASES.items()]:
        why = run_case(case)
        if why:
            failed += 1
            print(why)
        print(f"[{'  FAILED  ' if why else '       OK '}] tidy_{name}",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
