"""harness.py: whole programs, run as a person would run them, each test in a world of its own.

A test is a method of a subclass of SystemTest. It gets a fresh directory (self.tmp) with a configuration
directory in it (self.conf, for -C), and helpers that start the test relay and outpostd, submit, list, and
wait. Nothing waits for a length of time where there is an event to wait for, and every wait has an end.
When the test is over all that it started is stopped, by pid; a process or temporary file that is left
over, and any report of a sanitizer, fails the test. What the programs logged is printed on failure.

    class Main(harness.SystemTest):
        def test_one(self):
            relay = self.start_relay()
            self.configure(relay)                   # main.cf, sasl_passwd, ca.pem in self.conf
            self.start_outpostd()
            self.sendmail("you@example.com", input=b"Subject: hi\\n\\nhello\\n")
            message, = relay.wait_messages(1)
            self.assertEqual(message.recipients, ["you@example.com"])
            self.wait_log(r"status=sent")

    if __name__ == "__main__":
        harness.main()

Environment: OUTPOST_BUILD the build directory, OUTPOST_SRC the source tree (both found from the place of
this file and the working directory when not set), OUTPOST_KEEP=1 keeps the directories of failed tests.
"""
import atexit
import ctypes
import email
import email.policy
import errno
import functools
import glob
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import unittest

SRC = os.path.abspath(os.environ.get("OUTPOST_SRC") or
                      os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.abspath(os.environ.get("OUTPOST_BUILD") or
                        (os.getcwd() if os.path.exists("config.status") else os.path.join(SRC, "build")))

USER = "user@example.com"
PASSWORD = "correct horse battery staple"


def _config(name):
    try:
        with open(os.path.join(BUILD, "config.h")) as f:
            return re.search(r"^#define %s 1$" % name, f.read(), re.M) is not None
    except OSError:
        return False


ASAN = _config("BUILT_WITH_ASAN")
FAULT = _config("ENABLE_FAULT")
OAUTH2 = _config("ENABLE_OAUTH2")
SLOW = 4 if ASAN else 1         # sanitizers cost time
PATIENCE = 5 * SLOW             # what ends with an event may take so much longer than on a quiet machine; see wait_for


def _open_to_all(path):
    """Whether another user gets as far as this directory: a checkout below /root is none of theirs."""
    while path != "/":
        if not os.stat(path).st_mode & 0o001:
            return False
        path = os.path.dirname(path)
    return True


@functools.lru_cache(maxsize=None)
def _programs(build):
    """Where a build's programs are run from: there, or in a copy where tests that become somebody else can reach them."""
    if os.geteuid() != 0 or not os.path.isdir(build) or _open_to_all(build):
        return build
    place = tempfile.mkdtemp(prefix="outpost-programs-", dir="/tmp")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    write_down(place)
    os.chmod(place, 0o755)
    for entry in os.scandir(build):
        if entry.is_file(follow_symlinks=False) and os.access(entry.path, os.X_OK) and "." not in entry.name:
            shutil.copy(entry.path, place)
    return place


def write_down(path):
    """For tests/run, which removes it when we are killed."""
    if os.environ.get("OUTPOST_TEST_DIRS"):
        with open(os.environ["OUTPOST_TEST_DIRS"], "a") as f:
            f.write(path + "\n")


def program(name):
    return os.path.join(_programs(BUILD), name)


# ---- waiting

class Timeout(AssertionError):
    pass


def wait_for(what, predicate, timeout=20.0):
    """Calls predicate until it returns something true and returns that; Timeout after so many seconds of a machine that
    has nothing else to do: another may take PATIENCE times as long."""
    end = time.monotonic() + timeout * PATIENCE
    pause = 0.002
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout("waited %g s in vain for %s" % (timeout * PATIENCE, what))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def progress():
    """For a test of many cases: tests/run stops a file that has printed nothing for long."""
    print(".", end="", file=sys.stderr, flush=True)


_held = []


def free_port():
    """A TCP port of loopback that refuses connections, and that nobody gets by chance while this process lives: it is held here,
    on both loopbacks, without listening. A server that is told the number and sets SO_REUSEADDR can have it all the same."""
    while True:
        port, pair = 0, []
        try:
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                s = socket.socket(family)
                pair.append(s)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, port))
                port = s.getsockname()[1]
        except OSError as e:
            if port and e.errno == errno.EADDRINUSE:        # somebody's on the other loopback
                continue
            if not port:
                raise
        _held.append(pair)      # without ::1 the first one alone
        return port


