"""outpost config: what it shows, and how it edits main.cf."""
import json
import os

import harness

SECRET = "not-to-be-shown"


class Config(harness.SystemTest):
    needs = ("outpost",)

    def main_cf(self, text):
        path = os.path.join(self.conf, "main.cf")
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def ask(self, *args, code=0):
        return self.outpost("config", *args, code=code)

    def read(self):
        with open(os.path.join(self.conf, "main.cf")) as f:
            return f.read()

    def test_show(self):
        self.main_cf("relayhost = [$name]:587\nname = a.example\nsmtp_sasl_password_maps = static:u:%s\n" % SECRET)
        shown = self.ask("-n").out
        self.assertEqual(shown, "relayhost = [$name]:587\nsmtp_sasl_password_maps = static:...\n")
        self.assertEqual(self.ask("-x", "relayhost").out, "relayhost = [a.example]:587\n")
        self.assertEqual(self.ask("--value", "smtp_pipeline_window").out, "25\n")
        self.assertEqual(self.ask("-d", "relayhost").out, "relayhost =\n")
        everything = self.ask().out
        self.assertGreater(everything.count("\n"), 80)
        self.assertEqual(sorted(everything.splitlines()), everything.splitlines())
        for line in self.ask("--json").out.splitlines():
            self.assertIn("default", json.loads(line))
        self.assertNotIn(SECRET, everything + self.ask("--json").out)

    def test_unknown(self):
        self.main_cf("relay_host = x\nbiff = no\n")
        done = self.ask("relay_host", code=65)
        self.assertIn("did you mean relayhost?", done.err)
        self.assertIn("has no use here", self.ask("biff", code=65).err)

    def test_edit(self):
        path = self.main_cf("# mine\n#relayhost = [x]:587\nmyhostname = h.example # no comment\nbiff = no\n")
        os.chmod(path, 0o640)
        self.ask("relayhost=[a.example]:587", "smtp_pipeline_window = 1")
        self.assertEqual(self.read(), "# mine\n#relayhost = [x]:587\nrelayhost = [a.example]:587\n"
                         "myhostname = h.example # no comment\nbiff = no\nsmtp_pipeline_window = 1\n")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)
        self.ask("-X", "relayhost", "smtp_pipeline_window")
        self.assertEqual(self.read(), "# mine\n#relayhost = [x]:587\nmyhostname = h.example # no comment\nbiff = no\n")
        self.assertIn("biff was written, but is a parameter of Postfix that has no use here", self.ask("-e", "biff=yes").err)
        self.assertIn("relayhost is not NAME=VALUE", self.ask("-e", "relayhost", "[a.example]:587", code=64).err)
        self.assertIn("NAME=VALUE is missing", self.ask("-e", code=64).err)
        self.assertIn("biff = yes\n", self.read())
        self.assertEqual([f for f in os.listdir(self.conf) if f.startswith("main.cf.")], [])

    def test_refused(self):
        self.main_cf("biff = no\n")
        before = self.read()
        self.assertIn("a number is wanted", self.ask("smtp_pipeline_window=x", code=78).err)
        self.assertIn("did you mean relayhost?", self.ask("relay_host=x", code=64).err)
        self.ask("relayhost", "biff=no", code=64)
        self.assertIn("refers to itself", self.ask("myhostname=$myhostname", code=78).err)
        self.ask("mydomain=$myhostname", "myhostname=$mydomain", code=78)
        self.assertEqual(self.read(), before)

    def test_relayhost_is_judged(self):
        """By config, too, not only when mail is to be sent."""
        self.main_cf("myhostname = h.example\n")
        for value in ("[a.example:587]", "smtps://a.example", "me@a.example"):
            done = self.ask("relayhost=" + value, code=78)
            self.assertIn("write: relayhost = [a.example]:", done.err)
            self.assertEqual(self.read(), "myhostname = h.example\n")
        self.assertIn("not a host's name", self.ask("relayhost=[a.example]:587  # ours", code=78).err)
        self.ask("relayhost=[a.example]:587, [b.example]:465", "smtp_fallback_relay=[c.example]")
        self.ask("relayhost=")

    def test_mends_a_broken_file(self):
        self.main_cf("smtp_pipeline_window = x\n")
        self.assertIn("main.cf:1: a number is wanted", self.ask(code=78).err)
        self.ask("smtp_pipeline_window=5")
        self.assertEqual(self.ask("smtp_pipeline_window").out, "smtp_pipeline_window = 5\n")


if __name__ == "__main__":
    harness.main()
