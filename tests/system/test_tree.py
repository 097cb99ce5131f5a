"""The tree itself: includes point one way, scripts and manual pages are clean, privileges are in the link lines."""
import glob
import os
import re
import shutil
import subprocess
import unittest

import harness
import includes

SRC = harness.SRC
BASE = "src/base"
# Rooms know base and themselves, and nothing else.
ROOMS = ("src/submission", "src/delivery", "src/control", "src/mail", "src/maps", "queue")
# From what the administrator wrote: what a session with the relay needs to be told, with which password, and how addresses
# are rewritten.
BRIDGES = {"conf": ("src/maps",), "src/nexthop": ("conf", "src/maps", "src/delivery"),
           "src/credentials": ("conf", "src/maps", "src/nexthop"), "src/rules": ("conf", "src/maps", "src/mail")}
# What these rooms share among their own files only.
PRIVATE = ("conf/internal.h", "credentials/internal.h", "maps/regexp_table.h", "maps/text_table.h")
# Programs that hold passwords and tokens; the others have none of src/credentials in them.
WITH_CREDENTIALS = {"outpostd", "outpost", "outpost-token"}
PROGRAMS = ("src/sendmail", "src/drop", "src/outpostd", "src/smtp", "src/token", "src/outpost")
# What each program may be linked with: a folder is a program, and a program is a privilege.
FORBIDDEN_LIBRARIES = {
    "sendmail": ("libsqlite3", "libgnutls", "libgsasl", "libcurl"),
    "outpost-drop": ("libsqlite3", "libgnutls", "libgsasl", "libcurl", "libidn2", "libseccomp"),
    "outpostd": ("libgnutls", "libgsasl", "libcurl"),
    "outpost-smtp": ("libsqlite3", "libcurl"),
    "outpost-token": ("libgsasl",),      # SQLite reads the JSON of token endpoints there, in memory
}
WIDTH = 120     # columns of a line, with tabs of 8
# Base names that stand in two folders for one thing seen from two sides.
TWO_SIDES = {
    "main": "every program",
    "internal": "what the files of one room share, in conf and in src/credentials",
    "options": "the command line of src/sendmail, and of src/outpost",
    "agent": "started in src/nexthop, living in src/smtp",
    "claim": "the rows in queue, the transaction in src/outpostd",
    "incoming": "its files in src/submission, who takes them in src/outpostd",
    "session": "composed in src/nexthop, held in src/smtp",
    "settle": "the rows in queue, the verdicts in src/outpostd",
}


def sources(folder):
    return sorted(glob.glob(os.path.join(SRC, folder, "**", "*.[ch]"), recursive=True))


def folder_of(include):
    """The folder an include names, or None for config.h and the system's."""
    head = include.split("/")[0]
    if head == include:
        return None
    for place in (BASE, *ROOMS, *BRIDGES, *PROGRAMS):
        if place.split("/")[-1] == head:
            return place
    return include.rsplit("/", 1)[0]


def allowed(folder):
    if folder == BASE:
        return {BASE}
    if folder in ROOMS:
        return {BASE, folder}
    if folder in BRIDGES:
        return {BASE, folder, *BRIDGES[folder]}
    return {BASE, *ROOMS, *BRIDGES, folder}