# ---- processes

def _subreaper():
    """Orphans of what we start become our children, so that none escapes the count at the end."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def children(pid=None):
    """Pids of the living children of pid (zombies are reaped, when ours, and not counted)."""
    mine = pid is None
    pid = pid or os.getpid()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(fields[1]) != pid:
            continue
        if fields[0] == "Z":
            continue
        found.append(int(entry))
    return found if not mine else [p for p in found if p != os.getpid()]


def descendants(pid=None):
    found = []
    for child in children(pid):
        found.append(child)
        found.extend(descendants(child))
    return found


def command_of(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().replace(b"\0", b" ").decode("utf-8", "replace").strip() or "?"
    except OSError:
        return "?"


def open_files(pid):
    """What its descriptors are, as /proc has it; one that it closes meanwhile may be missing."""
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            found.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except OSError:
            pass
    return found


def _reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except OSError:
        pass


class Service:
    """A program that runs until it is stopped; its output goes to a file."""

    def __init__(self, test, argv, log, env=None, **popen):
        self.test, self.argv, self.log = test, argv, log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env=test.environ(env), start_new_session=True, **popen)
        self.pid = self.process.pid
        self.wanted = None      # set once an exit is expected

    def alive(self):
        return self.process.poll() is None

    def output(self):
        with open(self.log, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def wait(self, timeout=30.0):
        """Its exit status once it has ended by itself."""
        try:
            return self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Timeout("%s did not end" % " ".join(self.argv)) from None

    def signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def kill(self):
        """kill -9, and gone when this returns."""
        if self.alive():
            self.process.kill()
        return self.process.wait()

    def stop(self, timeout=30.0):
        """SIGTERM, then SIGKILL at the deadline (which is a failure). Returns the exit status."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(timeout * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Timeout("%s did not end on SIGTERM" % " ".join(self.argv)) from None
        return self.process.returncode


# ---- certificates: one throwaway CA per build directory

