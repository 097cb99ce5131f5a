"""Attacks: what runs as root where outpost, or somebody who took it over, may plant links: units, the package's scripts, and what a taken
service could do beyond its own."""
import glob
import os
import re
import shutil
import subprocess

import attack
import harness
import machine

UNITS = os.path.join(harness.BUILD, "conf", "systemd")


def read(path):
    with open(path) as f:
        return f.read()


class Units(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.units = glob.glob(os.path.join(UNITS, "outpost*.service")) + glob.glob(os.path.join(UNITS, "outpost*.socket"))
        if not self.units:
            self.skipTest("built without units")

    def test_root_does_nothing_in_the_owners_directories(self):
        """A link "managed" in /run/outpost, and root's touch makes a file wherever it leads."""
        for path in self.units:
            text = read(path)
            commands = re.findall(r"^Exec\w+=(.*(?:/run/outpost|/var/spool/outpost).*)$", text, re.M)
            if commands:
                self.assertRegex(text, r"(?m)^User=(?!root)\S+$", "%s: %s" % (path, commands))

    def test_the_package_makes_no_more_than_the_queue_directory(self):
        """A link "incoming" to a directory of root's would be given to outpost."""
        script = read(os.path.join(harness.SRC, "packaging", "debian", "postinst"))
        self.assertNotRegex(script, r"(install|chown|chmod|mkdir|touch|cp)\b.*/(var/spool|run)/outpost/")
        tmpfiles = read(os.path.join(harness.SRC, "conf", "systemd", "outpost.tmpfiles.in"))
        self.assertNotRegex(tmpfiles, r"@(queuedir|rundir)@/")

    def test_exposure(self):
        """As systemd judges it: 2.0 at most."""
        analyze = shutil.which("systemd-analyze")
        if not analyze or subprocess.run([analyze, "security", "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no systemd-analyze")
        for path in (p for p in self.units if p.endswith(".service")):
            # Of a user who is not there it thinks ill.
            copy = os.path.join(self.tmp, os.path.basename(path).replace("@.", "@x."))
            with open(copy, "w") as f:
                f.write(re.sub(r"(?m)^(User|Group)=\w+$", r"\1=daemon", read(path)))
            done = subprocess.run([analyze, "security", "--offline=true", "--no-pager", copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True)
            found = re.search(r"Overall exposure level for \S+ ([\d.]+)", done.stdout)
            if not found:
                self.skipTest("systemd-analyze knows no --offline")
            self.assertLessEqual(float(found.group(1)), 2.0, done.stdout)


class Log(attack.Attack):
    """maillog_file is in a directory of the queue's owner, who must be able to write it. A taken-over outpostd would leave a link
    there, and have root append lines with words of users to a file of root's at the next boot."""

    def test_a_link_in_place_of_the_log(self):
        os.symlink("/etc/written-by-root", self.log)
        os.chown(self.log, machine.UID, machine.UID, follow_symlinks=False)
        self.site()
        self.outpostd()
        self.mail("you@example.net")
        self.assertNotEqual(self.type("test -e /etc/written-by-root", code=None).returncode, 0)

    def test_a_log_in_a_directory_of_roots(self):
        """That one is root's to make, and outpost's to go on with."""
        self.type("mkdir /var/spool/log")
        self.site(maillog_file="/var/spool/log/mail")
        self.outpostd()
        self.mail("you@example.net")
        self.assertIn("from=<", self.type("cat /var/spool/log/mail").out)


class Configure(harness.SystemTest):
    def test_runstatedir(self):
        """Where a distribution says that run files are, there the door is, and no attacker's directory with the same default."""
        place = os.path.join(self.tmp, "build")
        os.mkdir(place)
        text = read(os.path.join(harness.SRC, "configure"))
        start = text.index("# Check whether --with-rundir was given.")
        snippet = text[start:text.index("RUNDIR=$with_rundir", start)]
        for runstatedir, want in (("/elsewhere", "/elsewhere/outpost"), ("${localstatedir}/run", "/run/outpost"), ("", "/run/outpost")):
            done = subprocess.run(["/bin/sh"], input="runstatedir='%s'\n%s\necho $with_rundir\n" % (runstatedir, snippet), text=True,
                                  stdout=subprocess.PIPE, check=True)
            self.assertEqual(done.stdout.strip(), want)


if __name__ == "__main__":
    harness.main()
