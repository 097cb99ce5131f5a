"""A user's directory under root's hands: -C DIR, MAIL_CONFIG, config, import, postmap, sendmail -C."""
import os
import shutil
import subprocess
import tempfile
import unittest

import harness

ANN = 54321


@unittest.skipUnless(os.geteuid() == 0, "only root can be tricked")
class Directory(unittest.TestCase):
    """Ann owns a directory and has root use it. She would gain root's rights by an exec: program, the text of files that
    only root reads, or a file of root's under her name."""

    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="outpost-attack-")
        os.chmod(self.place, 0o755)
        self.dir = os.path.join(self.place, "ann")
        os.mkdir(self.dir, 0o755)
        self.secret = os.path.join(self.place, "roots")
        self.write(self.secret, "root's own secret words\n", owner=0, mode=0o600)
        os.chown(self.dir, ANN, ANN)

    def tearDown(self):
        shutil.rmtree(self.place)

    def write(self, path, text, owner=ANN, mode=0o644):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        os.chown(path, owner, owner)

    def main_cf(self, text):
        self.write(os.path.join(self.dir, "main.cf"), text)

    def run_as_root(self, program, *args, stdin=b"", env=None):
        executable = harness.program("outpost" if program == "postmap" else program)
        done = subprocess.run([program, *args], executable=executable, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={"PATH": os.environ["PATH"], **(env or {})}, check=False)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def marker(self):
        """A program that notes who ran it."""
        path, seen = os.path.join(self.dir, "program"), os.path.join(self.dir, "seen")
        self.write(path, "#!/bin/sh\nid -u >>%s\necho user:password\n" % seen, mode=0o755)
        return path, seen

    def test_program_of_a_password_map(self):
        """exec: in a user's main.cf never runs as root, whatever is exchanged while it is read."""
        program, seen = self.marker()
        self.main_cf("queue_directory = %s/queue\nrelayhost = [127.0.0.1]:9\nsmtp_sasl_auth_enable = yes\n"
                     "smtp_sasl_password_maps = exec:%s\n" % (self.dir, program))
        for args in (("check",), ("config",), ("status",)):
            self.run_as_root("outpost", "-C", self.dir, *args)
            self.run_as_root("outpost", *args, env={"MAIL_CONFIG": self.dir})
        if os.path.exists(seen):
            with open(seen, encoding="utf-8") as f:
                self.assertEqual(set(f.read().split()) - {str(ANN)}, set())

    def test_main_cf_in_procfs(self):
        """Files of procfs are root's and hold what anybody wrote."""
        holder = subprocess.Popen([shutil.which("sleep"), "300"], env={"x": "\nrelayhost = [evil.example]:587\n"}, user=ANN)
        try:
            for target in ("/proc/%d/environ" % holder.pid, "/proc/%d/cmdline" % holder.pid):
                link = os.path.join(self.dir, "main.cf")
                if os.path.lexists(link):
                    os.unlink(link)
                os.symlink(target, link)
                os.lchown(link, ANN, ANN)
                code, text = self.run_as_root("outpost", "-C", self.dir, "config", "relayhost")
                self.assertNotEqual(code, 0, text)
                self.assertIn("procfs", text)
                self.assertNotIn("evil", text)
        finally:
            holder.terminate()
            holder.wait()

    def test_secret_behind_a_link(self):
        """main.cf is a link to a file that only root reads: its text is neither shown nor copied."""
        os.symlink(self.secret, os.path.join(self.dir, "main.cf"))
        os.lchown(os.path.join(self.dir, "main.cf"), ANN, ANN)
        for args in (("config",), ("check",), ("config", "relayhost=[x.example]:587")):
            code, text = self.run_as_root("outpost", "-C", self.dir, *args)
            self.assertNotEqual(code, 0, text)
            self.assertNotIn("secret words", text)
        for name in os.listdir(self.dir):
            path = os.path.join(self.dir, name)
            if not os.path.islink(path) and os.path.isfile(path):
                with open(path, encoding="utf-8") as f:
                    self.assertNotIn("secret words", f.read())

    def test_root_file_changes_hands(self):
        """A file of root's is neither given to a user nor replaced through a link of hers."""
        target = os.path.join(self.place, "roots-main.cf")
        self.write(target, "relayhost = [a.example]:587\n", owner=0, mode=0o644)
        os.symlink(target, os.path.join(self.dir, "main.cf"))
        os.lchown(os.path.join(self.dir, "main.cf"), ANN, ANN)
        code, text = self.run_as_root("outpost", "-C", self.dir, "config", "relayhost=[b.example]:587")
        self.assertNotEqual(code, 0, text)
        self.assertEqual(os.stat(target).st_uid, 0)
        with open(target, encoding="utf-8") as f:
            self.assertEqual(f.read(), "relayhost = [a.example]:587\n")

    def test_what_root_writes_there_is_hers(self):
        """Root edits her main.cf: with her rights, so that nothing there becomes root's or is written elsewhere."""
        self.main_cf("relayhost = [a.example]:587\n")
        code, text = self.run_as_root("outpost", "-C", self.dir, "config", "relayhost=[b.example]:587")
        self.assertEqual(code, 0, text)
        self.assertEqual(os.stat(os.path.join(self.dir, "main.cf")).st_uid, ANN)
        # Her directory in a place of root's that she links to: it is not written to.
        other = os.path.join(self.place, "etc")
        os.mkdir(other, 0o755)
        link = os.path.join(self.dir, "link")
        os.symlink(other, link)
        os.lchown(link, ANN, ANN)
        code, text = self.run_as_root("outpost", "-C", link, "config", "relayhost=[b.example]:587")
        self.assertNotEqual(code, 0, text)
        self.assertEqual(os.listdir(other), [])

    def test_import_reads_with_her_rights(self):
        """An import of her configuration does not read for root what she cannot read."""
        rc = os.path.join(self.dir, "msmtprc")
        os.symlink(self.secret, rc)
        os.lchown(rc, ANN, ANN)
        code, text = self.run_as_root("outpost", "import", "msmtp", rc, "--dry-run")
        self.assertNotIn("secret words", text)
        os.unlink(rc)
        self.main_cf("relayhost = [a.example]:587\nsmtp_sasl_password_maps = hash:%s\n" % self.secret)
        code, text = self.run_as_root("outpost", "import", "postfix", self.dir, "--dry-run")
        self.assertNotEqual(code, 0, text)
        self.assertNotIn("secret words", text)

    def test_postmap_reads_with_her_rights(self):
        link = os.path.join(self.dir, "map")
        os.symlink(self.secret, link)
        os.lchown(link, ANN, ANN)
        for args in (("-q", "root's", "hash:" + link), ("-q", "root's", link), (link,)):
            code, text = self.run_as_root("postmap", *args)
            self.assertNotEqual(code, 0, text)
            self.assertNotIn("secret words", text)

    def test_sendmail_with_her_configuration(self):
        """sendmail -C as root submits into her queue as her, and never runs her words as root."""
        self.main_cf("queue_directory = %s/queue\nrelayhost = [127.0.0.1]:9\nalias_maps = hash:%s\n" % (self.dir, self.secret))
        _, text = self.run_as_root("sendmail", "-C", self.dir, "-bv", "root")
        self.assertNotIn("secret words", text)
        _, text = self.run_as_root("sendmail", "-C", self.dir, "-odq", "a@example.com", stdin=b"Subject: x\n\nx\n")
        for folder, _, files in os.walk(self.dir):
            for name in [folder] + [os.path.join(folder, f) for f in files]:
                self.assertEqual(os.lstat(name).st_uid, ANN, name)

    def test_queue_behind_a_link(self):
        """root's own configuration has its queue below Ann's directory: a link there leads into a directory of root's."""
        conf, target = os.path.join(self.place, "conf"), os.path.join(self.place, "target")
        os.mkdir(conf)
        os.mkdir(target, 0o700)
        link = os.path.join(self.dir, "queue")
        os.symlink(target, link)
        os.lchown(link, ANN, ANN)
        self.write(os.path.join(conf, "main.cf"), "queue_directory = %s\nrelayhost = [127.0.0.1]:9\nalias_maps =\n"
                   "door_socket = %s/door\n" % (link, conf), owner=0)
        for program, args in (("sendmail", ("-C", conf, "you@example.net")), ("outpost", ("-C", conf, "queue")),
                              ("outpost-drop", ("-q", link)), ("outpostd", ("-C", conf, "-f", "--take-in"))):
            self.run_as_root(program, *args, stdin=b"Subject: x\n\nx\n")
            self.assertEqual(os.listdir(target), [], program)

    def test_directory_of_everybody(self):
        os.chmod(self.dir, 0o777)
        os.chown(self.dir, 0, 0)
        self.write(os.path.join(self.dir, "main.cf"), "relayhost = [a.example]:587\n", owner=0)
        code, text = self.run_as_root("outpost", "-C", self.dir, "config", "relayhost")
        self.assertNotEqual(code, 0)
        self.assertIn("can be changed by everybody", text)


if __name__ == "__main__":
    harness.main()