def certificates():
    """Directory with ca.pem, server.pem, server.key (names relay.test, localhost, 127.0.0.1, ::1)."""
    place = os.path.join(BUILD, "tests", "certificates")
    if os.path.exists(os.path.join(place, "server.pem")):
        return place
    os.makedirs(os.path.dirname(place), exist_ok=True)
    new = tempfile.mkdtemp(prefix="certificates.", dir=os.path.dirname(place))
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=new, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650",
            "-subj", "/CN=outpost throwaway CA", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=relay.test")
    with open(os.path.join(new, "ext"), "w") as f:
        f.write("subjectAltName=DNS:relay.test,DNS:localhost,IP:127.0.0.1,IP:::1\n"
                "extendedKeyUsage=serverAuth\nkeyUsage=digitalSignature,keyEncipherment\n"
                "basicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "3650", "-extfile", "ext", "-out", "server.pem")
    os.chmod(new, 0o755)
    try:
        os.rename(new, place)
    except OSError as e:        # another worker was quicker
        if e.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        shutil.rmtree(new)
    return place


# ---- the relay

class Message:
    """One message as the relay took it: sender and recipients (addresses), data (bytes as they came, dots
    unstuffed; LF line ends in .data, the wire's own in .wire), and envelope: all that the relay wrote down."""

    def __init__(self, path):
        self.path = path
        with open(path[:-4] + ".env", encoding="utf-8", errors="surrogateescape") as f:
            self.envelope = json.load(f)
        with open(path, "rb") as f:
            self.wire = f.read()
        self.data = self.wire.replace(b"\r\n", b"\n")
        self.sender = _address(self.envelope["sender"])
        self.recipients = [_address(r) for r in self.envelope["recipients"]]

    @property
    def parsed(self):
        return email.message_from_bytes(self.data, policy=email.policy.default)

    def header(self, name):
        return self.parsed[name]

    @property
    def body(self):
        return self.data.partition(b"\n\n")[2]


def _address(entry):
    return entry.get("address") if isinstance(entry, dict) else entry


class Relay(Service):
    """tests/relay. What it listens on is in .starttls and .tls (port numbers). flags are its own options;
    --dialogue text is made by dialogue="...". user=None: nobody can log in. counters() asks it for its counts. back=True: it
    will go and another come back at .starttls, which nobody gets meanwhile."""

    def __init__(self, test, *flags, user=USER, password=PASSWORD, cert=None, key=None, dialogue=None, name="relay", back=False,
                 **popen):
        place = certificates()
        self.dump = os.path.join(test.tmp, name + ".dump")
        self.ports_file = os.path.join(test.tmp, name + ".ports")
        self.stats = os.path.join(test.tmp, name + ".stats")
        self.commands = os.path.join(test.tmp, name + ".commands.log")
        os.makedirs(self.dump, exist_ok=True)
        for path in (self.ports_file, self.stats):
            if os.path.exists(path):
                os.unlink(path)
        argv = [program("relay"), "--cert", cert or os.path.join(place, "server.pem"),
                "--key", key or os.path.join(place, "server.key"), "--ports", self.ports_file,
                "--dump", self.dump, "--stats", self.stats, "--log", self.commands]
        if user is not None:
            argv += ["--user", "%s:%s" % (user, password)]
        if dialogue is not None:
            path = os.path.join(test.tmp, name + ".dialogue")
            with open(path, "w") as f:
                f.write(dialogue)
            argv += ["--dialogue", path]
        if back:
            argv += ["--port587", str(free_port())]
        super().__init__(test, argv + list(flags), os.path.join(test.tmp, name + ".log"), **popen)
        wait_for("the relay's ports", lambda: self._ports() or not self.alive())
        if not self.alive():
            raise AssertionError("the relay ended at once: " + self.output())

    def _ports(self):
        try:
            with open(self.ports_file) as f:
                text = f.read()
        except FileNotFoundError:
            return False
        if not text.endswith("\n"):
            return False
        self.ports = {k: int(v) for k, v in (line.split() for line in text.splitlines()) if v.isdigit()}
        self.starttls, self.tls = self.ports.get("port587"), self.ports.get("port465")
        return True

    def _names(self):
        found = [n for n in os.listdir(self.dump) if n.endswith(".env") and not n.startswith(".")]
        return sorted(found, key=lambda n: int(n[:-4]))

    def messages(self):
        """All messages it took so far, oldest first."""
        return [Message(os.path.join(self.dump, n[:-4] + ".eml")) for n in self._names()]

    def count(self):
        return len(self._names())

    def counters(self):
        """Its counters, as a dictionary."""
        if os.path.exists(self.stats):
            os.unlink(self.stats)
        self.signal(signal.SIGUSR1)

        def read():
            try:
                with open(self.stats) as f:
                    return json.loads(f.read().strip().splitlines()[-1])
            except (OSError, ValueError, IndexError):
                return None
        return wait_for("the relay's counters", read)

    def wait_messages(self, n, timeout=15.0):
        """Waits until it has taken n messages; more than n is a failure too."""
        try:
            wait_for("%d messages at the relay" % n, lambda: self.count() >= n, timeout)
        except Timeout as e:
            raise Timeout("%s (there are %d)" % (e, self.count())) from None
        found = self.messages()
        self.test.assertEqual(len(found), n, "messages at the relay")
        return found


def read_terminal(master, answer=b"", prompt=b"] "):
    """All that was written to a pseudo-terminal whose other side belongs to a program, until that ends; closes it. The answer is typed
    when the prompt has come: what is typed before is echoed at any time."""
    out = b""
    while True:
        if answer and out.endswith(prompt):
            os.write(master, answer)
            answer = b""
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(master)
    return out


# ---- the test case

class SystemTest(unittest.TestCase):
    maxDiff = 4000
    needs = ()                  # programs of ours without which the tests of this class can't run
    may_leave_processes = False # a test whose point is a flusher in the background sets this itself
    leaving = 30                # seconds for one that is on its way out

    def run(self, result=None):
        result = result or self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        super().run(result)
        tmp = self.__dict__.get("tmp")
        if tmp and os.path.isdir(tmp):
            bad = len(result.failures) + len(result.errors) > before
            if bad:
                self._print_logs()
            if not (bad and os.environ.get("OUTPOST_KEEP")):
                shutil.rmtree(tmp, ignore_errors=True)
        return result

    def setUp(self):
        _subreaper()
        for name in self.needs:
            self.assertTrue(os.path.exists(program(name)), "%s is not built" % name)
        self.tmp = tempfile.mkdtemp(prefix="outpost-test-")
        write_down(self.tmp)
        os.chmod(self.tmp, 0o755)
        self.conf = os.path.join(self.tmp, "conf")
        self.queue_dir = os.path.join(self.tmp, "queue")
        self.log = os.path.join(self.tmp, "log")
        self.scratch = os.path.join(self.tmp, "tmpdir")
        self.asan = os.path.join(self.tmp, "asan")
        for path in (self.conf, self.asan):
            os.mkdir(path, 0o755)
        os.mkdir(self.scratch)
        os.chmod(self.scratch, 0o1777)
        os.chmod(self.asan, 0o1777)
        self.services = []
        self.outpostd_service = None
        self._log_mark = 0
        self.addCleanup(self._leftovers)
        self.addCleanup(self._stop_all)

    # -- environment and configuration

    def environ(self, more=None):
        """The environment of every program started: small, and the same on every machine."""
        env = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "HOME": self.tmp, "LC_ALL": "C",
               "TZ": "UTC", "TMPDIR": self.scratch,
               "ASAN_OPTIONS": "log_path=%s/asan:exitcode=99:abort_on_error=0" % self.asan,
               "UBSAN_OPTIONS": "log_path=%s/ubsan:print_stacktrace=1" % self.asan,
               "LSAN_OPTIONS": "exitcode=99"}
        for name, value in (more or {}).items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return env

    def configure(self, relay=None, tls=False, conf=None, user=USER, password=PASSWORD, raw="", **params):
        """Writes main.cf, sasl_passwd and ca.pem for a relay: 587-like STARTTLS, or implicit TLS with tls=True.
        params replace or add lines of main.cf (None leaves one out); raw is appended as it is."""
        conf = conf or self.conf
        shutil.copyfile(os.path.join(certificates(), "ca.pem"), os.path.join(conf, "ca.pem"))
        lines = {"queue_directory": self.queue_dir, "maillog_file": self.log, "myhostname": "client.example.com",
                 "myorigin": "example.com", "alias_maps": "", "smtp_tls_CAfile": os.path.join(conf, "ca.pem"),
                 "smtp_sasl_auth_enable": "yes", "smtp_sasl_security_options": "noanonymous",
                 "smtp_sasl_password_maps": "hash:" + os.path.join(conf, "sasl_passwd"),
                 "smtp_tls_loglevel": "1"}
        if relay is not None:
            port = relay.tls if tls else relay.starttls
            lines["relayhost"] = "[localhost]:%d" % port
            if tls:
                lines["smtp_tls_wrappermode"] = "yes"
        lines.update(params)
        text = "".join("%s = %s\n" % kv for kv in lines.items() if kv[1] is not None) + raw
        if not lines.get("relayhost"):
            self.replace("main.cf", text, conf)
            return
        # An outpostd may look between any two of these steps, and is never to see a relay without its password.
        where = lines["relayhost"].split(",")[0]
        entry = "%s %s:%s\n" % (where, user, password)
        old = self.entry_in_use(conf)
        if old and not old.startswith(where + " "):
            self.write_secret("sasl_passwd", entry + old, conf)
            self.replace("main.cf", text, conf)
            self.write_secret("sasl_passwd", entry, conf)
        else:
            self.write_secret("sasl_passwd", entry, conf)
            self.replace("main.cf", text, conf)

    @staticmethod
    def entry_in_use(conf):
        """The first one of the password map, or nothing."""
        try:
            with open(os.path.join(conf, "sasl_passwd"), encoding="utf-8", errors="surrogateescape") as f:
                return f.readline()
        except OSError:
            return ""

    @staticmethod
    def replace(name, text, conf, mode=None):
        """Writes a file of the configuration, whole at any moment. It stays whose it was."""
        path = os.path.realpath(os.path.join(conf, name))
        fresh = path + ".new"
        with open(fresh, "w", encoding="utf-8", errors="surrogateescape") as f:
            if os.path.exists(path):
                was = os.stat(path)
                os.fchown(f.fileno(), was.st_uid, was.st_gid)
                os.fchmod(f.fileno(), stat.S_IMODE(was.st_mode))
            if mode is not None:
                os.fchmod(f.fileno(), mode)
            f.write(text)
        os.rename(fresh, path)

    def write_secret(self, name, text, conf=None):
        path = os.path.join(conf or self.conf, name)
        self.replace(name, text, conf or self.conf, 0o600)
        return path

    # -- programs

    def start(self, *argv, log=None, env=None, **popen):
        """Any program as a service that ends with the test."""
        service = Service(self, list(argv), log or os.path.join(self.tmp, os.path.basename(argv[0]) + ".log"),
                          env, **popen)
        self.services.append(service)
        return service

    def start_relay(self, *flags, **options):
        relay = Relay(self, *flags, **options)
        self.services.append(relay)
        return relay

    def start_outpostd(self, *flags, conf=None, env=None, wait=True):
        """outpostd -C DIR -f. Returns when its door answers (wait=False: at once)."""
        service = self.start(program("outpostd"), "-C", conf or self.conf, "-f", *flags,
                             log=os.path.join(self.tmp, "outpostd.log"), env=env)
        self.outpostd_service = service
        if wait:
            wait_for("outpostd's door", lambda: self.door_answers() or not service.alive())
            if not service.alive():
                raise AssertionError("outpostd ended at once: %s\n%s" % (service.output(), self.log_text()))
        return service

    def door_answers(self, path=None):
        """Whether somebody listens at the door (long paths are reached through a descriptor)."""
        path = path or os.path.join(self.queue_dir, "door")
        try:
            fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect("/proc/self/fd/%d/%s" % (fd, os.path.basename(path)))
                return True
        except OSError:
            return False
        finally:
            os.close(fd)

    def run_program(self, name, *args, input=b"", code=0, timeout=30.0, env=None, **popen):
        """Runs a program of ours to its end. code: the exit status wanted, None for any."""
        if isinstance(input, str):
            input = input.encode()
        argv = [program(name), *args]
        if input is None:
            popen.setdefault("stdin", subprocess.DEVNULL)
        try:
            done = subprocess.run(argv, input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=self.environ(env), timeout=timeout * PATIENCE, **popen)
        except subprocess.TimeoutExpired as e:
            raise Timeout("%s took over %g s; stdout %r, stderr %r" %
                          (" ".join(argv), timeout * PATIENCE, e.stdout, e.stderr)) from None
        done.out = done.stdout.decode("utf-8", "replace")
        done.err = done.stderr.decode("utf-8", "replace")
        if code is not None:
            self.assertEqual(done.returncode, code, "exit status of %s\nstdout: %s\nstderr: %s" %
                             (" ".join(argv), done.out, done.err))
        return done

    def sendmail(self, *args, input=b"Subject: test\n\nhello\n", **options):
        return self.run_program("sendmail", "-C", self.conf, *args, input=input, **options)

    def mailq(self, *args, **options):
        """sendmail under its name mailq, which is a link once it is installed."""
        options.setdefault("input", None)
        return self.run_program("mailq", "-C", self.conf, *args, executable=program("sendmail"), **options)

    def outpost(self, *args, **options):
        """outpost -C DIR ARGS..."""
        return self.run_program("outpost", "-C", self.conf, *args, input=options.pop("input", None), **options)

    def queue(self):
        """The queue as mailq -j tells it: a list of dictionaries."""
        return [json.loads(line) for line in self.mailq("-j").out.splitlines() if line.strip()]

    def rows(self, sql):
        """Straight from the database, as nobody else tells what is stored."""
        base = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.queue_dir, "queue.db"), uri=True, timeout=10)
        try:
            return base.execute(sql).fetchall()
        finally:
            base.close()

    # -- waiting

    def log_text(self):
        try:
            with open(self.log, "rb") as f:
                return f.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def log_lines(self, pattern="", flags=0):
        """Lines of the mail log that hold this regular expression."""
        found = re.compile(pattern, flags)
        return [line for line in self.log_text().splitlines() if found.search(line)]

    def wait_log(self, pattern, count=1, timeout=30.0):
        """Waits until count lines of the log match; returns the match objects."""
        found = re.compile(pattern)

        def enough():
            hits = [m for m in map(found.search, self.log_text().splitlines()) if m]
            return hits if len(hits) >= count else None
        return wait_for("%d log line(s) with %r" % (count, pattern), enough, timeout)

    def assert_twice_is_announced(self, relay):
        """What the relay took twice, the log had warned of, and each subject has one queue id, which stands in our Received:
        line: no submission became two messages. Returns how many came too often."""
        arrived, ids = {}, {}
        for message in relay.messages():
            found = re.search(r"\bid ([0-9A-Z]{6,})\b", message.header("Received") or "")
            self.assertTrue(found or not message.sender, message.path)
            if found:
                arrived.setdefault((found.group(1), tuple(message.recipients)), []).append(message)
                self.assertEqual(ids.setdefault(message.header("Subject"), found.group(1)), found.group(1),
                                 "one submission, two messages: %s" % message.header("Subject"))
        announced = "\n".join(self.log_lines("twice"))
        silent = [key for key, copies in arrived.items() if len(copies) > 1 and key[0] not in announced]
        self.assertEqual(silent, [], "delivered twice, and the log does not say so:\n" +
                         "\n".join(line for key in silent[:1] for line in self.log_lines(key[0])))
        return sum(len(copies) - 1 for copies in arrived.values())

    def wait_queue_empty(self, timeout=30.0):
        wait_for("an empty queue", lambda: not self.queue(), timeout)

    # -- the end

    def _stop_all(self):
        errors = []
        for service in reversed(self.services):
            try:
                service.stop()
            except AssertionError as e:
                errors.append(str(e))
        if errors:
            self.fail("\n".join(errors))

    def _leftovers(self):
        """What a test leaves behind is a defect: processes, temporary files, reports of sanitizers."""
        problems = []
        try:
            wait_for("no child left", lambda: not self._mine(), 1 if self.may_leave_processes else self.leaving)
        except Timeout:
            for pid in self._mine():
                if not self.may_leave_processes:
                    problems.append("process left over: %d %s" % (pid, command_of(pid)))
        for pid in self._mine():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            wait_for("pid %d to go" % pid, lambda: (_reap(pid), pid not in children())[1], 5)
        for name in os.listdir(self.scratch):
            problems.append("temporary file left over: " + name)
        for path in sorted(glob.glob(os.path.join(self.asan, "*"))):
            with open(path, errors="replace") as f:
                problems.append("sanitizer report %s:\n%s" % (os.path.basename(path), f.read()[:6000]))
        if problems:
            self.fail("\n".join(problems))

    def _mine(self):
        """Living processes below us; the dead among our orphans are reaped on the way."""
        known = {s.pid for s in self.services}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) not in known:
                try:
                    with open("/proc/%s/stat" % entry) as f:
                        fields = f.read().rsplit(")", 1)[1].split()
                except (OSError, IndexError):
                    continue
                if fields[0] == "Z" and int(fields[1]) == os.getpid():
                    _reap(int(entry))
        return descendants()

    def _print_logs(self, most=12000):
        """To stderr: the tail of every log of this test."""
        print("---- logs of %s (%s)" % (self.id(), self.tmp), file=sys.stderr)
        for path in sorted({self.log, *glob.glob(os.path.join(self.tmp, "*.log")),
                            *glob.glob(os.path.join(self.conf, "main.cf"))}):
            try:
                with open(path, "rb") as f:
                    data = f.read()[-most:]
            except OSError:
                continue
            if data:
                print("---- %s\n%s" % (os.path.basename(path), data.decode("utf-8", "replace").rstrip()), file=sys.stderr)
        print("----", file=sys.stderr)


def main():
    unittest.main(verbosity=2)
