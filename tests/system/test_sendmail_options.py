"""sendmail's options: what the manuals of Postfix and Sendmail 8 have is taken; nothing else is."""
import os
import re
import subprocess

import harness

# Options with no visible effect here, in the forms that programs use.
ACCEPTED = """-Am|-Ac|-B8BITMIME|-B 7BIT|-bm|-ba|-F Name|-FCronDaemon|-G|-h 5|-h5|-i|-L tag|-Ltag|-m|-n|-oem|-oee|-odb|-odi|-oi|-om
-o7|-o8|-oA/etc/aliases|-O DeliveryMode=b|-ODeliveryMode=b|-O ErrorMode=m|-OQueueDirectory=/tmp|-p smtp:host|-U|-U -v|-X /dev/null
-e m|-em|-eq|-c|-s|-x|-D /dev/null|-d1.2|-M x|-oT3d|-oQ/tmp|-oee -oi|-om -oem -oi|-Am -B 8BITMIME -i -f me
-N failure,delay -R hdrs -V id1|-Nnever|-N success|-Rfull|-r me|-rme|-it -i|-ti -odb|-iodb|-ioem|-v|-odbackground|-O IgnoreDots=True""".replace("\n", "|").split("|")

REFUSED = ["-a", "-aume", "-E", "-g", "-H", "-J", "-k", "-K", "-l", "-P", "-S", "-u", "-W", "-w", "-y", "-z", "-by", "-bx",
           "-Ax", "-o@", "-Bfoo", "-Nmaybe", "-N never,delay", "-Rbody", "-Oname", "-qx", "-qR", "--nonsense", "-iZ", "-j",
           "-V", "-f"]


# Every option that the manuals have, and the exit status here: Postfix's sendmail(1), and sendmail(8) and the Installation and
# Operation Guide (5.9, D) of Sendmail 8.17. What is 0 here submits, or answers a question.
POSTFIX = """-Ac 0|-Am 0|-B 8BITMIME 0|-bd 69|-bh 69|-bH 69|-bi 0|-bl 69|-bm 0|-bp 0|-bs 0|-bv 0|-C CONF 0|-D /dev/null 0|-F Name 0
-f me@example.org 0|-G 0|-h 5 0|-I 0|-i 0|-L label 0|-m 0|-N never 0|-n 0|-oA/etc/aliases 0|-O Name=value 0|-o7 0|-o8 0|-oi 0|-om 0
-oee 0|-q 0|-q30m 0|-qIXYZ 65|-qRsite 0|-qSsite 0|-r me@example.org 0|-R hdrs 0|-t 0|-U 0|-V id 0|-XV 0|-XV+= 0|-v 0|-X log 0
-c 0|-e m 0|-s 0|-x 0""".replace("\n", "|").split("|")
SENDMAIL = """-Ac 0|-Am 0|-B7BIT 0|-ba 0|-bC 0|-bd 69|-bD 69|-bh 69|-bH 69|-bi 0|-bm 0|-bp 0|-bP 0|-bs 0|-bt 69|-bv 0|-CCONF 0
-D /dev/null 0|-d0.1 0|-d 0|-d21.12 0|-FName 0|-fme@example.org 0|-G 0|-h1 0|-L tag 0|-Mxvalue 0|-N success,delay 0|-n 0
-ODeliveryMode=i 0|-OTimeout.queuereturn=2d 0|-odi 0|-odb 0|-odq 0|-odd 0|-oeq 0|-oep 0|-oew 0|-oem 0|-oQ/var/spool 0|-oT5d 0|-ov 0
-p smtp:host 0|-q 0|-q1h30m 0|-qp15m 0|-qf 0|-qGgroup 0|-qIXYZ 65|-q!IXYZ 0|-qRsub 0|-q!Rsub 0|-qSsub 0|-q!Ssub 0
-qQreason 69|-q!Qreason 69|-qL 69|-Q 69|-Qreason 69|-Rfull 0|-rme@example.org 0|-t 0|-U 0|-Vid 0|-v 0|-X/dev/null 0
-c 0|-em 0|-I 0|-m 0|-s 0""".replace("\n", "|").split("|")


