"""A person's first quarter of an hour, with each mistake of tests/data/mistakes.json made on purpose, on a machine of their
own: what appears names the mistake and the mend. Where mail waits for it, the same words stand in flush, the log, mailq
and status as in check."""
import json
import os
import re

import harness
import machine

SECRET = harness.PASSWORD
MAIN_CF = {"relayhost": "[mail.example.com]:587", "smtp_sasl_auth_enable": "yes",
           "smtp_sasl_password_maps": "hash:/etc/outpost/sasl_passwd", "smtp_sasl_security_options": "noanonymous",
           "smtp_tls_security_level": "encrypt", "myorigin": "example.com"}
PASSWD = "[mail.example.com]:587 %s:%s\n" % (harness.USER, SECRET)
BLOCKED = """
import socket, time
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 587))
    s.listen(0)
    full = [socket.socket() for _ in range(4)]
    for f in full:
        f.setblocking(False)
        try:
            f.connect(("127.0.0.1", 587))
        except BlockingIOError:
            pass
    print("full", flush=True)
    time.sleep(600)
"""

LISTENING = """
import socket, time
with socket.create_server(("127.0.0.1", 25)) as s:
    print("listens", flush=True)
    time.sleep(600)
"""


def with_reply(event, reply):
    return 'when %s do reply "%s"\n' % (event, reply)


