"""The inputs of other projects' address tests, given to our parser, and the recipients compared with what those tests expect.

    make check-public-data

fetches them with apt-get into a directory below the build (source packages; Python's tests are in a package of their own),
reads the test data out of them, and prints a table and every difference. Nothing of them is kept. It needs a network and
is no part of `make check`: what differs, and why it stays, stands in VIOLATIONS.md."""
import glob
import json
import os
import re
import subprocess
import sys

BUILD = os.environ["OUTPOST_BUILD"]
PLACE = os.path.join(BUILD, "tests", "public")


def apt(*args, **kw):
    """apt-get with the machine's own Debian sources, as deb-src too, and lists of its own."""
    parts, lists = os.path.join(PLACE, "parts"), os.path.join(PLACE, "lists")
    os.makedirs(parts, exist_ok=True)
    os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
    text = []
    for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
        with open(path) as f:
            text += [re.sub(r"(?m)^Types:.*$", "Types: deb deb-src", s).strip() for s in f.read().split("\n\n")
                     if "debian" in s and "Suites:" in s]
    with open(os.path.join(parts, "public.sources"), "w") as f:
        f.write("\n\n".join(text) + "\n")
    lines = []
    for path in ["/etc/apt/sources.list"] + glob.glob("/etc/apt/sources.list.d/*.list"):
        if os.path.exists(path):
            with open(path) as f:
                lines += [line for line in f if re.match(r"deb(-src)? .*debian", line)]
    with open(os.path.join(parts, "public.list"), "w") as f:
        f.write("".join(lines + [re.sub(r"^deb ", "deb-src ", line) for line in lines]))
    argv = ["apt-get", "-qq", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=" + parts,
            "-o", "Dir::State::lists=" + lists, "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", *args]
    return subprocess.run(argv, cwd=PLACE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **kw)


def source(package):
    """The unpacked source package, or None (said on standard error)."""
    done = apt("--download-only", "--tar-only", "source", package, timeout=300)
    tars = glob.glob(os.path.join(PLACE, package + "_*.orig.tar.*"))
    if not tars:
        print("%s: can't be fetched: %s" % (package, done.stderr.decode().strip().splitlines()[-1]), file=sys.stderr)
        return None
    into = os.path.join(PLACE, package)
    os.makedirs(into, exist_ok=True)
    subprocess.run(["tar", "-x", "--strip-components=1", "-C", into, "-f", tars[0]], check=True)
    return into


# -- each gives pairs: a field's value, and the recipients that its test expects (None: that it is refused)

EMAIL_ADDRESS = r"""
use JSON::PP; local $/; my $t = <STDIN>;
my ($list) = $t =~ /^my \@list = (\(.*?^\));/ms; my @l = eval $list;
print encode_json([map { [$_->[0], [map { $_->[1] } @{$_->[1]}]] } @l]);
"""


def email_address():
    root = source("libemail-address-perl")
    if not root:
        return None
    with open(os.path.join(root, "t/tests.t"), "rb") as f:
        out = subprocess.run(["perl", "-e", EMAIL_ADDRESS], stdin=f, stdout=subprocess.PIPE, check=True).stdout
    at = "-- ATAT --"
    return [(value.replace(at, "@"), [a.replace(at, "@") for a in want]) for value, want in json.loads(out)]


def mailutils():
    root = source("mailutils")
    if not root:
        return None
    with open(os.path.join(root, "libmailutils/tests/address.at"), encoding="latin-1") as f:
        return mailutils_pairs(f.read())


def mailutils_pairs(text):
    pairs = []
    for found in re.finditer(r"^TESTADDR\(\[(.*?)\],\s*\[\w*\],\s*\[(\d)\],\s*\[(.*?)\]?\](?:,\s*\[(.*?)\])?\)$", text, re.M | re.S):
        value, _, out, problem = found.groups()
        want = re.findall(r"^\d+\. email <(.*)>:$", out, re.M)
        pairs.append((value, None if problem and "INVALID" in problem else want))
    return pairs


