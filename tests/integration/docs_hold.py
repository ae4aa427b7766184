#!/usr/bin/env python3
"""The pages say what is so: programs and command lines in them run and give
what stands beside them, and what they name is there."""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DONE, ROOT, STET, StetCase, main

TREE = pathlib.Path(ROOT)
BUILD = pathlib.Path(os.environ.get("STET_BUILD", TREE / "build" / "dev"))
PAGES = [TREE / "README.md", TREE / "CHANGELOG.md",
         *sorted((TREE / "docs").glob("*.md")),
         *sorted((TREE / "examples").rglob("*.md"))]


def page(*names):
    return TREE.joinpath(*names).read_text(encoding="utf-8")


def block(text, language):
    """The last block of that language: in the README make comes first."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)[-1]


class Programs(StetCase):
    def run_first(self):
        """The program of the README, which is the one in examples/."""
        self.assertEqual(block(page("README.md"), "c"),
                         page("examples", "first", "main.c"))
        ran = subprocess.run([BUILD.resolve() / "examples" / "first"],
                             cwd=self.folder, capture_output=True, text=True,
                             timeout=60)
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr),
                         (DONE, '{"turn":0}\n', ""))

    def take_tour(self, text):
        """Run each line by a shell; what stands behind it as JSON or as a
        number is what it prints. Gives how many lines said so."""
        compared = 0
        [store] = re.findall(r"^export STET_STORE=(\S+)$", text, re.M)
        env = dict(os.environ, STET_STORE=store,
                   PATH=f"{os.path.dirname(STET)}:{os.environ['PATH']}")
        for line in text.replace("\\\n", " ").splitlines():
            ran = subprocess.run(["sh", "-euc", line], cwd=self.folder,
                                 env=env, capture_output=True, text=True,
                                 timeout=60)
            self.assertEqual((ran.returncode, ran.stderr), (DONE, ""), line)
            wanted = line.partition("  # ")[2].strip()
            if re.match(r"[{\[\d]", wanted):
                self.assertEqual(ran.stdout.strip(), wanted, line)
                compared += 1
        return compared

    def test_the_readme_is_true(self):
        """Followed from top to bottom in one folder."""
        self.run_first()
        self.assertGreaterEqual(
            self.take_tour(block(page("README.md"), "sh")), 2)

    def test_the_tour_of_the_manual_is_true(self):
        self.assertGreaterEqual(
            self.take_tour(block(page("docs", "CLI.md"), "sh")), 4)


class Names(StetCase):
    def test_links_lead_somewhere(self):
        """Those to other pages and to files of the tree."""
        for source in PAGES:
            for link in re.findall(r"\]\(([^)#]+)", source.read_text()):
                if "://" not in link:
                    self.assertTrue((source.parent / link).exists(),
                                    f"{source}: {link}")

    def test_each_promise_links_to_its_tests(self):
        """A promise is as good as what checks it."""
        text, _, links = page("docs", "PROMISES.md").partition("\n[`")
        places = dict(re.findall(r"^\[`(\w+)`\]: (\S+)$", "[`" + links, re.M))
        for place in places.values():
            self.assertTrue((TREE / "docs" / place).exists(), place)
        sections = re.split(r"^## ", text, flags=re.M)[1:]
        self.assertRegex(sections[-1], r"\ANot promised")
        checked = set()
        for section in sections[:-1]:
            for promise in re.split(r"^- ", section, flags=re.M)[1:]:
                tests = re.search(r"\(((\[`\w+`\](,\s+)?)+)\)\s*$", promise)
                self.assertIsNotNone(tests, promise)
                checked.update(re.findall(r"\w+", tests.group(1)))
        self.assertEqual(set(re.findall(r"\[`(\w+)`\]", text)), places.keys())
        self.assertGreater(len(checked), 20)

    def test_the_house_has_the_rooms_that_are_drawn(self):
        """And no other: each folder of sources is a row of the table, each
        file that is named is there."""
        text = page("docs", "ARCHITECTURE.md")
        drawn = set(re.findall(r"^\| `((?:src|include)/[\w/]+)`", text, re.M))
        built = {str(path.parent.relative_to(TREE))
                 for path in (TREE / "src").rglob("*.c")}
        self.assertEqual(drawn, built | {"include/stet"})
        files = {path.name: str(path.relative_to(TREE))
                 for folder in ("src", "include")
                 for path in (TREE / folder).rglob("*.[ch]")}
        for name in re.findall(r"`([\w/]+\.[ch])`", text):
            self.assertTrue(
                files.get(os.path.basename(name), "").endswith(name), name)


if __name__ == "__main__":
    main()
