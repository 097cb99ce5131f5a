"""Each way in which it can be set up wrong: one clear line, the right exit code, the message kept or never accepted,
and no secret printed."""
import os
import re
import shutil
import sqlite3
import subprocess
import unittest

import harness
from test_drop import submission

SECRET = harness.PASSWORD


class BadInput(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def assertSays(self, done, *patterns):
        text = done.out + done.err
        for pattern in patterns:
            self.assertRegex(text, re.compile(pattern, re.I))
        self.assertNotIn(SECRET, text)

    def keeps(self, *patterns):
        """A message queued, a flush that fails and says why; the message stays, with the reason."""
        self.sendmail("-odq", "-f", "me@example.com", "you@example.net")
        done = self.outpost("flush", code=None)
        self.assertIn(done.returncode, (75, 78), done.err)
        self.assertSays(done, *patterns)
        entry, = self.queue()
        self.assertNotIn(SECRET, str(entry) + self.log_text())
        return entry

    # -- configuration

    def test_no_main_cf(self):
        for done in (self.sendmail("you@example.net", code=None), self.outpost("check", "--offline", code=None)):
            self.assertIn(done.returncode, (66, 75, 78), done.err)
            self.assertSays(done, r"main\.cf")

    def test_bad_syntax_names_file_and_line(self):
        self.configure(raw="\nrelayhost [missing equals]\n")
        done = self.outpost("flush", code=78)
        self.assertSays(done, r"main\.cf[:, ]+(line )?\d+")

    def test_bad_value(self):
        self.configure(raw="message_size_limit = many\n")
        self.assertSays(self.outpost("flush", code=78), r"main\.cf.*\d+", r"message_size_limit")

    def test_no_relayhost(self):
        self.configure()
        self.sendmail("-odq", "you@example.net", code=None)
        self.assertSays(self.outpost("flush", code=78), r"relayhost")

    # -- the password map

    def test_password_file_readable_by_others(self):
        self.configure(self.start_relay())
        os.chmod(os.path.join(self.conf, "sasl_passwd"), 0o644)
        self.sendmail("-odq", "you@example.net")
        done = self.outpost("flush", code=None)
        self.assertIn(done.returncode, (75, 78), done.err)
        self.assertSays(done, r"sasl_passwd", r"chmod")
        self.assertEqual(len(self.queue()), 1)

    def test_no_entry_for_the_relay(self):
        relay = self.start_relay()
        self.configure(relay)
        self.write_secret("sasl_passwd", "[elsewhere.example.org]:587 u:%s\n" % SECRET)
        self.sendmail("-odq", "you@example.net")
        done = self.outpost("flush", code=None)
        self.assertIn(done.returncode, (75, 78))
        self.assertSays(done, r"\[localhost\]:%d" % relay.starttls)
        self.assertEqual(relay.count(), 0)

    def test_no_password_file(self):
        self.configure(self.start_relay())
        os.unlink(os.path.join(self.conf, "sasl_passwd"))
        self.sendmail("-odq", "you@example.net")
        done = self.outpost("flush", code=None)
        self.assertIn(done.returncode, (75, 78))
        self.assertSays(done, r"sasl_passwd", r"no such file|not found|does not exist")

    def test_wrong_password(self):
        relay = self.start_relay(password="another")
        self.configure(relay)
        self.keeps(r"535|authentication|password")
        self.assertEqual(relay.count(), 0)
        self.assertFalse(self.log_lines("status=bounced"))

    # -- the certificate

    def relay_with(self, recipe):
        """A relay whose certificate (named server, under ca) comes from this recipe of mkcert."""
        place = os.path.join(self.tmp, "certs")
        os.mkdir(place)
        subprocess.run([harness.program("mkcert"), place, "-"], input=recipe.encode(), check=True, stdout=subprocess.PIPE)
        relay = self.start_relay(cert=os.path.join(place, "server.chain.pem"), key=os.path.join(place, "server.key"))
        self.configure(relay)
        with open(os.path.join(place, "ca.pem"), "rb") as f, open(os.path.join(self.conf, "ca.pem"), "wb") as g:
            g.write(f.read())
        return relay

    def unverified(self, recipe, *patterns):
        relay = self.relay_with(recipe)
        self.keeps(*patterns)
        self.assertEqual(relay.count(), 0)
        self.assertEqual(relay.counters()["secrets_seen"], 0, "the password went over an unverified connection")

    def test_certificate_for_another_name(self):
        self.unverified("ca ca=yes\nserver issuer=ca dns=mx.example.net dns=mail.example.net\n", r"mx\.example\.net", r"localhost")

    def test_certificate_of_an_unknown_issuer(self):
        self.unverified("ca ca=yes\nother ca=yes cn=Somebody\nserver issuer=other dns=localhost\n", r"issued by|trusted", r"Somebody")

    def test_certificate_expired(self):
        self.unverified("ca ca=yes from=-100\nserver issuer=ca dns=localhost from=-60 until=-30\n", r"expired")

    def test_certificate_not_yet_valid(self):
        self.unverified("ca ca=yes\nserver issuer=ca dns=localhost from=+10 until=+30\n", r"valid only from")

    def test_certificate_good(self):
        relay = self.relay_with("ca ca=yes\nserver issuer=ca dns=localhost\n")
        self.sendmail("-odq", "you@example.net")
        self.outpost("flush")
        relay.wait_messages(1)

    # -- the network

    def test_unknown_host(self):
        self.configure(relayhost="[relay.invalid]:587")
        self.keeps(r"relay\.invalid", r"not found|unknown|can't be resolved|resolve|look")

    def test_connection_refused(self):
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        self.keeps(r"refused")

    def test_silent_relay(self):
        relay = self.start_relay(dialogue="when greeting do wait 60000\n")
        self.configure(relay, smtp_helo_timeout="1s", smtp_connect_timeout="1s", smtp_greeting_timeout=None)
        self.keeps(r"timed out|timeout|no (greeting|answer|reply)|within")

    def test_no_starttls(self):
        relay = self.start_relay("--no-starttls", "--auth-without-tls", "--plain-ok")
        self.configure(relay)
        self.keeps(r"TLS|STARTTLS")
        counters = relay.counters()
        self.assertEqual((counters["secrets_seen"], relay.count()), (0, 0))

    # -- the queue

    def test_queue_directory_not_there(self):
        self.configure(self.start_relay(), queue_directory="/proc/no/such/place")
        done = self.sendmail("you@example.net", code=None)
        self.assertIn(done.returncode, (71, 73, 74, 75, 77, 78))
        self.assertSays(done, r"/proc/no/such/place")

    @unittest.skipIf(harness.ASAN, "nothing can be preloaded before the sanitizers")
    def test_queue_on_a_network_file_system(self):
        """Whoever comes first says so, and outpost-drop before it takes anything: nobody would ever send it from there."""
        library = os.path.join(self.tmp, "strangedisk.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(os.path.dirname(__file__), "strangedisk.c")], check=True)
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        os.mkdir(self.queue_dir, 0o700)
        nfs, words = {"LD_PRELOAD": library}, r"queue directory .*/queue is on NFS, where a queue can lose mail: set queue_directory"
        self.assertSays(self.run_program("outpost-drop", "-q", self.queue_dir, input=submission(), code=78, env=nfs), words)
        self.assertEqual(os.listdir(os.path.join(self.queue_dir, "incoming")), [])
        self.assertSays(self.run_program("outpostd", "-C", self.conf, "-f", code=78, env=nfs), words)
        self.assertSays(self.outpost("check", "--offline", code=78, env=nfs), r"FAIL +queue +" + words.replace(" ", r"\s+"))
        self.assertEqual(os.listdir(self.queue_dir), ["incoming"])

    def test_database_of_another_version(self):
        self.configure(self.start_relay())
        self.sendmail("-odq", "you@example.net")
        self.outpost("flush")
        path = os.path.join(self.queue_dir, "queue.db")
        self.wait_log(r"outpostd\[\d+\]: done")
        base = sqlite3.connect(path)
        base.execute("PRAGMA user_version = 9999")
        base.commit()
        base.close()
        done = self.outpost("flush", code=None)
        self.assertIn(done.returncode, (75, 78))
        self.assertSays(done, r"version")
        base = sqlite3.connect(path)
        self.assertEqual(base.execute("PRAGMA user_version").fetchone()[0], 9999)
        base.close()

    def test_damaged_database(self):
        """`outpost check` reads all of it; nothing is repaired by deleting."""
        self.configure(self.start_relay())
        self.sendmail("-odq", "you@example.net", input=b"Subject: x\n\n" + b"line\n" * 20000)
        self.outpost("flush")
        self.wait_log(r"outpostd\[\d+\]: done")
        self.assertIn("ok    queue", self.outpost("check", "--offline").out)
        path = os.path.join(self.queue_dir, "queue.db")
        base = sqlite3.connect(path)
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page, = base.execute("SELECT rootpage FROM sqlite_master WHERE name = 'message_due'").fetchone()
        base.close()
        with open(path, "r+b") as f:
            f.seek((page - 1) * 8192)
            f.write(b"\xee" * 8192)
        done = self.outpost("check", "--offline", code=None)
        self.assertIn(done.returncode, (65, 74))
        self.assertSays(done, r"queue: .*damaged")
        self.assertNotIn("ok    queue", done.out)
        with open(path, "rb") as f:
            f.seek((page - 1) * 8192)
            self.assertEqual(f.read(8192), b"\xee" * 8192)

    @unittest.skipUnless(shutil.which("sqlite3"), "sqlite3 is not installed: the recipe of outpost-queue(7) was not tried")
    def test_recovery(self):
        """The lines of outpost-queue(7), word for word, for pages that are damaged for real: `check` and the flusher name them, and
        all mail that was not on these pages arrives."""
        relay = self.start_relay()
        self.configure(relay)
        text = b"line\n" * 400
        subjects = ["m%d" % i for i in range(60)]
        for subject in subjects:
            self.sendmail("-odq", "you@example.net", input=b"Subject: %s\n\n%s" % (subject.encode(), text))
        service = self.start_outpostd()     # takes all of it in
        self.assertEqual(len(self.queue()), len(subjects))
        service.kill()
        victim = self.damage("message_due", b"Subject: m7\n")
        for command in (("check", "--offline"), ("flush",)):
            done = self.outpost(*command, code=None)
            self.assertNotEqual(done.returncode, 0, command)
            self.assertSays(done, r"damaged[^$]*outpost-queue\(7\)")
        self.wait_log(r"outpostd\[\d+\]: done")
        done = self.recover()
        lost = len(re.findall(r"(?m)^lost: [0-9A-F]{12} from <\S+>$", done))
        self.assertIn(lost, (victim, victim + 1))       # one may have gone on from another page
        self.assertIn("ok    queue", done)
        self.assertIn("queue.db", os.listdir(os.path.join(self.queue_dir, "damaged")))
        self.assertEqual(len(self.queue()), len(subjects) - lost)
        self.sendmail("after@example.net")
        self.outpost("flush")
        arrived = [m.header("Subject") for m in relay.messages()]
        self.assertEqual(len(arrived), len(set(arrived)))
        self.assertEqual(len(set(arrived) - {"test"}), len(subjects) - lost)
        self.assertNotIn("m7", arrived)

    @unittest.skipUnless(shutil.which("sqlite3"), "sqlite3 is not installed: the recipe of outpost-queue(7) was not tried")
    def test_recovery_of_every_page(self):
        """Whichever page is damaged, the queue is sound afterwards, and each message is there or named as lost."""
        self.configure(self.start_relay())
        n = 40
        for i in range(n):
            self.sendmail("-odq", "a@example.net", "b@example.net", input=b"Subject: %d\n\n%s" % (i, b"x" * (i * 400)))
        self.outpost("hold", self.queue()[0]["queue_id"])
        self.checkpoint()
        path = os.path.join(self.queue_dir, "queue.db")
        with open(path, "rb") as f:
            good = f.read()
        recovered = 0
        for page in range(2, len(good) // 8192, 3):
            with open(path, "wb") as f:
                f.write(good[:page * 8192] + b"\xff" * 600 + good[page * 8192 + 600:])
            if self.outpost("check", "--offline", code=None).returncode == 0:
                continue        # the page is free
            with self.subTest(page=page):
                done = self.recover()
                self.assertIn("ok    queue", done)
                self.assertLessEqual(len(self.queue()) + done.count("lost: "), n)
                recovered += len(self.queue()) == n
            shutil.rmtree(os.path.join(self.queue_dir, "damaged"))
        self.assertGreater(recovered, 2)    # indexes and history cost nothing

    def recover(self):
        """Types what outpost-queue(7) says, where the service manager has nothing to do. What was printed."""
        with open(os.path.join(harness.SRC, "man", "outpost-queue.7"), encoding="utf-8") as f:
            page = f.read()
        recipe = re.search(r"\.Ss Recovering a damaged queue\n.*?\.Bd [^\n]*\n(.*?)\.Ed\n", page, re.S).group(1)
        bin = os.path.join(self.tmp, "bin")
        os.makedirs(bin, exist_ok=True)
        for name, text in (("systemctl", "exit 0"), ("outpost", 'exec %s -C %s "$@"' % (harness.program("outpost"), self.conf))):
            path = os.path.join(bin, name)
            with open(path, "w") as f:
                f.write("#!/bin/sh\n%s\n" % text)
            os.chmod(path, 0o755)
        recipe = recipe.replace("\\e", "\\")      # mdoc's backslash
        done = subprocess.run(["sh", "-c", recipe], env=self.environ({"PATH": "%s:%s" % (bin, os.environ["PATH"])}),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.decode()

    def checkpoint(self):
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        base.close()

    def damage(self, table, text):
        """Writes over the root of a table or index, and over the page that holds this text, if any: how many messages were on it."""
        path = os.path.join(self.queue_dir, "queue.db")
        base = sqlite3.connect(path)
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root, = base.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        base.close()
        with open(path, "r+b") as f:
            data = f.read()
            page = data.index(text) // 8192 if text else root - 1
            for at in (root - 1, page):
                f.seek(at * 8192)
                f.write(b"\xee" * 8192)
        return data[page * 8192:(page + 1) * 8192].count(b"Subject: m")

    def test_database_of_another_program(self):
        self.configure(self.start_relay())
        os.mkdir(self.queue_dir, 0o700)
        path = os.path.join(self.queue_dir, "queue.db")
        base = sqlite3.connect(path)
        base.execute("CREATE TABLE cats (name TEXT)")
        base.close()
        with open(path, "rb") as f:
            before = f.read()
        service = self.start_outpostd(wait=False)
        self.assertEqual(service.wait(), 78)
        self.assertRegex(service.output() + self.log_text(), "is the database of another program; it was left as it is")
        self.assertSays(self.outpost("check", "--offline", code=None), r"is the database\s+of\s+another\s+program")
        with open(path, "rb") as f:
            self.assertEqual(f.read(), before)

    def test_database_that_is_none(self):
        self.configure(self.start_relay())
        self.sendmail("-odq", "you@example.net")
        path = os.path.join(self.queue_dir, "queue.db")
        for name in os.listdir(self.queue_dir):
            if name.startswith("queue.db"):
                os.unlink(os.path.join(self.queue_dir, name))
        with open(path, "wb") as f:
            f.write(b"this is no database " * 1000)
        os.chmod(path, 0o600)
        done = self.outpost("flush", code=None)
        self.assertNotEqual(done.returncode, 0)
        with open(path, "rb") as f:
            self.assertTrue(f.read().startswith(b"this is no database"), "it was 'repaired'")

    def test_disk_full(self):
        disk = os.path.join(self.tmp, "disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", disk], stderr=subprocess.PIPE)
        if mounted.returncode != 0:
            self.skipTest("can't mount a tmpfs here: " + mounted.stderr.decode("utf-8", "replace").strip())
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        relay = self.start_relay()
        self.queue_dir = os.path.join(disk, "queue")
        self.configure(relay)
        body = b"Subject: x\n\n" + (b"x" * 70 + b"\n") * 2000       # 142 KB each
        service = self.start_outpostd()
        accepted = self.fill(body)
        service.stop()
        accepted += self.fill(body)         # nobody listens: the drop
        # On a disk that takes no commit nothing may be sent: what went out could not be written down. What the full disk
        # undid has made room, so that it may take one.
        self.assertIn(self.outpost("flush", code=None, timeout=20).returncode, (0, 75))
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        self.outpost("flush", timeout=60)
        self.assertEqual(len(relay.messages()), accepted, "accepted and lost, or sent twice")

    def fill(self, body):
        """Submits until it is refused, as it must be; returns how many were accepted."""
        codes = [self.sendmail("-odq", "you@example.net", input=body, code=None) for _ in range(12)]
        refused = [c for c in codes if c.returncode]
        self.assertTrue(refused, "the disk was never full")
        for c in refused:
            self.assertIn(c.returncode, (74, 75), c.err)
            self.assertRegex(c.err, r"(?i)no space|full")
        return len(codes) - len(refused)


if __name__ == "__main__":
    harness.main()
