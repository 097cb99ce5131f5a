"""The demo shows what it says, in a few seconds, and leaves nothing behind; against a relay of one's own as well."""
import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                              # noqa: E402


class Demo(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay", "mkcert")

    def demo(self, *args, code=0):
        """What it printed, both channels together."""
        done = subprocess.run([os.path.join(harness.SRC, "tests", "relay", "demo"), *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60 * harness.PATIENCE,
                              env=self.environ({"OUTPOST_BUILD": harness.BUILD}))
        out = done.stdout.decode()
        self.assertEqual(done.returncode, code, out)
        self.assertEqual(glob.glob(os.path.join(self.scratch, "*")), [], "left behind")
        return out

    def test_on_loopback(self):
        out = self.demo()
        self.assertEqual(out.count("Verified TLS connection established"), 2)
        self.assertEqual(out.count("1 sent, nothing is left to send"), 2)
        self.assertIn("| All 4,711 files are safe.", out)
        self.assertIn("| .\n", out)
        self.assertIn("smtp_tls_wrappermode = yes", out)
        self.assertNotIn("open-sesame", out)
        self.assertNotIn("\033", out, "colour without a terminal")

    def own(self, password, code):
        relay = self.start_relay()
        secret = self.write_secret("password", password + "\n")
        out = self.demo("--relayhost", "[localhost]:%d" % relay.starttls, "--user", harness.USER, "--to", "you@example.org",
                        "--password-file", secret, "--cafile", os.path.join(harness.certificates(), "ca.pem"), code=code)
        self.assertNotIn(password, out)
        return relay, out

    def test_own_relay(self):
        relay, out = self.own(harness.PASSWORD, 0)
        message, = relay.wait_messages(1)
        self.assertEqual(message.recipients, ["you@example.org"])
        self.assertIn("took it", out)

    def test_own_relay_with_a_wrong_password(self):
        relay, out = self.own("wrong horse", 1)
        self.assertIn("authentication failed", out)
        self.assertEqual(relay.count(), 0)

    def test_usage(self):
        self.assertIn("--relayhost", self.demo("--relayhost", code=64))


if __name__ == "__main__":
    harness.main()
