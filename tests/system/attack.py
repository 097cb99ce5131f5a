"""attack.py: a machine as an administrator sets it up, and people on it who have an account and nothing else. A test is an attack: it
does what Mallory would do, and looks at what Mallory got, or at how Bob's mail fared meanwhile.

    class Listings(attack.Attack):
        def test_it(self):
            self.site(alias_maps="hash:/etc/aliases")           # /etc/outpost; a relay that takes everything
            self.outpostd()
            self.mail("you@example.net", uid=attack.BOB)

All of it in namespaces of the test's own (machine.py), which needs root; nobody in it but root has a right."""
import os
import re
import struct
import subprocess
import sys
import threading
import time

import harness
import machine

ALICE, BOB, MALLORY = machine.ALICE, 64997, 64996
HELPERS = machine.HELPERS
SECRET = "open-sesame-4711"
LETTER = b"Subject: hello\n\nhello\n"
SUBUIDS = range(200000, 200008)        # of Mallory's, where the system is Holding
# What a terminal may take for a command: controls, U+0080 to U+009F as UTF-8 and as bytes.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]".encode() + b"|\xc2[\x80-\x9f]|(?<![\xc2-\xf4\x80-\xbf])[\x80-\x9f]")
# As administrators write them, to hide where mail was born and what a project is called.
CHECKS = ("/^Received: .*\\(from ([a-z]+)@localhost\\).*by (.*) with ESMTP/ REPLACE Received: by $2\n"
          "/(project|secret)-[0-9]+-(alpha|beta)/ REPLACE X-Found: yes\n/^X-Originating-IP:/ IGNORE\n")


def record(kind, payload=b""):
    return kind + struct.pack(">I", len(payload)) + payload


def submission(body=LETTER, recipients=(b"you@example.net",), sender=b"s@example.com"):
    """The bytes of one, as sendmail hands them to the door and the drop."""
    out = b"OUTPOST1" + record(b"K", os.urandom(16)) + record(b"S", sender)
    out += b"".join(record(b"R", r) for r in recipients)
    out += record(b"B", b"7") + record(b"X", struct.pack(">I", body.find(b"\n\n") + 2))
    out += b"".join(record(b"M", body[i:i + 65536]) for i in range(0, len(body), 65536))
    return out + record(b"Z", struct.pack(">Q", len(body)))