PYTHON = r"""
import email._header_value_parser as p, email.utils as u, json, os, sys, unittest
import test                     # of which the system has a part
test.__path__.insert(0, os.path.join(sys.argv[1], "test"))
seen, depth = [], [0]
def boxes(tokens):
    return [m.addr_spec or "" for m in tokens.all_mailboxes]
def record(module, name, give):
    real = getattr(module, name)
    def call(*args, **kw):
        depth[0] += 1
        try:
            result = real(*args, **kw)
        finally:
            depth[0] -= 1
        value = args[0] if args else None
        if depth[0] == 0 and (isinstance(value, str) or isinstance(value, list)):
            try:
                seen.append(["%s" % name, value if isinstance(value, str) else ", ".join(value), give(result)])
            except (AttributeError, TypeError):
                pass
        return result
    setattr(module, name, call)
record(p, "get_address_list", lambda r: boxes(r[0]))
record(p, "get_mailbox_list", lambda r: boxes(r[0]))
record(p, "get_group", lambda r: boxes(r[0]))
record(u, "getaddresses", lambda r: [a for n, a in r])
record(u, "parseaddr", lambda r: [r[1]])
from test.test_email import test__header_value_parser as a, test_headerregistry as b, test_email as c
suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(m) for m in (a, b, c))
unittest.TextTestRunner(stream=open("/dev/null", "w")).run(suite)
sys.stdout.write(json.dumps(seen))
"""


def python(which):
    package = "libpython%d.%d-testsuite" % sys.version_info[:2]
    if not glob.glob(os.path.join(PLACE, package + "_*.deb")):
        apt("download", package, timeout=300)
    debs = glob.glob(os.path.join(PLACE, package + "_*.deb"))
    if not debs:
        print("%s: can't be fetched" % package, file=sys.stderr)
        return None
    root = os.path.join(PLACE, "python")
    subprocess.run(["dpkg-deb", "-x", debs[0], root], check=True)
    lib = os.path.join(root, "usr/lib/python%d.%d" % sys.version_info[:2])
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PYTHON, lib], cwd=root, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        print("Python's tests did not run: " + done.stderr.decode().strip().splitlines()[-1], file=sys.stderr)
        return None
    return [(value, want) for name, value, want in json.loads(done.stdout) if name in which]


# -- ours

def ours(values):
    blob = b"".join(v.encode("utf-8", "surrogateescape") + b"\0" for v in values)
    out = subprocess.run([os.path.join(BUILD, "addresses")], input=blob, stdout=subprocess.PIPE, check=True).stdout
    lines = out.decode("utf-8", "surrogateescape").split("\n")[:-1]
    assert len(lines) == len(values)
    return [None if line.startswith("! ") else line.split("\t")[:-1] for line in lines], lines


def plain(spec):
    """How it is quoted does not count, nor the case of a domain."""
    local, at, domain = spec.rpartition("@")
    return re.sub(r'\\(.)', r"\1", local.strip('"')) + at + domain.lower() if at else spec


def alike(got, want):
    """Who finds no recipient and who refuses are of one mind: nothing is sent."""
    return [plain(s) for s in got or [] if s] == [plain(s) for s in want or [] if s not in ("", "<>")]


def compare(name, pairs):
    if pairs is None:
        print("%-40s not run" % name)
        return
    pairs = [(v, w) for i, (v, w) in enumerate(pairs) if "\0" not in v and (v, w) not in pairs[:i]]
    got, lines = ours([v for v, _ in pairs])
    same = sum(alike(g, w) for g, (_, w) in zip(got, pairs))
    print("%-40s %4d inputs %4d alike" % (name, len(pairs), same))
    for g, line, (value, want) in zip(got, lines, pairs):
        if not alike(g, want):
            print("    %r\n        theirs %s\n        ours   %s" % (value, want, line if g is None else g))


def main():
    os.makedirs(PLACE, exist_ok=True)
    apt("update", timeout=300)
    compare("Email::Address t/tests.t", email_address())
    compare("mailutils address.at", mailutils())
    compare("Python lists, groups", python(("get_address_list", "get_mailbox_list", "get_group")))
    compare("Python getaddresses, parseaddr", python(("getaddresses", "parseaddr")))


if __name__ == "__main__":
    main()
