"""The fixture of tests of outpost-drop under set-id rights.

The program is built once more here with a queue directory of this test's own and installed 6711 for a uid that
nobody has. "outpostd" is a script that writes down in what state it was started."""
import os
import shutil
import struct
import subprocess

import harness
from harness import BUILD, SRC, wait_for

OWNER, CALLER = 61234, 61235    # uids (and gids) that nobody has
LETTER = b"Subject: x\n\nhello\n"
NOBODY_STARTED = "it goes with the next queue run"

REPORT = r"""#!/usr/bin/python3 -IS
import os, sys, resource
out = os.environ.get("X") or "%s"
def ids(): return "%%s %%s" %% (os.getresuid(), os.getresgid())
fds = []
for fd in range(1024):
    try: os.fstat(fd)
    except OSError: continue
    fds.append(fd)
import ctypes           # which opens a file of libffi's, from Debian 14 on
text = "\n".join(["args " + " ".join(sys.argv[1:]), "env " + ",".join(sorted(os.environ)), "cwd " + os.getcwd(),
                  "ids " + ids(), "groups " + str(os.getgroups()), "fds " + str(fds), "leader " + str(os.getsid(0) == os.getpid()),
                  "level %%d %%d %%s" %% (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0),
                                       os.popen("ionice -p %%d" %% os.getpid()).read().strip()),
                  "slack %%d" %% ctypes.CDLL(None).prctl(30), "oom " + open("/proc/self/oom_score_adj").read().strip(),
                  "cpus %%d" %% len(os.sched_getaffinity(0)), "personality " + open("/proc/self/personality").read().strip(),
                  "soft " + " ".join(str(resource.getrlimit(w)[0]) for w in (0, 3, 6, 7))]) + "\n"
fd = os.open(out + ".new", os.O_CREAT | os.O_WRONLY, 0o644)
os.write(fd, text.encode())
os.rename(out + ".new", out)
"""


def record(kind, payload=b""):
    return kind.encode() + struct.pack(">I", len(payload)) + payload


def submission(body=LETTER, sender=b"s@example.com", recipients=(b"r@example.com",), extra=b"", token=None, end=b"",
               head=None, announced=None):
    head = head if head is not None else body.find(b"\n\n") + 2
    out = b"OUTPOST1" + record("K", token or os.urandom(16)) + record("S", sender)
    out += b"".join(record("R", r) for r in recipients)
    out += record("B", b"7") + record("X", struct.pack(">I", head)) + extra
    out += b"".join(record("M", body[i:i + 65536]) for i in range(0, len(body), 65536))
    return out + record("Z", struct.pack(">Q", len(body) if announced is None else announced)) + end


def make_variables():
    """CC and flags of this build."""
    wanted = {}
    with open(os.path.join(BUILD, "Makefile")) as f:
        for line in f:
            name, sep, value = line.partition(" = ")
            if sep and name in ("CC", "CFLAGS", "HARDEN_CFLAGS", "HARDEN_LDFLAGS"):
                wanted[name] = value.split()
    return wanted


class DropCase(harness.SystemTest):
    needs = ("outpost-drop",)
    built = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if os.geteuid() != 0:
            return
        cls.place = subprocess.run(["mktemp", "-d", "/tmp/outpost-drop-XXXXXX"], check=True,
                                   stdout=subprocess.PIPE, text=True).stdout.strip()
        os.chmod(cls.place, 0o755)
        cls.spool, cls.rundir = cls.place + "/spool", cls.place + "/run"
        cls.report = cls.place + "/report/once"
        for path in (cls.rundir, cls.place + "/sbin", cls.place + "/report", cls.place + "/other"):
            os.mkdir(path)
        os.chmod(cls.place + "/report", 0o1777)
        cls.build(cls.place + "/outpost-drop")
        shutil.copy(cls.place + "/outpost-drop", cls.place + "/plain")
        os.chown(cls.place + "/outpost-drop", OWNER, OWNER)
        os.chmod(cls.place + "/outpost-drop", 0o6711)
        with open(cls.place + "/sbin/outpostd", "w") as f:
            f.write(REPORT % cls.report)
        os.chmod(cls.place + "/sbin/outpostd", 0o755)
        cls.built = cls.place + "/outpost-drop"

    @classmethod
    def build(cls, target):
        cls.compile(target, "src/drop", sorted(n for n in os.listdir(os.path.join(SRC, "src/drop")) if n.endswith(".c")),
                    ("submission", "base"))

    @classmethod
    def compile(cls, target, folder, names, libraries):
        v = make_variables()
        defines = {"QUEUEDIR": cls.spool, "RUNDIR": cls.rundir, "SBINDIR": cls.place + "/sbin",
                   "HELPERDIR": cls.place, "SYSCONFDIR": cls.place + "/etc", "OWNER": "nobody"}
        sources = [os.path.join(SRC, folder, n) for n in names]
        subprocess.run(v["CC"] + v["HARDEN_CFLAGS"] + v.get("CFLAGS", []) + ["-DHAVE_CONFIG_H"] +
                       ['-D%s="%s"' % kv for kv in defines.items()] +
                       ["-I" + BUILD, "-I" + SRC, "-I" + os.path.join(SRC, "src"), "-o", target] + sources +
                       [os.path.join(BUILD, "lib%s.a" % name) for name in libraries] +
                       v["HARDEN_LDFLAGS"], check=True)

    @classmethod
    def tearDownClass(cls):
        if cls.built:
            shutil.rmtree(cls.place, ignore_errors=True)
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("set-id programs can only be installed by root")
        if harness.ASAN:
            self.skipTest("a sanitizer's run-time does not bear set-id rights and low limits")
        # Whoever runs the tests under nice(1) is no part of them.
        self.addCleanup(os.setpriority, os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        shutil.rmtree(self.spool, ignore_errors=True)
        os.mkdir(self.spool, 0o700)
        os.chown(self.spool, OWNER, OWNER)
        for path in (self.rundir + "/managed", self.report):
            if os.path.exists(path):
                os.unlink(path)

    # -- helpers

    def spawn(self, *args, prog=None, uid=CALLER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=None, groups=(), **popen):
        return subprocess.Popen([prog or self.built, *args], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                                env=self.environ(env), user=uid, group=uid, extra_groups=groups, **popen)

    def drop(self, data=None, *args, code=0, **options):
        p = self.spawn(*args, **options)
        out, err = p.communicate(submission() if data is None else data, timeout=60 * harness.PATIENCE)
        p.text = out.decode() if out is not None else ""
        if code is not None:
            self.assertEqual(p.returncode, code, (out, err))
            if out:
                self.assertEqual(int(p.text.split()[0]), code)
        return p

    def files(self, where=None):
        try:
            return sorted(os.listdir((where or self.spool) + "/incoming"))
        except FileNotFoundError:
            return []

    def only_file(self, where=None):
        names = self.files(where)
        self.assertEqual(len(names), 1, names)
        self.assertRegex(names[0], r"^[A-Z2-9]{24}\.msg$")
        return (where or self.spool) + "/incoming/" + names[0]

    def content(self):
        with open(self.only_file(), "rb") as f:
            return f.read()

    def once(self):
        """What the one-shot flusher found, as a dictionary."""
        wait_for("the one-shot flusher", lambda: os.path.exists(self.report))
        with open(self.report) as f:
            return dict(line.rstrip("\n").split(" ", 1) for line in f)
