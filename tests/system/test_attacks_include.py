"""Attacks: files that a user may replace. Mallory keeps a mailing list that an alias includes, as administrators arrange it; gained: the
text of a file that only outpost can read, or a pause for everybody's mail."""
import os
import subprocess
import time

import attack
import harness
import machine

NOBODYS = "nothing-else-has-this-word"


def fuse(test, uid=0):
    """A directory of a file system that uid has mounted for everybody, whose files are root's by its own account."""
    place = os.path.join(test.tmp, "fuse")
    os.mkdir(place)
    server = subprocess.Popen(["/usr/bin/python3", "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "deaf_files.py"),
                               "--mount", place, str(uid)], stdout=subprocess.PIPE, preexec_fn=test.inside)
    test.addCleanup(test._end, server)
    if server.stdout.readline() != b"mounted\n":
        test.skipTest("no FUSE here")
    return place


class Lists(attack.Attack):
    def list_of_mallory(self, to=None, text="friend@example.net\n"):
        """The alias "list", and Mallory's file, or a link to something else in its place."""
        path = os.path.join(self.home, "list")
        if os.path.lexists(path):
            os.unlink(path)
        if to:
            os.symlink(to, path)
            os.chown(path, attack.MALLORY, attack.MALLORY, follow_symlinks=False)
        else:
            with open(path, "w") as f:
                f.write(text)
            os.chown(path, attack.MALLORY, attack.MALLORY)
        self.write("/etc/aliases", "list: :include:%s\n" % path)

    def all_that_is_said(self):
        """Whatever Mallory, and the administrator's log, hear of it."""
        return (self.log_text() + self.type("mailq; mailq -j", uid=attack.MALLORY, code=None).out +
                self.type("sendmail -bv list </dev/null", uid=attack.MALLORY, code=None).out +
                self.type("outpost queue --json; outpost log", code=None).out)

    def test_a_list_works(self):
        """An honest one, which everybody may read."""
        self.list_of_mallory()
        relay = self.site(alias_maps="hash:/etc/aliases")
        self.outpostd()
        self.mail("list")
        self.assertEqual([m.recipients for m in relay.wait_messages(1)], [["friend@example.net"]])

    def test_a_link_to_the_password(self):
        self.list_of_mallory("/etc/outpost/sasl_passwd")
        self.site(alias_maps="hash:/etc/aliases", relayhost="[mail.example.com]:588", relay=False)
        self.outpostd()
        self.mail("list", uid=attack.MALLORY, code=None)
        self.assertNotIn(attack.SECRET, self.all_that_is_said())
        self.assertNotIn("mail.example.com]:587", self.all_that_is_said())

    def test_a_file_of_the_queues_owner(self):
        """One address a line, as a file of addresses is; it must not become recipients."""
        path = os.path.join(self.tmp, "var", "private")
        with open(path, "w") as f:
            f.write("%s@example.net\n" % NOBODYS)
        os.chown(path, machine.UID, machine.UID)
        os.chmod(path, 0o600)
        self.list_of_mallory(path)
        self.site(alias_maps="hash:/etc/aliases", relayhost="[mail.example.com]:588", relay=False)
        self.outpostd()
        self.mail("list", uid=attack.MALLORY, code=None)
        self.assertNotIn(NOBODYS, self.all_that_is_said())

    def secret(self):
        """A file that outpost may read, and nobody else, in a place of root's."""
        path = self.write("/etc/outpost/word", NOBODYS + "\n", 0o640)
        os.chown(path, 0, machine.UID)
        return "/etc/outpost/word"

    def test_a_list_that_names_a_file(self):
        """A list may name other lists. Who writes it is not root, so they are only those that everybody may read."""
        self.list_of_mallory(text=":include:%s\nfriend@example.net\n" % self.secret())
        self.site(alias_maps="hash:/etc/aliases", relayhost="[mail.example.com]:588", relay=False)
        self.outpostd()
        self.mail("list", uid=attack.MALLORY, code=None)
        self.assertNotIn(NOBODYS, self.all_that_is_said())

    def test_aliases_that_name_a_file(self):
        """The same by a file of aliases that Mallory keeps."""
        path = os.path.join(self.home, "aliases")
        with open(path, "w") as f:
            f.write("list: :include:%s\n" % self.secret())
        os.chown(path, attack.MALLORY, attack.MALLORY)
        self.site(alias_maps="hash:" + path, relayhost="[mail.example.com]:588", relay=False)
        self.outpostd()
        self.mail("list", uid=attack.MALLORY, code=None)
        self.assertNotIn(NOBODYS, self.all_that_is_said())

    def test_a_list_of_roots_may_be_closed(self):
        """What root's aliases name need not be open to everybody."""
        self.write("/etc/aliases", "list: :include:%s\n" % self.secret())
        relay = self.site(alias_maps="hash:/etc/aliases")
        self.outpostd()
        self.mail("list")
        self.assertEqual([m.recipients for m in relay.wait_messages(1)], [[NOBODYS + "@example.com"]])

    def test_nothing_of_a_list_is_quoted(self):
        """Not even of a list that may be read: what its lines hold goes to no log."""
        self.list_of_mallory(text="\"%s\n|%s\n/%s\n%s@@@\n" % ((NOBODYS,) * 4))
        self.site(alias_maps="hash:/etc/aliases", relayhost="[mail.example.com]:588", relay=False)
        self.outpostd()
        self.mail("list", uid=attack.MALLORY, code=None)
        self.assertNotIn(NOBODYS, self.log_text())

    def test_a_file_system_that_hangs(self):
        """FUSE in a namespace of the test: whoever opens the list waits for ever."""
        place = fuse(self)
        self.write("/etc/aliases", "list: :include:%s/file\n" % place)
        self.site(alias_maps="hash:/etc/aliases")
        self.outpostd()
        self.popen("/usr/sbin/sendmail", "list", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        self.assertLess(self.mail("you@example.net", patience=15).seconds, 3 * harness.PATIENCE)


class Files(attack.Attack):
    """main.cf names a file in a directory of Mallory's."""

    def file_of_mallory(self, name, text, mode=0o644):
        path = os.path.join(self.home, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        os.chown(path, attack.MALLORY, attack.MALLORY)
        return path

    def test_a_map_becomes_a_link(self):
        """It works while it is a file that everybody may read; and then what was read before stays."""
        path = self.file_of_mallory("aliases", "list: friend@example.net\n")
        relay = self.site(alias_maps="hash:" + path)
        self.outpostd()
        self.mail("list")
        os.unlink(path)
        os.symlink("/etc/outpost/sasl_passwd", path)
        os.chown(path, attack.MALLORY, attack.MALLORY, follow_symlinks=False)
        self.type("outpost reload", code=None)
        self.mail("list", "other@example.net")
        self.assertEqual(relay.wait_messages(2)[1].recipients, ["friend@example.net", "other@example.net"])
        self.assertIn("not everybody may read it", self.log_text())
        self.assertNotIn(attack.SECRET, self.log_text() + self.type("outpost check; outpost status", code=None).out)

    def test_a_program(self):
        """exec: runs with the rights of outpost, so nobody else may be able to replace the program."""
        mark = os.path.join(self.tmp, "var", "mark")
        path = self.file_of_mallory("program", "#!/bin/sh\ntouch %s\necho user:%s\n" % (mark, attack.SECRET), 0o755)
        self.site(smtp_sasl_password_maps="exec:" + path)
        self.outpostd()
        self.mail("you@example.net")
        harness.wait_for("a refusal", lambda: self.log_lines("can be replaced by uid %d" % attack.MALLORY))
        self.assertFalse(os.path.exists(mark))

    def test_a_file_system_of_mallorys(self):
        """With user_allow_other in fuse.conf a user's process says whose its files are."""
        self.site(smtp_sasl_password_maps="exec:%s/program" % fuse(self, attack.MALLORY))
        self.outpostd()
        self.mail("you@example.net")
        harness.wait_for("a refusal", lambda: self.log_lines("can be replaced by uid %d" % attack.MALLORY))


if __name__ == "__main__":
    harness.main()
