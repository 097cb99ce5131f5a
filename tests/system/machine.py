"""machine.py: a machine of one's own for a test: private mount and network namespaces in which /etc/outpost, the queue, the
ports 587 and 465 and the names of relays are real, so that what a document says can be typed as it stands.

    class Shop(machine.Machine):
        hosts = ("smtp.gmail.com",)                 # their addresses are 127.0.0.1; certificates of a CA that is trusted
        def test_one(self):
            relay = self.relay("smtp.gmail.com", 587)
            self.write("/etc/outpost/main.cf", "...")
            self.type("outpost check")

Needs root, and a kernel that gives namespaces; otherwise skipped, with the reason."""
import ctypes
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess

import harness

NEWNS, NEWNET = 0x00020000, 0x40000000
OWNER, UID, ALICE = "outpost", 64999, 64998
HELPERS = "/usr/libexec/outpost"
PROGRAMS = {"outpost": "/usr/sbin", "sendmail": HELPERS, "outpostd": "/usr/sbin", "outpost-smtp": HELPERS, "outpost-drop": HELPERS,
            "outpost-token": HELPERS}
NAMES = {"outpost": ("sbin/postqueue", "sbin/postsuper", "sbin/postcat", "sbin/postconf", "sbin/postmap",
                     "sbin/postfix", "sbin/postalias"),
         "sendmail": ("sbin/sendmail", "bin/mailq", "bin/newaliases", "lib/sendmail")}
KEPT = ("nsswitch.conf", "services", "protocols", "host.conf", "localtime", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl",
        "gai.conf", "alternatives")
LIBC = ctypes.CDLL(None, use_errno=True)


def _mount(*argv):
    return subprocess.run(["mount", *argv], stderr=subprocess.DEVNULL).returncode == 0


def _install():
    """As make install does it, over a /usr whose changes are in memory."""
    os.makedirs(HELPERS, exist_ok=True)
    for name, place in PROGRAMS.items():
        if os.path.exists(harness.program(name)):
            shutil.copy(harness.program(name), place)
        for link in NAMES.get(name, ()):
            link = os.path.join("/usr", link)
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink(os.path.join(place, name), link)
    os.chown(HELPERS + "/outpost-drop", UID, UID)
    os.chmod(HELPERS + "/outpost-drop", 0o6711)


def _furnish(etc):
    """Runs inside: the private /etc, /usr, /run and /var/spool; loopback goes up."""
    if not _mount("--make-rprivate", "/") or not _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"):
        return False
    for path in ("/run/usr", "/run/work"):
        os.mkdir(path)
    if not _mount("-t", "overlay", "-o", "lowerdir=/usr,upperdir=/run/usr,workdir=/run/work", "overlay", "/usr"):
        return False
    _install()
    if not _mount("--bind", etc, "/etc") or not _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/spool"):
        return False
    for path in ("/var/spool/outpost", "/var/spool/outpost/incoming", "/run/outpost"):
        os.mkdir(path, 0o755 if path.startswith("/run") else 0o700)
        os.chown(path, UID, UID)
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))    # SIOCSIFFLAGS: up, running
    return True


def _is_for_usr():
    with open(os.path.join(harness.BUILD, "config.status")) as f:
        return re.search(r'(?m)^S\["prefix"\]="/usr"$', f.read()) is not None


