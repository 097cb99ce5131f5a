"""postqueue, postsuper, postcat, postconf, postmap, postalias, postfix: as scripts use them."""
import json
import os
import re

import harness


def flusher_left(test):
    """What is queued from here on, no flusher that is still there takes along."""
    harness.wait_for("the flusher to leave", lambda: re.search(r"\]: done$", test.log_text().rstrip()), 20)


def json_lines(done):
    return [json.loads(line) for line in done.out.splitlines() if line.strip()]


class PostfixNames(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        self.configure(self.relay)

    def call(self, name, *args, code=0, input=b""):
        link = os.path.join(self.tmp, name)
        if not os.path.lexists(link):
            os.symlink(harness.program("outpost"), link)
        return self.run_program(link, *args, env={"MAIL_CONFIG": self.conf}, code=code, input=input)

    def test_postqueue(self):
        self.sendmail("-odq", "you@example.net")
        self.assertRegex(self.call("postqueue", "-p").out, r"(?m)^-- \d+ Kbytes in 1 Request\.$")
        entry, = json_lines(self.call("postqueue", "-j"))
        self.call("postqueue", "-i", entry["queue_id"], code=None)
        done = self.call("postqueue", "-f")
        self.assertEqual(done.out + done.err, "")       # or cron would send it, each time
        self.relay.wait_messages(1)
        self.sendmail("-odq", "tempfail@example.net")
        done = self.call("postqueue", "-f")
        self.assertEqual(done.out + done.err, "")
        self.call("postqueue", code=64)

    def test_postsuper(self):
        for _ in range(4):
            self.sendmail("-odq", "you@example.net")
        ids = [e["queue_id"] for e in json_lines(self.call("postqueue", "-j"))]
        self.call("postsuper", "-h", ids[0])
        self.call("postsuper", "-d", ids[1])
        self.call("postsuper", "-d", "-", input=(ids[2] + "\n").encode())
        self.assertEqual(sorted(e["queue_id"] for e in json_lines(self.call("postqueue", "-j"))), sorted([ids[0], ids[3]]))
        self.call("postsuper", "-H", "ALL")
        self.call("postsuper", "-d", "ALL")
        self.assertRegex(self.call("postqueue", "-p").out, "Mail queue is empty")

    def test_postsuper_within_a_queue(self):
        """`postsuper -d ALL deferred` must not take what was never tried, nor what is held; nor must `-d ID hold`."""
        self.sendmail("-odq", "tempfail@example.net")
        self.call("postqueue", "-f")
        flusher_left(self)
        for _ in range(2):
            self.sendmail("-odq", "you@example.net")
        ids = {}
        for entry in json_lines(self.call("postqueue", "-j")):
            ids.setdefault(entry["queue_name"], []).append(entry["queue_id"])
        held, new = ids["incoming"]
        deferred, = ids["deferred"]

        def left():
            return {e["queue_id"] for e in json_lines(self.call("postqueue", "-j"))}
        self.call("postsuper", "-h", held)
        self.assertIn("there is no queue", self.call("postsuper", "-d", "ALL", "maildrop", code=64).err)
        self.assertIn("write ALL, in capitals", self.call("postsuper", "-d", "all", code=64).err)
        for which, queue in ((new, "hold"), (held, "deferred"), (deferred, "incoming"), (new, "active")):
            done = self.call("postsuper", "-d", which, queue)
            self.assertRegex(done.err, which + " is not in the queues that were named")
            self.assertIn("0 messages deleted", done.out)
        self.assertEqual(left(), {held, new, deferred})
        self.call("postsuper", "-d", "-", "deferred", "active", input="".join(i + "\n" for i in left()).encode())
        self.assertEqual(left(), {held, new})
        self.call("postsuper", "-d", "ALL", "hold")
        self.assertEqual(left(), {new})
        self.call("postsuper", "-d", new, "incoming")
        self.assertEqual(left(), set())

    def test_postsuper_says_what_has_no_use(self):
        for letter in ("-s", "-S", "-p"):
            self.assertRegex(self.call("postsuper", letter).out, letter + " has nothing to do here: ")
        for letter in ("-e", "-f"):
            self.assertRegex(self.call("postsuper", letter, "ALL", code=64).err, r"maximal_queue_lifetime; `outpost delete`")
        self.call("postsuper", code=64)

    def test_postqueue_of_a_site(self):
        self.sendmail("-odq", "you@example.net")
        self.assertIn("everything is tried", self.call("postqueue", "-s", "example.org").err)
        self.relay.wait_messages(1)

    def test_postcat(self):
        self.sendmail("-odq", "you@example.net")
        entry, = json_lines(self.call("postqueue", "-j"))
        self.assertIn("Subject: test", self.call("postcat", "-q", entry["queue_id"]).out)
        self.assertIn("hello", self.call("postcat", "-bq", entry["queue_id"]).out)
        whole = self.call("postcat", "-q", entry["queue_id"]).out
        self.assertRegex(whole, r"(?s) to +you@example\.net .*Subject: test\n.*\n\nhello\n\Z")
        self.assertNotIn("hello", self.call("postcat", "-hq", entry["queue_id"]).out)

    def test_postconf(self):
        self.assertIn("relayhost = [localhost]:%d" % self.relay.starttls, self.call("postconf", "-n").out)
        self.call("postconf", "-e", "relayhost=[smtp.example.com]:587", "myorigin = example.org")
        self.assertEqual(self.call("postconf", "relayhost").out, "relayhost = [smtp.example.com]:587\n")
        self.assertEqual(self.call("postconf", "-h", "myorigin").out, "example.org\n")
        self.assertRegex(self.call("postconf", "-d", "smtp_tls_security_level").out, r"^smtp_tls_security_level =")

    def test_postmap(self):
        passwd = os.path.join(self.conf, "sasl_passwd")
        done = self.call("postmap", "hash:" + passwd)
        self.assertIn("nothing needs to be built", done.out)
        self.assertEqual(os.listdir(self.conf).count("sasl_passwd.db"), 0)
        self.assertRegex(self.call("postmap", "/nonexistent/map", code=78).err, r"^\w+: cannot open /nonexistent/map: No such file")
        with open(os.path.join(self.conf, "generic"), "w") as f:
            f.write("root ops@example.com\n")
        self.assertEqual(self.call("postmap", "-q", "root", "hash:" + os.path.join(self.conf, "generic")).out, "ops@example.com\n")
        self.call("postmap", "-q", "nobody", "hash:" + os.path.join(self.conf, "generic"), code=1)
        done = self.call("postmap", "-q", "-", "hash:" + os.path.join(self.conf, "generic"), input=b"nobody\nroot\n")
        self.assertEqual(done.out, "root\tops@example.com\n")
        self.call("postmap", "-q", "-", "hash:" + os.path.join(self.conf, "generic"), input=b"nobody\n", code=1)
        self.assertIn("is not needed here", self.call("postmap", "-d", "root", "hash:" + os.path.join(self.conf, "generic"), code=64).err)

    def test_postalias(self):
        aliases = os.path.join(self.tmp, "aliases")
        with open(aliases, "w") as f:
            f.write("# none\nroot: ops@example.com\n")
        self.assertIn("nothing needs to be built", self.call("postalias", aliases).out)
        self.assertEqual(self.call("postalias", "-q", "root", "hash:" + aliases).out, "ops@example.com\n")
        self.call("postalias", "-q", "nobody", "hash:" + aliases, code=1)
        self.assertRegex(self.call("postalias", aliases + "2", code=78).err, r"^outpost: cannot open \S+/aliases2: No such file")

    def test_postfix(self):
        self.sendmail("-odq", "you@example.net")
        self.assertIn("All is well", self.call("postfix", "check").out)
        self.assertIn("1 message, ", self.call("postfix", "status", code=None).out)
        self.assertIn("nothing needs to be reloaded", self.call("postfix", "reload").err)
        self.call("postfix", "flush")
        self.relay.wait_messages(1)
        self.assertRegex(self.call("postfix", "stop", code=69).err, r"\Apostfix: nothing was stopped\. Type: systemctl stop ")
        self.assertRegex(self.call("postfix", "restart", code=64).err, r"\Ausage: postfix ")
        with open(os.path.join(self.conf, "main.cf"), "a") as f:
            f.write("relayhost\n")
        self.assertIn("main.cf", self.call("postfix", "reload", code=78).err)

    def test_postfix_start(self):
        """Where nobody keeps the door this is outpostd; where a service manager does, it is not to be in his way."""
        self.call("postfix", "stop", code=69)
        service = self.start(os.path.join(self.tmp, "postfix"), "start-fg", env={"MAIL_CONFIG": self.conf})
        harness.wait_for("outpostd's door", self.door_answers)
        self.sendmail("you@example.net")
        self.relay.wait_messages(1)
        self.assertIn("at work", self.call("postfix", "start", code=75).err)
        service.stop()
        open(os.path.join(self.queue_dir, "managed"), "w").close()
        self.assertIn("systemctl start outpost.socket", self.call("postfix", "start").err)
        self.assertIn("systemctl start outpost.socket", self.call("postfix", "start-fg", code=69).err)

    def test_a_map_is_named_from_here(self):
        """`cd /etc/postfix && postmap sasl_passwd`: not the file of that name beside outpost's main.cf."""
        here = os.path.join(self.tmp, "here")
        os.mkdir(here)
        with open(os.path.join(self.conf, "generic"), "w") as f:
            f.write("root there@example.com\n")
        link = os.path.join(self.tmp, "postmap")
        self.call("postmap", "-q", "x", "static:y")
        env = {"MAIL_CONFIG": self.conf}
        self.assertIn("cannot open generic", self.run_program(link, "generic", env=env, cwd=here, code=78).err)
        with open(os.path.join(here, "generic"), "w") as f:
            f.write("root here@example.com\n")
        self.assertEqual(self.run_program(link, "-q", "root", "hash:generic", env=env, cwd=here).out, "here@example.com\n")

    def test_the_flusher_says_its_usage(self):
        self.assertRegex(self.run_program("outpostd", "--help").out, r"\Ausage: outpostd .*\n\Z")
        self.assertRegex(self.run_program("outpostd", "--nonsense", code=64).err, r"(?m)^usage: outpostd ")

    def test_postconf_says_what_a_default_comes_to(self):
        self.configure(relayhost="mail.example.com:587", myhostname=None)
        for name in ("myhostname", "mydomain"):
            found = self.call("postconf", "-xh", name).out
            self.assertRegex(found, r"\A\S+\n\Z")
            self.assertEqual(self.call("postconf", "-h", name).out, found)
            self.assertIn("%s = %s" % (name, found), self.call("postconf").out)

    def test_postconf_as_scripts_use_it(self):
        version = self.run_program("outpost", "--version").out.split()[1]
        self.assertEqual(self.call("postconf", "mail_version").out, "mail_version = %s\n" % version)
        self.assertEqual(self.call("postconf", "-h", "mail_version").out, version + "\n")
        self.assertEqual(self.call("postconf", "-dh", "mail_version", "myorigin").out, version + "\n$myhostname\n")
        self.assertEqual(self.call("postconf", "-h", "config_directory", "myorigin").out, self.conf + "\nexample.com\n")
        self.assertEqual(set(self.call("postconf", "-m").out.split()) & {"hash", "static", "regexp"}, {"hash", "static", "regexp"})
        with open(os.path.join(self.conf, "main.cf")) as f:
            before = f.read()
        for argv in (["-M"], ["-Mf"], ["-Me", "submission/inet=submission inet n - y - - smtpd"], ["-P", "smtp/unix/x=y"], ["-F", "*/*/chroot=n"]):
            self.assertIn("no master.cf", self.call("postconf", *argv).err)
        with open(os.path.join(self.conf, "main.cf")) as f:
            self.assertEqual(f.read(), before)
        self.call("postconf", "-X", "myorigin")
        with open(os.path.join(self.conf, "main.cf")) as f:
            self.assertNotIn("myorigin", f.read())


if __name__ == "__main__":
    harness.main()