class Options(harness.SystemTest):
    needs = ("sendmail", "outpost-drop")

    def setUp(self):
        super().setUp()
        self.configure(relayhost="[localhost]:1")

    def test_accepted(self):
        for text in ACCEPTED:
            with self.subTest(text):
                done = self.sendmail("-odq", *text.split(" "), "you@example.net", input=b"To: x@example.net\n\nx\n")
                if "-v" not in text:
                    self.assertEqual(done.err + done.out, "")

    def test_refused(self):
        for text in REFUSED:
            with self.subTest(text):
                args = ["you@example.net", text] if text in ("-V", "-f") else text.split(" ", 1) + ["you@example.net"]
                done = self.sendmail("-odq", *args, code=64)
                self.assertRegex(done.err, r"\Asendmail: [^\n]+\n\Z")

    def test_both_manuals(self):
        """Each of their options is in ours and does what is said there; what it says no to, it says in one line."""
        self.start_outpostd()
        for line in dict.fromkeys(POSTFIX + SENDMAIL):
            option, code = line.rsplit(" ", 1)
            with self.subTest(option):
                args = [a.replace("CONF", self.conf) for a in option.split(" ")]
                asks = re.match("-(b[^ma]|q|Q|I|d0)", option)
                done = self.sendmail("-odq", *args, *(["you@example.net"] if not asks or "v" in option else []),
                                     input=b"" if asks else b"To: x@example.net\n\nx\n", code=int(code))
                if code != "0":
                    self.assertRegex(done.err, r"\Asendmail: [^\n]+\n\Z")

    def test_the_manual_has_them_all(self):
        with open(os.path.join(harness.SRC, "src/sendmail/options.c")) as f:
            table = set(re.findall(r"^\t\{'(.)', (?:NONE|REQUIRED|GLUED)", f.read(), re.M))
        with open(os.path.join(harness.SRC, "man/sendmail.8")) as f:
            page = f.read()
        items = re.findall(r"^\.It Fl (.*)$", page, re.M)
        self.assertEqual({name[0] for item in items for name in re.split(r" , (?:Fl )?", item) if name[0] not in "-"}, table)
        for line in POSTFIX + SENDMAIL:
            self.assertIn(line[1], table)
            if line[1] == "b":
                self.assertTrue(any(re.search(r"\b%s\b" % line[1:3], item) for item in items), line)

    def test_arguments_are_never_recipients(self):
        """The argument of an option without effect is not somebody to write to."""
        self.sendmail("-odq", "-X", "x@example.net", "-L", "l@example.net", "-h", "9", "-p", "p@example.net", "-D", "d", "-o", "i",
                      "-B", "7BIT", "-O", "A=b", "you@example.net")
        self.assertEqual(self.addresses(), ["you@example.net"])

    def test_after_recipients_and_double_dash(self):
        done = self.sendmail("-odq", "a@example.net", "-i", "b@example.net", "--", "-x@example.net", "-t")
        rows = self.addresses()
        self.assertEqual(sorted(rows), ["-t@example.com", "-x@example.net", "a@example.net", "b@example.net"])
        self.assertEqual(done.err, "")

    def addresses(self):
        self.start_outpostd()
        row, = self.queue()
        return [r["address"] for r in row["recipients"]]

    def test_last_sender_wins(self):
        self.sendmail("-odq", "-f", "first@example.org", "-fsecond@example.org", "you@example.net")
        self.start_outpostd()
        row, = self.queue()
        self.assertEqual(row["sender"], "second@example.org")

    def test_a_writer_is_heard_out(self):
        """What is refused is read all the same: who writes it learns why, not that a pipe broke."""
        for args, code in ((("-zz", "you@example.net"), 64), (("@",), 65), (("-f", "a b", "you@example.net"), 65),
                           (("-C", "/nonexistent/x", "you@example.net"), 66)):
            with self.subTest(args):
                p = subprocess.Popen([harness.program("sendmail"), *args], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                     env=self.environ())
                harness.wait_for("its words", lambda p=p: p.stderr.peek(1))     # it has decided; now we write
                p.stdin.write(b"Subject: x\n\n" + b"a line of text\n" * 70000)
                p.stdin.close()
                self.assertEqual(p.wait(20 * harness.PATIENCE), code)
                self.assertRegex(p.stderr.read(), rb"\Asendmail: [^\n]+\n\Z")
                p.stderr.close()

    def test_a_writer_who_never_ends_is_left(self):
        p = subprocess.Popen([harness.program("sendmail"), "-zz"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             env=self.environ())
        self.assertEqual(p.wait(10 * harness.PATIENCE), 64)
        p.stdin.close()

    def test_config_as_a_file(self):
        self.run_program("sendmail", "-C", os.path.join(self.conf, "main.cf"), "-odq", "you@example.net", input=b"x\n")
        self.run_program("sendmail", "-odq", "you@example.net", input=b"x\n", env={"MAIL_CONFIG": self.conf})
        self.start_outpostd()
        self.assertEqual(len(self.queue()), 2)


class Questions(harness.SystemTest):
    """Nothing that asks a question ever sends mail."""
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        with open(os.path.join(self.tmp, "aliases"), "w") as f:
            f.write("root: ann, ops@example.net\nann: ann@example.org\nloop: loop2\nloop2: loop\n")
        self.configure(self.relay, alias_maps="hash:" + os.path.join(self.tmp, "aliases"))

    def test_verify(self):
        done = self.sendmail("-bv", "root", "x@example.org, y")
        self.assertEqual([line.split()[-1] for line in done.out.splitlines()],
                         ["ann@example.org", "ops@example.net", "x@example.org", "y@example.com"])
        self.sendmail("-bv", "a@", code=65)
        self.sendmail("-bv", code=64)
        done = self.sendmail("-bv", "loop")
        self.assertIn("loop", done.err)
        self.assertEqual(self.relay.count(), 0)

    def test_list_and_flush(self):
        self.start_outpostd()
        self.assertEqual(self.sendmail("-bp").out, "Mail queue is empty\n")
        self.assertEqual(self.sendmail("-bP").out, "Total requests: 0\n")
        self.sendmail("-odq", "you@example.net")
        self.assertEqual(self.sendmail("-bP").out, "Total requests: 1\n")
        self.assertRegex(self.sendmail("-bp", "-v").out, r"(?s)\A----Queue ID-----.*you@example\.net\n.*-- \d+ Kbytes in 1 Request\.\n\Z")
        self.sendmail("-q")
        self.relay.wait_messages(1)

    def test_count_where_nobody_listens(self):
        self.sendmail("-odq", "you@example.net")
        self.assertEqual(self.sendmail("-bP").out, "Total requests: 1\n")

    def queue_some(self):
        self.sendmail("-odq", "-f", "ann@one.example", "x@site.example")
        self.sendmail("-odq", "-f", "bob@two.example", "y@site.example", "z@other.example")
        self.sendmail("-odq", "-f", "bob@two.example", "z@third.example")

    def left(self):
        return sorted(r["address"] for row in self.queue() for r in row["recipients"])

    def test_some_of_the_queue(self):
        self.start_outpostd()
        self.queue_some()
        self.assertEqual(self.sendmail("-qRnowhere.example").err, "")
        self.sendmail("-qRSITE.example")
        self.relay.wait_messages(2)
        harness.wait_for("the verdicts", lambda: self.left() == ["z@third.example"])
        self.queue_some()
        self.sendmail("-qSann@")
        self.relay.wait_messages(3)
        harness.wait_for("the verdicts", lambda: "x@site.example" not in self.left())
        self.sendmail("-q!Sbob@")       # none of those that are left
        ids = [row["queue_id"] for row in self.queue() if row["recipients"][0]["address"] == "z@third.example"]
        self.sendmail("-qI" + ids[0].lower())
        self.relay.wait_messages(4)
        harness.wait_for("the verdicts", lambda: len(self.queue()) == 2)
        self.assertEqual(self.sendmail("-qINOSUCH", code=65).err, 'sendmail: no queued message\'s id holds "NOSUCH"\n')
        self.sendmail("-q!Rthird.example")
        self.relay.wait_messages(5)
        harness.wait_for("the verdicts", lambda: self.left() == ["z@third.example"])

    def test_some_of_many(self):
        """More than fit in one page of the queue."""
        self.start_outpostd()
        for i in range(110):
            self.sendmail("-odq", "%s%d@site.example" % ("even" if i % 2 == 0 else "odd", i))
        self.sendmail("-qReven")
        self.assertTrue(all(m.recipients[0].startswith("even") for m in self.relay.wait_messages(55)))

    def test_some_of_the_queue_without_a_daemon(self):
        """The flusher that is started for it leaves the others alone."""
        self.queue_some()
        self.start_outpostd()
        self.outpostd_service.stop()
        self.sendmail("-qRthird.example")
        self.assertEqual(self.relay.wait_messages(1)[0].recipients, ["z@third.example"])
        harness.wait_for("the verdict", lambda: self.left() == ["x@site.example", "y@site.example", "z@other.example"])
        self.assertEqual(self.relay.count(), 1)

    def test_runs_that_say_what_they_are_not(self):
        self.start_outpostd()
        self.assertEqual(self.sendmail("-q30m").err, "sendmail: -q30m: the queue is run once; outpostd runs it at its own times "
                         "(minimal_backoff_time)\n")
        self.assertIn("-qp: the queue is run once", self.sendmail("-qp").err)
        self.assertEqual(self.sendmail("-qf").err, "")
        self.assertIn("no queue groups", self.sendmail("-qGmain").err)

    def test_flush_without_a_daemon(self):
        self.sendmail("-odq", "you@example.net")
        self.sendmail("-q")
        self.relay.wait_messages(1)

    def test_no_question_sends(self):
        """Whatever stands around it, in any order, and with a message on standard input."""
        self.start_outpostd()
        for question in ("-bv", "-bp", "-bP", "-bt", "-bi", "-bh", "-bC", "-q", "-qRx", "-Q", "-I", "-d0"):
            for around in (["-t", "-i"], ["-bm", "-oi", "-t"], ["-f", "me@example.org", "-odi"]):
                for args in ([question, *around], [*around, question]):
                    self.sendmail(*args, "you@example.net", input=b"To: a@example.net\n\nx\n", code=None)
        self.assertEqual((self.queue(), self.relay.count()), ([], 0))

    def test_the_rest(self):
        self.assertEqual(self.sendmail("-bi").out, "")
        for args, code in ((["-bt"], 69), (["-bd"], 69), (["-bd", "-q30m"], 69), (["-bD"], 69), (["-bh"], 69), (["-bH"], 69),
                           (["-Q"], 69), (["-qQspam"], 69), (["-bp", "-qL"], 69), (["-bC"], 0), (["-d0.1", "-bt"], 0), (["--version"], 0), (["--help"], 0)):
            done = self.sendmail(*args, input=b"To: a@example.net\n\nx\n", code=code)
            if code:
                self.assertRegex(done.err, r"\Asendmail: [^\n]+\n\Z")
        self.assertEqual(self.relay.count(), 0)


class SmallServers(harness.SystemTest):
    """Aliases, maps and from_address, from sendmail to the relay."""
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def go(self, *args, data=b"From: root (Cron Daemon)\nTo: root\n\nx\n", **params):
        relay = self.start_relay()
        self.configure(relay, **params)
        self.start_outpostd()
        self.sendmail(*args, input=data)
        return relay.wait_messages(1)[0]

    def file(self, name, text):
        path = os.path.join(self.conf, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_aliases(self):
        people = self.file("people", "a@example.net\nA@Example.net\nb@example.net\n")
        m = self.go("root", alias_maps="hash:" + self.file(
            "aliases", "root: admins, \"|/bin/x\"\nadmins: :include:%s,\n  c@example.net\n" % people))
        self.assertEqual(sorted(m.recipients), ["a@example.net", "b@example.net", "c@example.net"])

    def test_virtual_aliases(self):
        """As descriptions of servers that only send have it: all of this host's mail to one mailbox, by a pattern or by name."""
        m = self.go("-t", virtual_alias_maps="regexp:" + self.file("virtual", "/^[^@]+@example\\.com$/ admin@example.net\n"))
        self.assertEqual(m.recipients, ["admin@example.net"])
        self.assertIn(b"\nTo: root@example.com\n", m.data)
        self.assertIn("admin@example.net", self.sendmail("-bv", "root").out)

    def test_generic(self):
        m = self.go("-t", smtp_generic_maps="hash:" + self.file("generic", "root@example.com ops@example.org\n"))
        self.assertEqual((m.sender, m.recipients), ("ops@example.org", ["ops@example.org"]))
        self.assertIn(b"\nFrom: ops@example.org (Cron Daemon)\nTo: ops@example.org\n", m.data)

    def test_sender_canonical_regexp(self):
        m = self.go("-t", sender_canonical_maps="regexp:" + self.file("canon", "/.+/ only@example.org\n"))
        self.assertEqual((m.sender, m.recipients), ("only@example.org", ["root@example.com"]))
        self.assertIn(b"\nFrom: only@example.org (Cron Daemon)\nTo: root@example.com\n", m.data)

    def test_from_address(self):
        m = self.go("-f", "strange@vm", "root", from_address="ops@example.org",
                    alias_maps="hash:" + self.file("aliases", "root: ops@example.org\n"))
        self.assertEqual((m.sender, m.recipients), ("ops@example.org", ["ops@example.org"]))
        self.assertEqual(m.header("From"), "Cron Daemon <ops@example.org>")
        self.assertEqual(m.header("Reply-To").addresses[0].addr_spec, "root@example.com")

    def test_header_checks(self):
        """As descriptions for Proxmox have it: the name by which readers know the machine, and nothing of users."""
        m = self.go("-t", smtp_header_checks="pcre:" + self.file("checks", "/^From:.*/ REPLACE From: PVE 1 <pve@example.org>\n"),
                    header_checks="regexp:" + self.file("more", "/^Received:/ IGNORE\n"))
        self.assertEqual(m.header("From"), "PVE 1 <pve@example.org>")
        self.assertIsNone(m.header("Received"))

    def test_a_name_that_is_not_ascii_is_announced(self):
        m = self.go("root", data=b"Subject: x\n\nx\n", smtp_header_checks="regexp:" + self.file(
            "checks", "/^From:/ REPLACE From: Büro <ops@example.org>\n"))
        self.assertIn("From: Büro <".encode(), m.data)
        self.assertIn("BODY=8BITMIME", m.envelope["sender"]["params"])

    def test_always_bcc(self):
        m = self.go("you@example.net", always_bcc="archive@example.net")
        self.assertEqual(sorted(m.recipients), ["archive@example.net", "you@example.net"])

    def test_myorigin_file(self):
        m = self.go("root", myorigin=self.file("mailname", "file.example.org\n"))
        self.assertEqual((m.sender, m.recipients), ("root@file.example.org", ["root@file.example.org"]))


if __name__ == "__main__":
    harness.main()
