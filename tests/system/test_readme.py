"""README.md, docs/moving.md and docs/fleet.md as a newcomer uses them: the lines and commands as they stand, on a machine of
its own (machine.py). Building and the demo are tried by bootstrap itself."""
import os
import re

import harness
import machine


def read(name):
    with open(os.path.join(harness.SRC, name), encoding="utf-8") as f:
        return f.read()


def section(text, title):
    return text.partition("\n## %s\n" % title)[2].partition("\n## ")[0]


def blocks(text):
    """The indented blocks, in order."""
    return [re.sub(r"(?m)^    ", "", b) for b in re.findall(r"(?<=\n\n)((?:    .*\n)+)", "\n" + text + "\n")]


class Readme(machine.Machine):
    hosts = ("smtp.example.com", "relay.example.com", "relay2.example.com")

    def test_configure_and_send(self):
        main_cf, passwd, check = blocks(section(read("README.md"), "Configure"))
        self.write("/etc/outpost/main.cf", main_cf)
        self.write("/etc/outpost/sasl_passwd", passwd, 0o600)
        self.write("/etc/aliases", "root: you@example.com\n")
        user, password = passwd.split(" ", 1)[1].strip().split(":", 1)
        relay = self.relay(user=user, password=password)
        self.assertIn("All is well", self.type(check).out)
        send, = blocks(section(read("README.md"), "Send, and see what happened"))
        lines = [line.split("  #")[0].strip() for line in send.splitlines()]
        self.assertEqual(len(lines), 5)
        out = [self.type(line).out for line in lines]
        relay.wait_messages(2)
        self.assertRegex(out[1], r"ok +sent")
        self.assertRegex(out[3], r"(?s)relay .* up.*queue .*last day")
        self.assertRegex(out[4], r"sent <you@example.com>")
        self.assertIn(b"It works.\n", [m.body for m in relay.messages()])

    def test_a_queue_of_ones_own(self):
        """Without root: sendmail -C ~/.config/outpost."""
        self.assertIn("sendmail -C ~/.config/outpost", read("README.md"))
        conf = os.path.join(self.tmp, "home", ".config", "outpost")
        os.makedirs(conf)
        for path, text in (("main.cf", "relayhost = [smtp.example.com]:587\nsmtp_sasl_auth_enable = yes\nmyorigin = example.com\n"
                            "smtp_sasl_password_maps = hash:%s/sasl_passwd\nqueue_directory = %s/queue\n" % (conf, conf)),
                           ("sasl_passwd", "[smtp.example.com]:587 %s:%s\n" % (harness.USER, harness.PASSWORD))):
            self.write(os.path.join(conf, path), text, 0o600)
        for path, _, names in os.walk(os.path.join(self.tmp, "home")):
            os.chown(path, machine.ALICE, machine.ALICE)
            for name in names:
                os.chown(os.path.join(path, name), machine.ALICE, machine.ALICE)
        relay = self.relay()
        home = os.path.join(self.tmp, "home")
        self.type("export HOME=%s; echo hello | sendmail -C ~/.config/outpost you@example.net && outpost -C ~/.config/outpost flush" % home,
                  uid=machine.ALICE)
        relay.wait_messages(1)

    def test_fleet(self):
        """The lines of a host behind two relays of one's own: the second takes over, by the private CA alone."""
        lines = blocks(read("docs/fleet.md").split("Each host then has", 1)[1])[0]
        self.assertIn("relayhost = [relay.example.com]:587, [relay2.example.com]:587", lines)
        self.write("/etc/outpost/main.cf", lines + "smtp_connect_timeout = 5s\n")
        self.write("/etc/outpost/sasl_passwd", "".join("[%s]:587 %s:%s\n" % (host, harness.USER, harness.PASSWORD)
                                                       for host in ("relay.example.com", "relay2.example.com")), 0o600)
        ca = re.search(r"smtp_tls_CAfile = (\S+)", lines).group(1)
        with open(os.path.join(self.certs, "ca.pem")) as f:
            self.write(ca, f.read())
        os.unlink(os.path.join(self.etc, "ssl", "certs", "ca-certificates.crt"))
        self.write("/etc/hosts", "127.0.0.1 localhost\n127.0.0.2 relay.example.com\n127.0.0.1 relay2.example.com\n")
        relay = self.relay()
        self.type("echo hello | sendmail -odq -f me@example.com you@example.net; outpost flush")
        relay.wait_messages(1)
        shown = self.type("outpost status").out
        self.assertRegex(shown, r"relay2?\.example\.com\]:587 (up|DOWN)")
        command = re.search(r"root (outpost metrics > .*)$", read("docs/fleet.md"), re.M).group(1)
        place = os.path.join(self.tmp, "node_exporter")
        os.mkdir(place)
        self.type(command.replace("/var/lib/node_exporter", place))
        with open(os.path.join(place, "outpost.prom")) as f:
            figures = f.read()
        for name in re.findall(r"outpost_\w+", read("docs/fleet.md")):
            self.assertIn(name, figures)

    def test_moving(self):
        """Five minutes from msmtp: the commands of docs/moving.md."""
        self.write("/etc/msmtprc", "defaults\nauth on\ntls on\n\naccount default\nhost smtp.example.com\nport 587\nfrom me@example.com\n"
                   "user %s\npassword \"%s\"\n" % (harness.USER, harness.PASSWORD), 0o600)
        self.assertIn("`outpost import postfix` (or `msmtp`", read("docs/moving.md"))
        self.type("outpost import -n msmtp")
        self.type("outpost import --yes msmtp")
        relay = self.relay()
        self.type("outpost check")
        self.type("outpost test you@example.com")
        message, = relay.wait_messages(1)
        self.assertEqual(message.sender, "me@example.com")


if __name__ == "__main__":
    harness.main()