class Includes(unittest.TestCase):
    def test_one_way(self):
        wrong = []
        for folder in (BASE, *ROOMS, *BRIDGES, *PROGRAMS):
            for path in sources(folder):
                with open(path, encoding="utf-8") as f:
                    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', f.read(), re.M):
                        target = folder_of(name)
                        if target and target not in allowed(folder):
                            wrong.append("%s includes %s" % (os.path.relpath(path, SRC), name))
        self.assertEqual(wrong, [])

    def test_every_folder_is_known(self):
        found = {os.path.relpath(d, SRC) for d in glob.glob(SRC + "/src/*/")}
        self.assertEqual(found - {BASE, *ROOMS, *BRIDGES, *PROGRAMS}, set())

    def test_no_circle(self):
        """`make includes` prints the graph."""
        self.assertEqual(includes.circles(includes.graph(SRC)), [])
        self.assertEqual(includes.circles({"a": {"b": 1}, "b": {"c": 1}, "c": {"a": 1}, "d": {"a": 1}, "e": {}}), [("a", "b", "c")])

    def test_no_folder_is_large(self):
        self.assertEqual(includes.full(SRC), {})

    def test_a_name_stands_for_one_thing(self):
        """A base name is that of one module (x.c, x.h, x.def), program or script, in one folder."""
        places = {}
        paths = includes.sources(SRC, *includes.PLACES, "tests") + [os.path.relpath(p, SRC) for p in glob.glob(SRC + "/tests/*/*.py")]
        for path in paths:
            places.setdefault(os.path.basename(path).split(".")[0], set()).add(os.path.dirname(path))
        self.assertEqual({name: at for name, at in places.items() if len(at) > 1 and name not in TWO_SIDES}, {})

    def test_config_first(self):
        for folder in (BASE, *ROOMS, *BRIDGES, *PROGRAMS):
            for path in sources(folder):
                if path.endswith(".c"):
                    with open(path, encoding="utf-8") as f:
                        first = re.search(r"^\s*#\s*include\s+(\S+)", f.read(), re.M)
                    # step.h brings config.h itself
                    self.assertIn(first.group(1) if first else '"config.h"', ('"config.h"', '"base/process/step.h"'), path)

    def test_calls_that_have_no_place_here(self):
        for folder in (BASE, *ROOMS, *BRIDGES, *PROGRAMS):
            for path in sources(folder):
                with open(path, encoding="utf-8") as f:
                    text = re.sub(r"/\*.*?\*/|//[^\n]*|\"(\\.|[^\"\\])*\"", "", f.read(), flags=re.S)
                found = re.search(r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|system|popen|mktemp|tmpnam)\s*\(", text)
                self.assertIsNone(found, "%s: %s" % (path, found and found.group(0)))

    def test_private_headers(self):
        for folder in (BASE, *ROOMS, *BRIDGES, *PROGRAMS):
            for path in sources(folder):
                with open(path, encoding="utf-8") as f:
                    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', f.read(), re.M):
                        self.assertFalse(name in PRIVATE and folder_of(name) != folder, "%s includes %s" % (path, name))

    def test_width(self):
        wide = ["%s:%d" % (os.path.relpath(path, SRC), number)
                for room in ("src", "queue", "conf", "tests")
                for path in glob.glob(os.path.join(SRC, room, "**/*.[ch]"), recursive=True)
                for number, line in enumerate(open(path, encoding="utf-8"), 1)
                if len(line.rstrip("\n").expandtabs(8)) > WIDTH]
        self.assertEqual(wide, [])


class State(unittest.TestCase):
    """outpostd: each module's member of struct outpostd is written by that module alone."""

    @staticmethod
    def owners():
        """The member -> the file (without .c) in whose section of a header its type is."""
        found = {}
        with open(os.path.join(SRC, "src/outpostd/outpostd.h"), encoding="utf-8") as f:
            body = re.search(r"struct outpostd \{(.*?)\n\};", f.read(), re.S).group(1)
        members = {type_: name for type_, name in re.findall(r"\bstruct (\w+) (\w+);", body) if type_ not in ("loop", "watch")}
        for header in glob.glob(SRC + "/src/outpostd/**/*.h", recursive=True):
            with open(header, encoding="utf-8") as f:
                owner = os.path.basename(header)[:-2]
                for section, name in re.findall(r"^/\* ---- (\w+)\.c:|^struct (\w+) \{", f.read(), re.M):
                    owner = section or owner
                    if name in members:
                        found[members[name]] = owner
        return found

    def test_written_by_its_owner(self):
        owners, wrong = self.owners(), []
        self.assertGreater(len(owners), 20)
        for path in sources("src/outpostd"):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            # d->member.field = ..., ++, and pointers to a member that is not const
            for member, owner in owners.items():
                if os.path.basename(path)[:-2] == owner:
                    continue
                if re.search(r"\bd->%s(\.[\w.\[\]]+)? *([-+|&]?=[^=]|\+\+|--)|[^&]&(\w+->)?d->%s\b" % (member, member), text):
                    wrong.append("%s writes %s, which is %s.c's" % (os.path.relpath(path, SRC), member, owner))
        self.assertEqual(wrong, [])

    def test_transitions_are_those_of_the_manual(self):
        words = {"up": "UP", "probing": "PROBING", "down": "DOWN", "down, administrator": "DOWN_ADMIN"}
        with open(SRC + "/src/outpostd/relays/state.c", encoding="utf-8") as f:
            code = {state: re.findall(r"RELAY_(\w+)", row)
                    for state, row in re.findall(r"^\t\[RELAY_(\w+)\] *= \{(.*)\},$", f.read(), re.M)}
        with open(SRC + "/man/outpostd.8", encoding="utf-8") as f:
            table = re.search(r"^\.Bl -column.*?^\.El", f.read(), re.S | re.M).group(0)
        rows = [[cell.strip() for cell in row.split(" Ta ")] for row in re.findall(r"^\.It (.*)", table, re.M)[1:]]
        self.assertEqual({words[row[0]]: [words[cell] for cell in row[1:]] for row in rows}, code)


class Programs(unittest.TestCase):
    @unittest.skipUnless(shutil.which("readelf"), "readelf is not installed")
    def test_libraries(self):
        seen = 0
        for name, forbidden in FORBIDDEN_LIBRARIES.items():
            path = harness.program(name)
            if not os.path.exists(path):
                continue
            seen += 1
            text = subprocess.run(["readelf", "-d", path], stdout=subprocess.PIPE, check=True).stdout.decode()
            needed = re.findall(r"NEEDED.*\[(.*)\]", text)
            for library in forbidden:
                self.assertFalse([n for n in needed if n.startswith(library)], "%s is linked with %s" % (name, library))
        self.assertGreater(seen, 0)


    @unittest.skipUnless(shutil.which("nm"), "nm is not installed")
    def test_credentials(self):
        """Only the programs that log in, or show whether the login works, know passwords; the linker says so."""
        functions = set()
        for path in sources("src/credentials"):
            with open(path, encoding="utf-8") as f:
                functions |= set(re.findall(r"^(?!static)[a-z][^\n(;]*?(\w+)\([^;{]*\)\n\{", f.read(), re.M))
        self.assertIn("credentials_ask", functions)
        for name in ("sendmail", "outpost-drop", "outpost-smtp", *WITH_CREDENTIALS):
            path = harness.program(name)
            if os.path.exists(path):
                symbols = {line.split()[-1] for line in
                           subprocess.run(["nm", path], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()}
                if symbols:     # not stripped
                    self.assertEqual(bool(symbols & functions), name in WITH_CREDENTIALS, (name, symbols & functions))


class Scripts(unittest.TestCase):
    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck(self):
        scripts = []
        for path in [SRC + "/bootstrap", *glob.glob(SRC + "/.ci/*"), *glob.glob(SRC + "/tests/*"),
                     *glob.glob(SRC + "/tests/*/*"), *glob.glob(SRC + "/packaging/**/*", recursive=True),
                     *glob.glob(SRC + "/conf/*")]:
            if os.path.isfile(path) and os.access(path, os.R_OK):
                with open(path, "rb") as f:
                    if re.match(rb"#! ?/bin/(ba|da)?sh", f.read(20)):
                        scripts.append(path)
        self.assertGreater(len(scripts), 0)
        done = subprocess.run(["shellcheck", "--severity=warning", *scripts], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode("utf-8", "replace"))

    def test_python_compiles(self):
        for path in glob.glob(SRC + "/tests/**/*.py", recursive=True) + [SRC + "/tests/run"]:
            with open(path, encoding="utf-8") as f:
                compile(f.read(), path, "exec")


class Manuals(unittest.TestCase):
    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_lint(self):
        pages = sorted(set(glob.glob(SRC + "/man/*.[1-8]") + glob.glob(harness.BUILD + "/man/*.[1-8]")))
        if not pages:
            self.skipTest("there are no manual pages yet")
        for page in pages:
            with open(page, encoding="utf-8") as f:
                if f.read(4) == ".so ":     # another name for a page
                    continue
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.stdout.decode("utf-8", "replace"), "", page)


if __name__ == "__main__":
    harness.main()