def long_header(n, field):
    """A message of about n bytes, all of it header, in fields of this size that nearly fit the checks."""
    line = b"Received: " + b"(from me@localhost) secret-1-by " * (field // 32) + b"\n"
    return b"Subject: x\n" + line * (n // len(line)) + b"\nx\n"


class Attack(machine.Machine):
    def setUp(self):
        super().setUp()
        var = os.path.join(self.tmp, "var")
        os.mkdir(var)
        os.chown(var, machine.UID, machine.UID)
        self.log = os.path.join(var, "log")
        self.home = os.path.join(self.tmp, "mallory")
        os.mkdir(self.home)
        os.chown(self.home, MALLORY, MALLORY)
        self.stopping = threading.Event()
        self.addCleanup(self.stopping.set)

    def _make_etc(self):
        super()._make_etc()
        for who, uid in (("bob", BOB), ("mallory", MALLORY)):
            for name, line in (("passwd", "%s:x:%d:%d::/tmp:/bin/sh\n" % (who, uid, uid)), ("group", "%s:x:%d:\n" % (who, uid))):
                with open(os.path.join(self.etc, name), "a") as f:
                    f.write(line)

    # -- the administrator

    def site(self, raw="", relay=True, **params):
        """/etc/outpost and, at its relay's usual port, a relay. Parameters as in harness.configure."""
        lines = {"relayhost": "[mail.example.com]:587", "maillog_file": self.log, "myhostname": "client.example.com",
                 "myorigin": "example.com", "alias_maps": "", "smtp_sasl_auth_enable": "yes",
                 "smtp_sasl_password_maps": "hash:/etc/outpost/sasl_passwd"}
        lines.update(params)
        self.write("/etc/outpost/main.cf", "".join("%s = %s\n" % kv for kv in lines.items() if kv[1] is not None) + raw)
        path = self.write("/etc/outpost/sasl_passwd", "[mail.example.com]:587 %s:%s\n" % (harness.USER, SECRET), 0o640)
        os.chown(path, 0, machine.UID)
        self.relay_service = self.relay(password=SECRET) if relay else None
        return self.relay_service

    def outpostd(self, **options):
        """The flusher, as a service manager starts it."""
        self.daemon = self.start("/usr/sbin/outpostd", "-f", log=os.path.join(self.tmp, "outpostd.log"), **options)
        harness.wait_for("the admin socket", lambda: self.type("test -S /var/spool/outpost/admin", code=None).returncode == 0 or
                         not self.daemon.alive())
        self.assertTrue(self.daemon.alive(), self.log_text())
        return self.daemon

    # -- people

    def popen(self, *argv, uid=MALLORY, before=None, **options):
        """A program that somebody runs there, left running; it is killed when the test is over."""
        def enter():
            self.inside(uid)
            if before:
                before()
        process = subprocess.Popen(argv, env=self.environ(), preexec_fn=enter, **options)
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    pass
        if process.poll() is None:
            process.kill()
        process.wait()

    def mail(self, *args, uid=BOB, input=LETTER, code=0, patience=120):
        """Somebody's sendmail, to its end; .seconds is how long it took."""
        begin = time.monotonic()
        done = subprocess.run(["/usr/sbin/sendmail", *args], input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.environ(), preexec_fn=lambda: self.inside(uid), timeout=patience * harness.PATIENCE)
        done.seconds = time.monotonic() - begin
        done.out = done.stdout.decode("utf-8", "replace")
        if code is not None:
            self.assertEqual(done.returncode, code, done.out)
        return done

    def drop(self, data, uid=MALLORY, code=0):
        """outpost-drop, as anybody can call it."""
        done = subprocess.run([HELPERS + "/outpost-drop"], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.environ(), preexec_fn=lambda: self.inside(uid), timeout=120 * harness.PATIENCE)
        done.out = done.stdout.decode("utf-8", "replace")
        if code is not None:
            self.assertEqual(done.returncode, code, done.out)
        return done

    def incoming(self, messages, uid=MALLORY):
        """As many files as messages (bytes of submissions) in incoming/, as the drop would have written them."""
        alphabet, now = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ", int(time.time() * 1e6)

        def fill():
            os.umask(0o077)
            for i, data in enumerate(messages):
                time_part = now + i
                name = bytes(alphabet[time_part >> 5 * k & 31] for k in range(10, -1, -1)) + bytes(alphabet[b % 32] for b in os.urandom(13))
                with open(b"/var/spool/outpost/incoming/.new", "wb") as f:
                    f.write(b"OUTDROP1" + struct.pack(">IQ", uid, time_part) + data)
                os.rename(b"/var/spool/outpost/incoming/.new", b"/var/spool/outpost/incoming/" + name + b".msg")
        self.there(fill, machine.UID)

    def there(self, call, uid=0):
        """A function of ours, in a process on the machine as this user; its end is waited for."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self.inside(uid)
                call()
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)

    def loop(self, *argv, uid=MALLORY):
        """Somebody runs this again and again, until the test is over."""
        def again():
            while not self.stopping.is_set():
                subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=self.environ(), preexec_fn=lambda: self.inside(uid))
        thread = threading.Thread(target=again, daemon=True)
        thread.start()
        self.addCleanup(lambda: (self.stopping.set(), thread.join(60)))

    # -- how others fare

    def latencies(self, n=20, until=None, at_most=20):
        """How long Bob waits for each of n submissions; or of as many as come, at_most or fewer, until the function says that it is over."""
        seconds = []
        while len(seconds) < (at_most if until else n) and not (until and until()):
            seconds.append(self.mail("you@example.net").seconds)
            time.sleep(0.1)
            harness.progress()
        return sorted(seconds)

    def fair(self, seconds, a_piece=0.0):
        """What others may be made to wait: a second as a rule, three at worst, and a few pieces of the work that holds them up, which
        take as long as the machine is slow."""
        self.assertTrue(seconds)
        median, worst = seconds[len(seconds) // 2], seconds[-1]
        print(" median %.2f s, worst %.2f s of %d, a piece %.2f s " % (median, worst, len(seconds), a_piece), end="", file=sys.stderr)
        self.assertLess(median, (1 + 2 * a_piece) * harness.SLOW)
        self.assertLess(worst, (3 + 8 * a_piece) * harness.SLOW)

    def fair_until(self, n):
        """The same while the relay gets n messages that are work."""
        begin = time.monotonic()
        seconds = self.latencies(until=lambda: self.count_of("m") >= n, at_most=400)
        self.fair(seconds, (time.monotonic() - begin) / n)

    def count_of(self, recipient):
        """How many messages to recipients of such a name the relay has."""
        return sum(m.recipients[0].startswith(recipient) for m in self.relay_service.messages())

    def small_disk(self, options):
        """The queue on a tmpfs with these limits."""
        self.type("mount -t tmpfs -o mode=700,uid=%d,gid=%d,%s tmpfs /var/spool/outpost && "
                  "mkdir -m 700 /var/spool/outpost/incoming && chown %d:%d /var/spool/outpost/incoming" %
                  (machine.UID, machine.UID, options, machine.UID, machine.UID))

    def free_share(self, inodes=False):
        """How much of the queue's disk is free, as others have it."""
        words = self.type("stat -f -c '%s' /var/spool/outpost" % ("%d %c" if inodes else "%a %b")).out.split()
        return int(words[0]) / int(words[1])


class Holding(Attack):
    def setUp(self):
        super().setUp()
        for name in ("subuid", "subgid"):
            self.write("/etc/" + name, "mallory:200000:65536\nbob:265536:65536\n")
        self.site()

    def hold(self, uid, n, after=b"OUTPOST1"):
        """n connections to the door as this user, each with the beginning of a submission; held until the test is over."""
        code = ("import socket,sys,time\n"
                "held=[]\n"
                "for _ in range(%d):\n"
                "    s=socket.socket(socket.AF_UNIX); s.connect('/run/outpost/door'); s.send(%r); held.append(s)\n"
                "print('held', flush=True)\n"
                "while True:\n"
                "    time.sleep(1)\n"
                "    for s in held:\n"
                "        try: s.send(b'K')\n"
                "        except OSError: pass\n" % (n, after))
        process = self.popen("/usr/bin/python3", "-c", code, uid=uid, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.assertEqual(process.stdout.readline(), b"held\n")