class Machine(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "outpost-drop", "relay", "mkcert")
    hosts = ("mail.example.com",)

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, for namespaces")
        if not _is_for_usr():
            self.skipTest("needs a build for /usr")
        super().setUp()
        self.queue_dir = "/var/spool/outpost"
        self._make_etc()
        self._enter_new()

    def _make_etc(self):
        self.etc = os.path.join(self.tmp, "etc")
        os.makedirs(os.path.join(self.etc, "outpost"))
        for name in KEPT:
            path = os.path.join("/etc", name)
            if os.path.isdir(path):
                shutil.copytree(path, os.path.join(self.etc, name), symlinks=True)
            elif os.path.exists(path):
                shutil.copy(path, self.etc)
        for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
                            "%s:x:%d:%d::/:/bin/false\nalice:x:%d:%d:Alice:/tmp:/bin/sh\n" % (OWNER, UID, UID, ALICE, ALICE)),
                           ("group", "root:x:0:\nnogroup:x:65534:\n%s:x:%d:\nalice:x:%d:\n" % (OWNER, UID, ALICE)),
                           ("hosts", "127.0.0.1 localhost\n127.0.0.1 %s\n" % " ".join(self.hosts)),
                           ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"), ("hostname", "host.example.com\n")):
            with open(os.path.join(self.etc, name), "w") as f:
                f.write(text)
        self.certs = os.path.join(self.tmp, "certs")
        os.mkdir(self.certs)
        recipe = "ca ca=yes cn=Authority\nserver issuer=ca " + " ".join(
            ("ip=" if h[0].isdigit() else "dns=") + h for h in self.hosts) + "\n"
        subprocess.run([harness.program("mkcert"), self.certs, "-"], input=recipe.encode(), check=True, stdout=subprocess.PIPE)
        trusted = os.path.join(self.etc, "ssl", "certs", "ca-certificates.crt")
        os.makedirs(os.path.dirname(trusted), exist_ok=True)
        if os.path.lexists(trusted):
            os.unlink(trusted)
        shutil.copy(os.path.join(self.certs, "ca.pem"), trusted)

    def _enter_new(self):
        """A child makes the namespaces, we keep their descriptors, the child goes."""
        ready, tell = os.pipe()
        stay, leave = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(leave)
            good = LIBC.unshare(NEWNS | NEWNET) == 0 and _furnish(self.etc)
            os.write(tell, b"y" if good else b"n")
            os.read(stay, 1)
            os._exit(0)
        good = os.read(ready, 1) == b"y"
        self.spaces = [os.open("/proc/%d/ns/%s" % (pid, kind), os.O_RDONLY | os.O_CLOEXEC) for kind in ("mnt", "net")]
        # Entering a mount namespace leaves a chroot, if that is where we are.
        self.spaces.append(os.open("/proc/%d/root" % pid, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for fd in (leave, stay, ready, tell):
            os.close(fd)
        os.waitpid(pid, 0)
        for fd in self.spaces:
            self.addCleanup(os.close, fd)
        if not good:
            self.skipTest("no mount and network namespaces, or no overlay, here")

    def inside(self, uid=0):
        """For preexec_fn."""
        *spaces, root = self.spaces
        for fd in spaces:
            if LIBC.setns(fd, 0) != 0:
                os._exit(126)
        os.fchdir(root)
        os.chroot(".")
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)

    def start(self, *argv, **options):
        return super().start(*argv, preexec_fn=self.inside, **options)

    def environ(self, more=None):
        env = super().environ(more)
        env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
        env["USER"] = env["LOGNAME"] = "root"
        return env

    def type(self, line, code=0, input=None, uid=0, timeout=60):
        """A line as a person types it into a shell, there. Its standard output and error together are .out."""
        done = subprocess.run(["/bin/sh", "-c", line], input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=None if input is not None else subprocess.DEVNULL, env=self.environ(),
                              preexec_fn=lambda: self.inside(uid), timeout=timeout * harness.PATIENCE)
        done.out = done.stdout.decode("utf-8", "replace")
        done.flat = " ".join(done.out.split())
        if code is not None:
            self.assertEqual(done.returncode, code, "%s\n%s" % (line, done.out))
        return done

    def write(self, path, text, mode=0o644):
        """A file of the machine's /etc (or below self.tmp), root's."""
        path = os.path.join(self.etc, path[len("/etc/"):]) if path.startswith("/etc/") else path
        with open(path, "w") as f:
            os.chmod(path, mode)
            f.write(text)
        return path

    def relay(self, *flags, user=harness.USER, password=harness.PASSWORD, dialogue=None, name="relay", port587="587", port465="465"):
        """The test relay on the real ports."""
        test = self

        class Inside(harness.Relay):
            def __init__(self):
                super().__init__(test, "--port587", port587, "--port465", port465, *flags, user=user, password=password,
                                 cert=os.path.join(test.certs, "server.chain.pem"), key=os.path.join(test.certs, "server.key"),
                                 dialogue=dialogue, name=name, preexec_fn=test.inside)
        relay = Inside()
        self.services.append(relay)
        return relay

    def no_flusher(self):
        """Waits until no flusher is left: what is typed next is as on a quiet machine."""
        harness.wait_for("the flushers to leave", lambda: not any(
            os.path.basename(harness.command_of(p).split()[0]).startswith("outpostd") for p in self._mine()), 20)
