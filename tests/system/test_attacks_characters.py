"""Attacks: text that is more than text. Mallory chooses addresses, subjects and the words of a door of his own; gained: options of a
program that an administrator named, or commands to the terminal of whoever looks."""
import hashlib
import os
import re
import socket
import threading

import attack
import harness

CSI = "\u009b"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f]".encode() + b"|\xc2[\x80-\x9f]|(?<![\xc2-\xf4\x80-\xbf])[\x80-\x9f]")


class Arguments(attack.Attack):
    """A sender that begins with "-", where the sender's password is what a program says."""

    def test_key_of_a_program(self):
        seen = os.path.join(self.tmp, "var", "seen")
        program = self.write("/etc/outpost/program", "#!/bin/sh\nprintf '%%s\\n' \"$@\" >>%s\necho user@example.com:%s\n" %
                             (seen, attack.SECRET), 0o755)
        self.assertTrue(program)
        self.site(smtp_sender_dependent_authentication="yes", smtp_sasl_password_maps="exec:/etc/outpost/program")
        self.outpostd()
        self.mail("-f", "-oProxyCommand=x@example.com", "you@example.net", uid=attack.MALLORY, code=None)
        self.mail("-f", "--help@example.com", "you@example.net", uid=attack.MALLORY, code=None)
        self.mail("-f", "honest@example.com", "you@example.net")
        harness.wait_for("the honest one", lambda: any("honest@" in str(m.sender) for m in self.relay_service.messages()))
        with open(seen) as f:
            words = f.read().split("\n")
        self.assertEqual([w for w in words if w.startswith("-") and w != "--"], [])

    def test_no_address_stands_in_an_argv(self):
        """Everybody sees everybody's arguments in /proc."""
        seen = os.path.join(self.tmp, "var", "seen")
        self.write("/etc/outpost/program", "#!/bin/sh\nfor p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done >>%s\n"
                   "echo user@example.com:%s\n" % (seen, attack.SECRET), 0o755)
        self.site(smtp_sender_dependent_authentication="yes", smtp_sasl_password_maps="{exec:/etc/outpost/program %k}")
        self.outpostd()
        self.mail("-f", "private-sender@example.com", "you@example.net")
        self.relay_service.wait_messages(1)
        with open(seen) as f:
            token = [line for line in f if "outpost-token" in line]
        self.assertEqual([line for line in token if "private-sender" in line], [])


class Terminal(attack.Attack):
    def clean(self, data):
        self.assertIsNone(RAW.search(data), data)

    def test_addresses(self):
        """Such an address is refused, whichever way it comes."""
        self.site()
        self.outpostd()
        for args, letter in ((["x%s31m@example.com" % CSI], attack.LETTER), (["-f", "x%s31m@example.com" % CSI, "you@example.net"], attack.LETTER),
                             (["-t"], ("To: x%s31m@example.com\n\nx\n" % CSI).encode())):
            self.assertNotEqual(self.mail(*args, input=letter, uid=attack.MALLORY, code=None).returncode, 0, args)
        self.drop(attack.submission(recipients=(("x%s31m@example.com" % CSI).encode(),)), code=None)
        self.clean(self.type("outpost queue; outpost queue --json; mailq; outpost log", code=None).stdout)
        self.clean(self.log_text().encode())

    def test_show(self):
        """A message's header and text, raw bytes and U+0080 to U+009F alike."""
        self.site(relayhost="[mail.example.com]:588", relay=False)
        self.outpostd()
        self.mail("you@example.net", uid=attack.MALLORY, input=("Subject: a%sb\n\nc%sd" % (CSI, CSI)).encode() + b" \x9b31m \x1b[31m\n")
        queue_id = re.search(r"^(\w+)", self.type("mailq", uid=attack.MALLORY).out.split("\n")[1]).group(1)
        for options in ("", "--body", "--header"):
            self.clean(self.type("script -qec 'outpost show %s %s' /dev/null" % (options, queue_id), code=None).stdout
                       .replace(b"\r\n", b"\n"))

    def test_import_shows_a_difference(self):
        self.site(relay=False)
        path = os.path.join(self.home, "msmtprc")
        with open(path, "wb") as f:
            f.write(b"account default\nhost mail.example.com\nport 587\ntls on\nauth on\nuser me\npassword x\nfrom a\xc2\x9b31m\x9bb@example.com\n")
        self.clean(self.type("outpost import msmtp --dry-run %s" % path, code=None).stdout)

    def test_a_door_of_mallorys(self):
        """door_socket, or a queue of Mallory's, at which he answers himself."""
        door = os.path.join(self.home, "door")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(door)
        os.chmod(door, 0o666)
        listener.listen(5)
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    s = listener.accept()[0]
                except OSError:
                    return
                with s:
                    s.recv(65536)
                    s.sendall(b">\x9b31m \xc2\x9b31m \x1b[31m\n!\x1b]0;x\x07\n+\x1b[2J\n=75 \xc2\x9b31m\x1b[31m\n")
        threading.Thread(target=serve, daemon=True).start()
        self.site(door_socket=door, relay=False)
        self.clean(self.type("mailq; sendmail -q; echo | timeout 3 sendmail you@example.net", code=None).stdout)


class Secrets(attack.Attack):
    def test_the_digest_of_a_password(self):
        """queue.db keeps whether a password was refused; whoever gets hold of a copy must not be able to guess it from that."""
        self.site(relay=False)
        self.relay(password="another")
        self.outpostd()
        self.mail("you@example.net")
        harness.wait_for("the refusal", lambda: self.log_lines("is down"))
        guess = hashlib.sha256(b"mail.example.com\0" + harness.USER.encode() + b"\0" + attack.SECRET.encode()).hexdigest()
        stored = self.type("cat /var/spool/outpost/queue.db*").stdout
        self.assertNotIn(guess.encode(), stored)


if __name__ == "__main__":
    harness.main()