class Mistakes(machine.Machine):
    hosts = ("mail.example.com", "localhost.localdomain")

    def setUp(self):
        super().setUp()
        self.log = os.path.join(self.tmp, "var", "log")
        os.mkdir(os.path.dirname(self.log))
        os.chown(os.path.dirname(self.log), machine.UID, machine.UID)
        self.relays = 0

    # -- what a person does

    def configure(self, passwd=PASSWD, mode=0o600, raw="", **changes):
        lines = dict(MAIN_CF, maillog_file=self.log, alias_maps="hash:/etc/aliases", **changes)
        self.write("/etc/aliases", "root: you@example.com\n")
        self.write("/etc/outpost/main.cf", "".join("%s = %s\n" % kv for kv in lines.items() if kv[1] is not None) + raw)
        self.write("/etc/outpost/sasl_passwd", passwd, mode)

    def new_relay(self, *flags, **options):
        self.relays += 1
        return self.relay(*flags, name="relay%d" % self.relays, **options)

    def said(self, *commands):
        """What the commands said, on one line, without the secret."""
        out = " ".join(self.type(command, code=None).out for command in commands)
        self.assertNotIn(SECRET, out)
        return re.sub(r"(?:-->|\s)+", " ", out)

    def holds(self, where, text, patterns):
        for pattern in patterns:
            self.assertRegex(text, re.compile(pattern, re.I), "%s does not say it" % where)

    def works(self, relay, *checked):
        """check says what is odd; the mail goes all the same."""
        self.holds("check", self.said("outpost check"), checked)
        self.type("echo hello | sendmail you@example.net")
        self.type("outpost flush")
        relay.wait_messages(1)
        self.end(relay)

    def waits(self, relay, names, mends, checked=()):
        """The mail waits, and everywhere stands why: `names` in all places, `mends` where a mend is told."""
        self.holds("check", self.said("outpost check"), (*names, *mends, *checked))
        self.type("echo hello | sendmail you@example.net")
        told = self.type("outpost flush", code=None)
        self.assertIn(told.returncode, (75, 78), told.out)
        self.no_flusher()
        self.holds("flush", told.flat, (*names, *mends))
        self.holds("the log", " ".join(self.log_text().split()), names)
        self.holds("root's mailq", self.said("outpost queue"), names)
        self.holds("status", self.said("outpost status"), (*names, *mends))
        self.holds("mailq", " ".join(self.type("mailq", uid=machine.ALICE).out.split()), [r"1 Request\."])
        self.assertNotIn(SECRET, self.log_text())
        self.end(relay)

    def refused(self, relay, names, mends):
        """The relay refuses the message: the sender is told, and test, log, show and queue --failed say why."""
        self.type("echo hello | sendmail -odq you@example.net")
        self.assertRegex(self.type("outpost flush").out, "1 failed")
        self.no_flusher()
        failed = self.said("outpost queue --failed")
        self.holds("queue --failed", failed, names)
        id = re.search(r"([0-9A-F]{10,})#", failed).group(1)
        self.holds("show", self.said("outpost show " + id), (*names, *mends))
        self.holds("outpost log", self.said("outpost log"), names)
        self.holds("the log", self.log_text(), (r"status=bounced \(.*" + names[0],))
        self.holds("status", self.said("outpost status"), [r"1 failed", r"`outpost queue --failed`"])
        tested = self.type("outpost test you@example.net", code=69).flat
        self.holds("test", tested, (*names, *mends))
        self.end(relay)

    def message_waits(self, relay, names, mends):
        """The relay refuses the message for what main.cf can fix: it waits, and test, log, show and queue say why."""
        self.type("echo hello | sendmail -odq you@example.net")
        self.assertRegex(self.type("outpost flush", code=75).out, "1 deferred")
        self.no_flusher()
        waiting = self.said("outpost queue")
        self.holds("queue", waiting, names)
        id = re.search(r"([0-9A-F]{10,})", waiting).group(1)
        self.holds("show", self.said("outpost show " + id), (*names, *mends))
        self.holds("outpost log", self.said("outpost log"), names)
        self.holds("the log", self.log_text(), (r"status=deferred \(.*" + names[0],))
        self.holds("test", self.type("outpost test you@example.net", code=75).flat, (*names, *mends))
        self.end(relay)

    def end(self, relay=None):
        self.no_flusher()
        if relay:
            relay.stop()
        self.type("outpost delete --all --quiet; rm -rf /var/spool/outpost/queue.db*")
        if os.path.exists(self.log):
            os.unlink(self.log)

    # -- others

    def test_a_queue_restored_as_root(self):
        """All of the mail that is submitted is refused: the words lead to the directory, not to what is in order."""
        self.configure()
        self.type("chown -R 0:0 /var/spool/outpost")
        said = self.said("outpost check --offline")
        self.holds("check", said, ["FAIL queue .*belongs to root, not to outpost", "chown -R outpost:outpost /var/spool/outpost"])
        self.assertNotIn("6711", said)
        for mode in ("6711", "0755"):       # a backup without the bits of a set-id program
            self.type("chmod %s /usr/libexec/outpost/outpost-drop" % mode)
            for command in ("status", "flush", "queue"):
                self.assertIn("belongs to root, not to outpost; type: chown -R outpost:outpost /var/spool/outpost",
                              self.type("outpost " + command, code=78).flat)
        self.type("test ! -e /var/spool/outpost/queue.db; chmod 6711 /usr/libexec/outpost/outpost-drop")
        refused = self.type("echo hello | sendmail you@example.net", uid=machine.ALICE, code=75).flat
        self.assertIn("chown -R %d:%d /var/spool/outpost" % (machine.UID, machine.UID), refused)

    def test_a_queue_of_another_user(self):
        """Uids moved, or somebody's chown went too far: the directory is named, not outpost-drop, which is in order."""
        self.configure()
        self.type("chown -R alice:alice /var/spool/outpost")
        said = self.said("outpost check --offline")
        self.holds("check", said, ["FAIL queue .*belongs to alice, not to outpost", "chown -R outpost:outpost /var/spool/outpost"])
        self.assertNotIn("6711", said)
        self.type("outpost flush", code=None)
        self.assertEqual(self.type("stat -c '%U:%G %a' /etc/outpost/sasl_passwd").flat, "root:root 600", "alice can read the password")

    def test_without_being_root(self):
        self.configure()
        for command in ("status", "queue", "check --offline"):
            self.assertIn("the queue in /var/spool/outpost belongs to outpost: run this as root; what you sent yourself is shown by mailq",
                          self.type("outpost " + command, uid=machine.ALICE, code=77).flat)
        self.end()

    def test_smtp_on_loopback(self):
        """What check asks for it asks for no longer once it is done."""
        relay = self.new_relay()
        self.configure(inet_interfaces="loopback-only")
        words = "type: systemctl stop outpost; systemctl enable --now outpost-loopback.socket"
        self.assertIn(words, self.said("outpost check"))
        served = self.start("/usr/bin/python3", "-c", LISTENING, log=os.path.join(self.tmp, "served.log"))
        harness.wait_for("a listener", lambda: "listens" in served.output())
        self.assertNotIn(words, self.said("outpost check"))
        served.stop()
        self.end(relay)

    def test_main_cf_for_root_alone(self):
        """A careful chmod 600: what root can read, outpost's user can't."""
        self.configure()
        relay = self.new_relay()
        self.type("chmod 600 /etc/outpost/main.cf; echo hello | sendmail -odq you@example.net")
        self.assertIn("/etc/outpost/main.cf cannot be read by outpost's user; type: chown root:outpost /etc/outpost/main.cf && "
                      "chmod 0640 /etc/outpost/main.cf", self.type("outpost status", code=78).flat)
        self.assertIn("/etc/outpost/main.cf is now root:outpost 0640", self.said("outpost check"))
        self.type("outpost status --quiet; outpost flush")
        relay.wait_messages(1)
        self.type("chmod 600 /etc/outpost/main.cf; outpost flush")
        self.type("echo hello | sendmail you@example.net", uid=machine.ALICE)
        relay.wait_messages(2)
        self.end(relay)

    def test_directory_that_outpost_may_not_enter(self):
        """The words lead to the directory, not to a file whose mode is in order."""
        relay = self.new_relay()
        self.configure()
        words = r"/etc/outpost/main\.cf cannot be read by outpost's user, who may not enter /etc/outpost; type: chmod o\+x /etc/outpost"
        self.type("chmod 700 /etc/outpost; echo hello | sendmail -odq you@example.net")
        self.holds("check", self.said("outpost check"), ["FAIL main.cf " + words])
        for command in ("status", "flush"):
            self.holds(command, self.type("outpost " + command, code=78).flat, [words])
        self.type("chmod 755 /etc/outpost; outpost flush")
        relay.wait_messages(1)
        self.end()
        # The map lies where a tutorial of Postfix put it, or is a link to there.
        self.configure(smtp_sasl_password_maps="hash:/etc/outpost/sasl/passwd")
        self.type("mkdir -m 700 /etc/outpost/sasl; mv /etc/outpost/sasl_passwd /etc/outpost/sasl/passwd")
        names = r"/passwd cannot be read by outpost's user, who may not enter /etc/outpost/sasl; type: chmod o\+x /etc/outpost/sasl"
        self.waits(None, [r"/etc/outpost/sasl" + names], [r"let outpost's user into that directory"])
        self.configure()
        self.type("ln -sf sasl/passwd /etc/outpost/sasl_passwd")
        self.waits(None, [r"sasl_passwd cannot be read by outpost's user, who may not enter /etc/outpost/sasl; type: chmod o\+x /etc/outpost/sasl"], [])
        self.end(relay)

    # -- the mistakes, by their number in the file

    def mistake_1_port_465_without_wrappermode(self):
        self.configure(PASSWD.replace("587", "465"), relayhost="[mail.example.com]:465")
        self.works(self.new_relay(), r"\[mail\.example\.com\]:465: TLS from the first byte")
        self.configure(PASSWD.replace("587", "4465"), relayhost="[mail.example.com]:4465", smtp_helo_timeout="2s", smtp_starttls_timeout="2s")
        self.waits(self.new_relay(port465="4465", port587="off"), [r"timed out while receiving the initial server greeting"],
                   [r"smtp_tls_wrappermode = yes"])

    def mistake_2_wrappermode_with_587(self):
        self.configure(smtp_tls_wrappermode="yes")
        self.works(self.new_relay(), r"smtp_tls_wrappermode = yes with port 587.*remove the line")

    def mistake_3_no_brackets(self):
        self.configure(relayhost="mail.example.com:587")
        self.waits(self.new_relay(), [r"MX"], [r"relayhost = \[mail\.example\.com\]:587"], [r"no brackets"])

    def mistake_4_other_key(self):
        for key in ("[mail.example.com]:465", "smtp.example.com"):
            self.configure("%s %s:%s\n" % (key, harness.USER, SECRET))
            self.waits(self.new_relay(), [r"no password for this relay in smtp_sasl_password_maps .*keys tried: .*\[mail\.example\.com\]:587"],
                       [r"\[mail\.example\.com\]:587 user:password"])

    def mistake_5_other_file(self):
        self.configure(smtp_sasl_password_maps="hash:/etc/outpost/sasl/passwd")
        self.waits(self.new_relay(), [r"/etc/outpost/sasl/passwd: No such file or directory; there is a file /etc/outpost/sasl_passwd"], [])

    def mistake_6_readable_by_everybody(self):
        self.configure(mode=0o644)
        self.waits(self.new_relay(), [r"sasl_passwd holds a password and is open to everybody"],
                   [r"chown root:outpost /etc/outpost/sasl_passwd && chmod 0640 /etc/outpost/sasl_passwd"])

    def mistake_7_odd_characters(self):
        for password in ("two words", "a#b", "a:b@c", "'single", 'b"c', "$dollar$", "ü€", "a@b.example:c"):
            self.configure(PASSWD.replace(SECRET, password))
            self.works(self.new_relay(password=password), r"logged in")
        self.configure('[mail.example.com]:587 "%s:%s"\n' % (harness.USER, SECRET))
        self.waits(self.new_relay(), [r"535"], [r"password.*without quotes"], [r"quotes around the user or the password"])

    def mistake_8_no_such_ca_file(self):
        mend = r"smtp_tls_CAfile = /etc/ssl/certs/ca-certificates\.crt"
        self.configure(smtp_tls_CAfile="/etc/pki/tls/certs/ca-bundle.crt")
        self.works(self.new_relay(), r"/etc/pki/tls/certs/ca-bundle\.crt: no such file here; this system's own", mend)
        self.configure(smtp_tls_CAfile="/etc/postfix/cacert.pem")
        self.waits(self.new_relay(), [r"/etc/postfix/cacert\.pem.*no such file"], [mend])

    def mistake_9_application_password_or_oauth2(self):
        for reply, mend in (("535 5.7.8 Username and Password not accepted. BadCredentials", r"apppasswords|application password"),
                            ("534 5.7.9 Application-specific password required", r"application password"),
                            ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled", r"OAuth2"),
                            ("550 5.7.30 Basic authentication is not supported for Client Submission", r"OAuth2")):
            self.configure()
            self.waits(self.new_relay(dialogue=with_reply("auth", reply)), [re.escape(reply[4:10])], [mend])

    def mistake_10_sender_refused(self):
        for reply in ("550 5.7.60 SMTP; Client does not have permissions to send as this sender",
                      "553 5.7.1 <root@example.com>: Sender address rejected: not owned by user",
                      "554 5.7.1 <root@example.com>: Sender address rejected",
                      "554 Message rejected: Email address is not verified. The following identities failed the check"):
            self.configure()
            self.message_waits(self.new_relay(dialogue=with_reply("mail arg~@example.com", reply)), [re.escape(" ".join(reply.split()[1:3]))], [r"from_address = "])

    def mistake_11_no_alias_for_root(self):
        relay = self.new_relay()
        self.configure(myorigin=None, myhostname="localhost.localdomain")
        self.write("/etc/aliases", "# nothing\n")
        for place in ("check", "status"):
            self.holds(place, self.said("outpost " + place), [r"mail for root .*would go to root@localhost\.localdomain",
                                                              r"root: you@example\.com", r"/etc/aliases"])
        self.holds("check", self.said("outpost check"), [r"mail is sent from user@localhost\.localdomain", r"myorigin = example\.com"])
        self.end(relay)

    def mistake_12_no_mechanism_in_common(self):
        self.configure(smtp_sasl_mechanism_filter="plain, login")
        self.waits(self.new_relay("--auth", "CRAM-MD5"), [r"no login mechanism in common .*CRAM-MD5"], [r"remove smtp_sasl_mechanism_filter"])
        relay = self.new_relay()
        self.configure(smtp_tls_security_level="none")
        self.waits(relay, [r"TLS"], [r"remove smtp_tls_security_level = none"])
        self.configure(smtp_tls_security_level=None, smtp_use_tls="no")
        self.waits(self.new_relay("--auth", "PLAIN"), [r"TLS"], [r"smtp_use_tls = no"])

    def mistake_13_the_provider_blocks_the_port(self):
        blocked = self.start("/usr/bin/python3", "-c", BLOCKED, log=os.path.join(self.tmp, "blocked.log"))
        harness.wait_for("a full backlog", lambda: "full" in blocked.output())
        self.configure(smtp_connect_timeout="2s")
        self.waits(None, [r"connect to mail\.example\.com\[127\.0\.0\.1\]:587: Connection timed out"],
                   [r"hosting providers block", r"\[mail\.example\.com\]:465"])
        blocked.stop()

    def mistake_14_misspelt(self):
        unknown = r"no parameter is called %s: the line has no effect \(%s is meant\?\)"
        self.configure(relayhost=None, raw="relay_host = [mail.example.com]:587\n")
        self.waits(None, [r"relayhost is not set"], [r"relay_host", r"relayhost = \["], [unknown % ("relay_host", "relayhost")])
        self.configure(smtp_sasl_password_maps=None, raw="smtp_sasl_passwd_maps = hash:/etc/outpost/sasl_passwd\n")
        self.waits(self.new_relay(), [r"530 5\.7\.0 Authentication required"], [r"smtp_sasl_password_maps = ", r"smtp_sasl_passwd_maps"],
                   [unknown % ("smtp_sasl_passwd_maps", "smtp_sasl_password_maps")])
        self.configure(raw="smtp_tls_ca_file = /etc/ssl/other.pem\n")
        relay = self.new_relay()
        self.type("echo hello | sendmail -odq you@example.net; outpost flush")
        for place, text in (("the log", self.log_text()), ("check", self.said("outpost check")), ("status", self.said("outpost status"))):
            self.holds(place, text, [unknown % ("smtp_tls_ca_file", "smtp_tls_CAfile")])
        self.end(relay)


def seen():
    with open(os.path.join(harness.SRC, "tests", "data", "mistakes.json"), encoding="utf-8") as f:
        return json.load(f)["mistakes_seen"]


def one(name):
    def test(self):
        getattr(self, name)()
    return test


# Each mistake of the file is a test; one without, or a test too many, is a mistake of ours.
for number, text in enumerate(seen(), 1):
    name, = [n for n in vars(Mistakes) if n.startswith("mistake_%d_" % number)]
    case = one(name)
    case.__doc__ = text
    setattr(Mistakes, name.replace("mistake", "test", 1), case)
assert len([n for n in vars(Mistakes) if n.startswith("mistake_")]) == len(seen())


if __name__ == "__main__":
    harness.main()
