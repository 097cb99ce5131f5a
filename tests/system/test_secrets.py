"""No secret anywhere: after a run at the highest log levels neither a password nor any of its encodings is in a log, an
output, a file of the queue, a command line, an environment, a core file, or (once it was used) in the memory of the agent."""
import base64
import glob
import os
import re
import resource
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                              # noqa: E402

USER = "user@example.com"
SECRET = "Zq7-unmistakable-Secret-of-the-test-x9"
WRONG = "Zq8-likewise-Wrong-Secret-of-the-test-x9"


def forms(secret):
    """The secret, and what it looks like on its way: Base64 at each alignment, hexadecimal, quoted."""
    raw = secret.encode()
    found = [raw, raw.hex().encode(), raw.hex().upper().encode(), raw[::-1]]
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)
        found.append(text[(0, 2, 4)[before]:-4])
    found.append(base64.b64encode(b"\0" + USER.encode() + b"\0" + raw))
    return found


FORMS = forms(SECRET) + forms(WRONG)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def memory(pid):
    """What a process has in memory that can be written, as one string of bytes."""
    out = []
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(start)
                out.append(mem.read(end - start))
            except OSError:
                continue
    return b"".join(out)


class Secrets(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def nowhere(self, what, data):
        for form in FORMS:
            if form in data:
                at = data.index(form)
                self.fail("%s holds the secret: %r" % (what, data[max(0, at - 60):at + len(form) + 20]))

    def our_processes(self):
        """Every process of ours but the relay, which is told its passwords on the command line."""
        return [p for p in harness.descendants() if "/relay " not in harness.command_of(p)]

    def look_at_processes(self):
        seen = []
        for pid in self.our_processes():
            for name in ("cmdline", "environ"):
                data = read("/proc/%d/%s" % (pid, name))
                self.nowhere("/proc/%d/%s of %s" % (pid, name, harness.command_of(pid)), data)
            seen.append(harness.command_of(pid))
        return seen

    def look_at_files(self):
        """Everything below the test's directory but the places where an administrator writes passwords."""
        own = {os.path.join(self.conf, n) for n in ("sasl_passwd", "main.cf")}
        for place, _, names in os.walk(self.tmp):
            for name in names:
                path = os.path.join(place, name)
                if path not in own and os.path.isfile(path):
                    self.nowhere(path, read(path))

    def look_at_outputs(self):
        commands = (["check", "--transcript"], ["check", "--json"], ["check", "--transcript", "--json"], ["status"],
                    ["status", "--json"], ["queue", "--all", "--json"], ["queue", "--all"], ["log"], ["log", "--json"],
                    ["metrics"], ["config"], ["config", "-n"], ["config", "-x"], ["config", "--json", "smtp_sasl_password_maps"],
                    ["export", "--all"], ["flush"])
        for words in commands:
            done = self.outpost(*words, code=None)
            self.nowhere("outpost " + " ".join(words), done.stdout + done.stderr)
        done = self.mailq("-j", code=None)
        self.nowhere("mailq -j", done.stdout + done.stderr)

    def start_all(self, *flags, password=SECRET, dialogue=None, **params):
        relay = self.start_relay(*flags, user=USER, password=SECRET, dialogue=dialogue)
        self.configure(relay, user=USER, password=password, smtp_tls_loglevel="4", debug_peer_list="localhost",
                       debug_peer_level="9", **params)
        return relay

    def agents(self):
        return [p for p in self.our_processes() if "outpost-smtp" in harness.command_of(p)]

    def one_run(self, *flags, **options):
        relay = self.start_all(*flags, **options)
        self.start_outpostd()
        self.sendmail("you@example.org")
        relay.wait_messages(1)
        self.wait_log("status=sent")
        self.look_at_processes()
        return relay

    def finish(self):
        self.look_at_outputs()
        self.look_at_files()

    def test_every_mechanism(self):
        for mech in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
            with self.subTest(mech):
                self.one_run("--auth", mech)
                self.finish()
                for service in self.services:
                    service.stop()
                self.services.clear()
                for path in glob.glob(os.path.join(self.tmp, "relay.*")) + [self.log]:
                    if os.path.isfile(path):
                        os.unlink(path)
                    else:
                        for name in os.listdir(path):
                            os.unlink(os.path.join(path, name))

    def test_refused(self):
        """A wrong password is refused, and still not written down; nor is what the relay says of it."""
        relay = self.start_all("--auth", "PLAIN", password=WRONG, dialogue=(
            'when auth do reply "535 5.7.8 \\"%s\\" is wrong"\n' % base64.b64encode(
                ("\0%s\0%s" % (USER, WRONG)).encode()).decode()))
        self.start_outpostd()
        self.sendmail("you@example.org")
        self.wait_log("is down, its mail waits")
        self.look_at_processes()
        self.assertEqual(relay.count(), 0)
        hits = [l for l in self.log_text().splitlines() if WRONG in l]
        self.assertEqual(hits, [])

    def test_while_it_is_used(self):
        """In the middle of AUTH: cmdline, environ; and cores are off."""
        self.start_all("--auth", "PLAIN", dialogue="when auth do wait 1500; normal\n")
        self.start_outpostd()
        self.sendmail("you@example.org")
        relay = self.services[0]
        harness.wait_for("AUTH", lambda: b"C: AUTH" in read(relay.commands))
        seen = self.look_at_processes()
        self.assertTrue(any("outpost-smtp" in s for s in seen), seen)
        for pid in self.our_processes():
            limits = read("/proc/%d/limits" % pid).decode()
            self.assertTrue(re.search(r"Max core file size\s+0\s", limits), harness.command_of(pid))
        self.wait_log("status=sent", timeout=15)

    def test_no_core(self):
        """An agent that dies of SIGABRT while it holds the password leaves no core file."""
        relay = self.start_all("--auth", "PLAIN", dialogue="when auth conn=1 do wait 3000; normal\n")
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                           if os.geteuid() == 0 else resource.getrlimit(resource.RLIMIT_CORE))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        self.start_outpostd()
        self.sendmail("you@example.org")
        harness.wait_for("AUTH", lambda: b"C: AUTH" in read(relay.commands))
        before = set(glob.glob("/core*")) | set(glob.glob("/tmp/core*"))
        for pid in self.agents():
            os.kill(pid, 6)
        harness.wait_for("the agent's end", lambda: not self.agents() or relay.counters()["connections"] > 1)
        after = set(glob.glob("/core*")) | set(glob.glob("/tmp/core*"))
        self.assertEqual(after, before)
        self.look_at_files()

    def test_wiped(self):
        """Once it is logged in the agent has forgotten the password, and so has outpostd what it handed on."""
        if harness.ASAN:
            self.skipTest("a sanitizer keeps what was freed")
        for mech in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
            with self.subTest(mech):
                self.one_run("--auth", mech)
                agents = self.agents()
                self.assertTrue(agents, "the agent stays for a while")
                try:
                    held = memory(agents[0])
                except PermissionError:
                    self.skipTest("memory of other processes can't be read here")
                self.assertIn(b"localhost", held, "this is its memory")
                self.nowhere("the agent's memory after %s" % mech, held)
                for service in self.services:
                    service.stop()
                self.services.clear()
                for path in glob.glob(os.path.join(self.tmp, "relay.*")) + [self.log]:
                    if os.path.isfile(path):
                        os.unlink(path)
                    else:
                        for name in os.listdir(path):
                            os.unlink(os.path.join(path, name))

    def test_in_main_cf(self):
        """A password in main.cf itself: shown by nothing, in an error neither."""
        relay = self.start_relay("--auth", "PLAIN", user=USER, password=SECRET)
        self.configure(relay, smtp_sasl_password_maps="static:%s:%s" % (USER, SECRET), smtp_tls_loglevel="4")
        os.chmod(os.path.join(self.conf, "main.cf"), 0o600)
        self.start_outpostd()
        self.sendmail("you@example.org")
        relay.wait_messages(1)
        self.wait_log("status=sent")
        self.look_at_processes()
        self.finish()
        with open(os.path.join(self.conf, "main.cf"), "a") as f:
            f.write("smtp_sasl_password_maps = inline:{ [localhost]:%d=%s:%s\n" % (relay.starttls, USER, SECRET))
        self.look_at_outputs()
        self.look_at_files()

    def test_bad_lines_of_a_map(self):
        """What is wrong with a password map is told by key and line number."""
        relay = self.start_all()
        for text in ("%s\n" % SECRET, "[localhost]:%d %s\n" % (relay.starttls, SECRET), "  %s\n" % SECRET,
                     "[localhost]:%d\n  %s:%s\n" % (relay.starttls, USER, SECRET), "{ %s" % SECRET):
            with self.subTest(text):
                self.write_secret("sasl_passwd", text)
                done = self.outpost("check", code=None)
                self.nowhere("outpost check with %r" % text, done.stdout + done.stderr)


if __name__ == "__main__":
    harness.main()
