"""Programs that read what a mail system writes, and that nobody here wrote: pflogsumm, check_mailq, munin's plugins and
logcheck's rules, from Debian's packages in a private root, on outpost's log and mailq."""
import os
import re
import shutil
import subprocess
import tempfile

import harness
import servers

PACKAGES = ("dash", "coreutils", "grep", "libc-bin", "perl", "pflogsumm", "monitoring-plugins-standard",
            "munin-plugins-core", "logcheck-database")


class Readers(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost-smtp", "outpost", "relay")

    def setUp(self):
        super().setUp()
        self.root = servers.root_with("readers", PACKAGES)
        self.out = tempfile.mkdtemp(prefix="readers-", dir=os.path.join(self.root, "work"))
        self.work = "/work/" + os.path.basename(self.out)
        self.addCleanup(shutil.rmtree, self.out)
        self.relay = self.start_relay()

    def exchange(self, name="outpost"):
        """Two messages sent, one bounced (and its notice sent), one deferred."""
        self.configure(self.relay, syslog_name=name)
        for to in ("a@example.net", "b@example.net", "reject@example.net", "tempfail@example.net"):
            self.sendmail("-odq", "-f", "me@example.com", to)
        self.outpost("flush", code=75)
        self.wait_log(r"status=sent", count=3)
        self.outpost("queue")
        shutil.copyfile(self.log, os.path.join(self.out, "mail.log"))
        with open(os.path.join(self.out, "mailq"), "w") as f:
            f.write(self.outpost("queue").out)

    def new_log(self):
        """The old one is moved away once the flusher that writes to it is gone."""
        harness.wait_for("the flusher to leave", lambda: re.search(r"\]: done$", self.log_text().rstrip()), 20)
        os.rename(self.log, self.log + ".old")

    def inside(self, *argv, code=0, env=None):
        done = subprocess.run(["chroot", self.root, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60 * harness.PATIENCE,
                              env=dict({"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}, **(env or {})))
        done.out = done.stdout.decode("utf-8", "replace")
        if code is not None:
            self.assertEqual(done.returncode, code, done.out)
        return done

    def test_pflogsumm(self):
        for name in ("postfix", "outpost"):
            with self.subTest(syslog_name=name):
                self.exchange(name)
                options = [] if name == "postfix" else ["--syslog-name=outpost"]
                out = self.inside("/usr/sbin/pflogsumm", *options, self.work + "/mail.log").out
                for what, n in (("delivered", 3), ("deferred", 1), ("bounced", 1)):
                    self.assertRegex(out, r"(?m)^\s+%d\s+%s" % (n, what))
                self.assertRegex(out, r"(?s)message deferral detail.*Try again later")
                self.assertRegex(out, r"(?s)message bounce detail.*User unknown")
                self.outpost("delete", "--all", "--quiet")
                self.new_log()

    def test_check_mailq(self):
        self.exchange()
        with open(os.path.join(self.root, "usr/bin/mailq"), "w") as f:
            f.write("#!/bin/sh\ncat %s/mailq\n" % self.work)
            os.fchmod(f.fileno(), 0o755)
        plugin = "/usr/lib/nagios/plugins/check_mailq"
        self.assertRegex(self.inside(plugin, "-M", "postfix", "-w", "5", "-c", "9").out, r"^OK: .*mailq.*\(1\)")
        self.assertRegex(self.inside(plugin, "-M", "postfix", "-w", "1", "-c", "9", code=1).out, r"^WARNING")
        self.outpost("delete", "--all", "--quiet")
        with open(os.path.join(self.out, "mailq"), "w") as f:
            f.write(self.outpost("queue").out)
        self.assertRegex(self.inside(plugin, "-M", "postfix", "-w", "1", "-c", "9").out, r"^OK: .*empty")

    def test_munin(self):
        self.exchange("postfix")
        env = {"logdir": self.work, "logfile": "mail.log", "MUNIN_PLUGSTATE": self.work, "MUNIN_STATEFILE": self.work + "/state",
               "MUNIN_LIBDIR": "/usr/share/munin", "PERL5LIB": "/usr/share/perl5"}
        os.truncate(os.path.join(self.out, "mail.log"), 0)
        plugins = ("postfix_mailvolume", "postfix_mailstats")
        for plugin in plugins:
            state = dict(env, MUNIN_STATEFILE=self.work + "/state-" + plugin)
            self.inside("/usr/share/munin/plugins/" + plugin, env=state)
        shutil.copyfile(self.log, os.path.join(self.out, "mail.log"))
        for plugin in plugins:
            state = dict(env, MUNIN_STATEFILE=self.work + "/state-" + plugin)
            out = self.inside("/usr/share/munin/plugins/" + plugin, env=state).out
            if plugin == "postfix_mailvolume":
                self.assertGreater(int(re.search(r"volume\.value (\d+)", out).group(1)), 500, out)
            else:
                self.assertRegex(out, r"delivered\.value 3\b")

    def left(self, rules):
        return self.inside("/bin/sh", "-c", "grep -E -v -f %s %s/mail.log; :" % (rules, self.work)).out.splitlines()

    def test_logcheck(self):
        """Debian's rules for Postfix swallow our lines under Postfix's name; the package's own swallow the rest."""
        self.configure(self.relay, syslog_name="postfix")
        self.sendmail("-odq", "-f", "me@example.com", "a@example.net")
        self.outpost("flush")
        self.wait_log("removed")
        shutil.copyfile(self.log, os.path.join(self.out, "mail.log"))
        rules = "/etc/logcheck/ignore.d.server/postfix"
        # Its rule for TLS lines is older than TLS 1.3's, Postfix's own are not swallowed either.
        self.assertEqual([x for x in self.left(rules) if re.search(r"/(smtp|qmgr)\[", x) and "TLSv1.3" not in x], [])
        self.new_log()
        self.configure(self.relay)
        self.sendmail("-odq", "-f", "me@example.com", "a@example.net")
        self.outpost("flush")
        harness.wait_for("the flusher to leave", lambda: self.log_lines(r"\]: done"), 20)
        shutil.copyfile(self.log, os.path.join(self.out, "mail.log"))
        shutil.copyfile(os.path.join(harness.SRC, "packaging", "outpost.logcheck"), os.path.join(self.out, "rules"))
        self.assertEqual(self.left(self.work + "/rules"), [])

    def test_apparmor(self):
        """The profile is compiled (a kernel that would enforce it is not needed for that)."""
        self.root = servers.root_with("apparmor", ("apparmor",))
        work = tempfile.mkdtemp(prefix="profile-", dir=os.path.join(self.root, "work"))
        self.addCleanup(shutil.rmtree, work)
        shutil.copy(os.path.join(harness.SRC, "packaging", "apparmor", "usr.sbin.outpostd"), work)
        self.inside("/sbin/apparmor_parser", "-Q", "-K", "-T", "--config-file", "/dev/null",
                    "/work/%s/usr.sbin.outpostd" % os.path.basename(work))


if __name__ == "__main__":
    harness.main()
