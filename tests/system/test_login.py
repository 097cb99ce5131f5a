"""Login where TLS itself has a part in it, or the password is not ASCII: EXTERNAL with a client certificate,
SCRAM bound to the channel over TLS 1.2 and 1.3, SASLprep; and what is trusted: CA files, directories, the system's
store, certificates that end soon, as agent, check and status tell it."""
import os
import re
import shutil
import subprocess
import unittest

import harness
import test_agent

TLS = {"1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}


class LoginTest(test_agent.AgentTest):
    def make(self, *lines):
        place = os.path.join(self.tmp, "certs")
        subprocess.run([harness.program("mkcert"), place, "-"], input="\n".join(lines).encode() + b"\n", check=True,
                       stdout=subprocess.DEVNULL)
        return lambda name: os.path.join(place, name)

    def mechanism(self, driven, name):
        self.assertIn(" mechanism=%s " % name, driven.text)


class External(LoginTest):
    def certificates(self):
        return self.make("clients ca=yes", "me issuer=clients purpose=client cn=me@example.com", "others ca=yes",
                         "stranger issuer=others purpose=client cn=me@example.com")

    def own(self, at, name):
        return {"certfile": at(name + ".pem"), "keyfile": at(name + ".key")}

    def test_instead_of_a_password(self):
        at = self.certificates()
        for version, priority in TLS.items():
            relay = self.start_relay("--client-ca", at("clients.pem"), "--auth", "PLAIN EXTERNAL", "--priority", priority,
                                     name="tls" + version)
            driven = self.drive(relay, **self.own(at, "me"))
            self.mechanism(driven, "EXTERNAL")
            self.all_sent(driven, relay, 1)
            self.assertEqual(relay.messages()[0].envelope["user"], "me@example.com")
            self.assertEqual(relay.counters()["secrets_seen"], 0)

    def test_key_and_certificate_in_one_file(self):
        at = self.certificates()
        with open(at("both.pem"), "wb") as both:
            for name in ("me.pem", "me.key"):
                with open(at(name), "rb") as f:
                    both.write(f.read())
        relay = self.start_relay("--client-ca", at("clients.pem"), "--auth", "EXTERNAL")
        self.all_sent(self.drive(relay, certfile=at("both.pem")), relay, 1)

    def test_needs_no_line_in_the_password_map(self):
        at = self.certificates()
        relay = self.start_relay("--client-ca", at("clients.pem"), "--auth", "EXTERNAL")
        self.configure(relay, smtp_tls_cert_file=at("me.pem"), smtp_tls_key_file=at("me.key"), smtp_sasl_password_maps="")
        self.start_outpostd()
        self.sendmail("you@example.com")
        self.assertEqual(relay.wait_messages(1)[0].envelope["user"], "me@example.com")
        done = self.outpost("check")
        self.assertIn("by the certificate in smtp_tls_cert_file", " ".join(done.out.split()))
        self.assertIn("logged in with EXTERNAL", done.out)

    def test_neither_offered_nor_a_line_in_the_password_map(self):
        at = self.certificates()
        relay = self.start_relay("--client-ca", at("clients.pem"), "--auth", "PLAIN")
        self.configure(relay, smtp_tls_cert_file=at("me.pem"), smtp_tls_key_file=at("me.key"), smtp_sasl_password_maps="")
        done = self.outpost("check", code=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("smtp_sasl_password_maps", done.out)

    def test_offered_and_not_done(self):
        """504 to EXTERNAL: the password map is asked after all."""
        at = self.certificates()
        relay = self.start_relay("--client-ca", at("clients.pem"), "--auth", "EXTERNAL PLAIN",
                                 dialogue='when auth arg~external do reply "504 5.5.4 not that one"\n')
        driven = self.drive(relay, **self.own(at, "me"))
        self.mechanism(driven, "PLAIN")
        self.all_sent(driven, relay, 1)

    def test_offered_and_refused(self):
        """Exchange offers EXTERNAL to anybody: the password, which was not shown yet, decides. Without one the refusal is what is told."""
        at = self.certificates()
        relay = self.start_relay("--client-ca", at("clients.pem"), "--auth", "EXTERNAL PLAIN",
                                 dialogue='when auth arg~external do reply "535 5.7.8 who is that"\n')
        driven = self.drive(relay, **self.own(at, "me"))
        self.mechanism(driven, "PLAIN")
        self.all_sent(driven, relay, 1)
        self.configure(relay, smtp_tls_cert_file=at("me.pem"), smtp_tls_key_file=at("me.key"), smtp_sasl_password_maps="")
        self.assertIn("who is that", self.outpost("check", code=None).out)

    def test_a_certificate_that_the_relay_does_not_know(self):
        at = self.certificates()
        relay = self.start_relay("--client-ca", at("clients.pem"), "--auth", "EXTERNAL")
        driven = self.drive(relay, **self.own(at, "stranger"))
        self.assertIn("down ", driven.text)
        self.assertEqual((driven.total["sent"], relay.count()), (0, 0), driven)

    def test_without_a_certificate_it_is_not_tried(self):
        relay = self.start_relay("--auth", "EXTERNAL PLAIN")
        self.mechanism(self.drive(relay), "PLAIN")
        relay = self.start_relay("--auth", "EXTERNAL", name="only")
        self.assertIn("EXTERNAL (no client certificate)", self.drive(relay).text)

    def test_the_filter_leaves_it_out(self):
        at = self.certificates()
        relay = self.start_relay("--client-ca", at("clients.pem"), "--auth", "EXTERNAL PLAIN")
        self.mechanism(self.drive(relay, mechanism_filter="plain", **self.own(at, "me")), "PLAIN")


class Binding(LoginTest):
    def test_unique_and_exporter(self):
        for version, priority in TLS.items():
            for mechanism in ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"):
                relay = self.start_relay("--auth", mechanism, "--priority", priority, name=mechanism + version)
                driven = self.drive(relay)
                self.mechanism(driven, mechanism)
                self.assertIn("TLSv" + version, driven.text)
                self.all_sent(driven, relay, 1)

    def test_preferred_to_all_that_are_not_bound(self):
        for version, priority in TLS.items():
            relay = self.start_relay("--auth", "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "--priority", priority,
                                     name="tls" + version)
            self.mechanism(self.drive(relay), "SCRAM-SHA-256-PLUS")

    def test_a_wrong_password_is_a_refusal(self):
        for version, priority in TLS.items():
            relay = self.start_relay("--auth", "SCRAM-SHA-256-PLUS", "--priority", priority, name="tls" + version)
            self.assertIn("down login-failed", self.drive(relay, secret="wrong").text)


# The password as it is typed, and as SASLprep (RFC 4013) makes it for SCRAM; the same where nothing changes.
PREPARED = (
    ("gr\u00fc\u00dfe \u20ac \u4e2d", "gr\u00fc\u00dfe \u20ac \u4e2d"),
    ("pa\u00adss", "pass"),             # soft hyphen: mapped to nothing
    ("\u2168 \u00aa", "IX a"),          # compatibility forms
    ("u\u0308ber", "\u00fcber"),        # composed
    ("a\u00a0b", "a b"),                # no-break space
)


class Saslprep(LoginTest):
    def test_scram_prepares(self):
        for i, (typed, prepared) in enumerate(PREPARED):
            for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
                relay = self.start_relay("--auth", mechanism, password=prepared, name="%s.%d" % (mechanism, i))
                driven = self.drive(relay, secret=typed)
                self.assertEqual(driven.total["sent"], 1, (ascii(typed), driven))
                relay.stop()

    def test_login_sends_what_was_typed_and_plain_leaves_it_to_the_relay(self):
        """RFC 4616: it is the server that prepares; the relay's libgsasl does."""
        for i, (typed, prepared) in enumerate(PREPARED):
            for mechanism, known in (("PLAIN", prepared), ("LOGIN", typed)):
                relay = self.start_relay("--auth", mechanism, password=known, name="%s.%d" % (mechanism, i))
                driven = self.drive(relay, secret=typed)
                self.assertEqual(driven.total["sent"], 1, (ascii(typed), driven))
                relay.stop()

    @unittest.skipIf(harness.ASAN, "libgsasl 2.2 itself leaks where SASLprep fails")
    def test_what_cannot_be_prepared_is_said(self):
        """SASLprep forbids control characters."""
        relay = self.start_relay("--auth", "SCRAM-SHA-256")
        driven = self.drive(relay, secret="pass\u0007word")
        self.assertIn("down login-encoding", driven.text)
        self.assertEqual(relay.count(), 0)

    # Latin-1, a control character, a letter that Unicode 3.2 did not have.
    UNPREPARED = ("gr\udcfc\udcdfe", "pass\u0007word", "pass\U0001f600")

    @unittest.skipIf(harness.ASAN, "libgsasl 2.2 itself leaks where SASLprep fails")
    def test_what_cannot_be_prepared_goes_by_another_mechanism(self):
        """Over verified TLS it is the relay alone that sees it."""
        for i, password in enumerate(self.UNPREPARED):
            relay = self.start_relay("--auth", "SCRAM-SHA-256-PLUS,SCRAM-SHA-1,CRAM-MD5,LOGIN", password=password, name="other%d" % i)
            driven = self.drive(relay, secret=password)
            self.assertEqual(driven.total["sent"], 1, driven)
            self.assertIn("can't be prepared", "\n".join(driven.log))
            self.assertEqual(re.findall(r"C: AUTH (\S+)", self.talk(relay)), ["LOGIN"])
            relay.stop()

    @unittest.skipIf(harness.ASAN, "libgsasl 2.2 itself leaks where SASLprep fails")
    def test_but_not_to_one_who_is_not_verified(self):
        relay = self.start_relay("--auth", "SCRAM-SHA-256,LOGIN", password=self.UNPREPARED[0])
        driven = self.drive(relay, secret=self.UNPREPARED[0], tls_level="encrypt", auth_unverified=1, cafile=None)
        self.assertEqual(relay.counters()["secrets_seen"], 0, driven)
        self.assertIn("down login-encoding", driven.text)
        self.assertIn("can't be prepared", driven.down)

    @unittest.skipIf(harness.ASAN, "libgsasl 2.2 itself leaks where SASLprep fails")
    def test_nor_where_it_is_not_allowed(self):
        relay = self.start_relay("--auth", "SCRAM-SHA-256,LOGIN", password=self.UNPREPARED[0])
        driven = self.drive(relay, secret=self.UNPREPARED[0], tls_security_options="noplaintext")
        self.assertEqual(relay.counters()["secrets_seen"], 0, driven)
        self.assertIn("can't be prepared", driven.down)


class Trust(LoginTest):
    def sent(self, relay, wanted, **settings):
        driven = self.drive(relay, **settings)
        self.assertEqual(driven.total["sent"], wanted, driven)
        return driven

    def test_ca_directory(self):
        at = self.make("myca ca=yes", "server issuer=myca dns=localhost", "other ca=yes")
        relay = self.start_relay(cert=at("server.pem"), key=at("server.key"))
        for name, wanted in (("myca", 1), ("other", 0)):
            place = os.path.join(self.tmp, "ca." + name)
            os.mkdir(place)
            shutil.copyfile(at(name + ".pem"), os.path.join(place, name + ".pem"))
            self.sent(relay, wanted, cafile="", capath=place)
        # a file and a directory: both count
        self.sent(relay, 1, cafile=at("other.pem"), capath=os.path.join(self.tmp, "ca.myca"))

    def test_a_file_that_is_no_use_is_named(self):
        """With its parameter, and what is wrong with it."""
        at = self.make("myca ca=yes", "me issuer=myca purpose=client")
        cert, key = at("me.pem"), at("me.key")
        relay = self.start_relay()
        for settings, words in (
                ({"cafile": "/none"}, "smtp_tls_CAfile = /none: No such file"),
                ({"cafile": key}, "smtp_tls_CAfile = %s: no certificate in it" % key),
                ({"cafile": self.tmp}, "smtp_tls_CAfile = %s: Is a directory" % self.tmp),
                ({"capath": "/none", "cafile": None}, "smtp_tls_CApath = /none: No such file"),
                ({"capath": cert, "cafile": None}, "smtp_tls_CApath = %s: Not a directory" % cert),
                ({"crlfile": "/none"}, "smtp_tls_CRLfile = /none: No such file"),
                ({"crlfile": cert}, "smtp_tls_CRLfile = %s: no revocation list in it" % cert),
                ({"certfile": "/none"}, "smtp_tls_cert_file = /none: No such file"),
                ({"certfile": key}, "smtp_tls_cert_file = %s: no certificate in it" % key),
                ({"certfile": cert, "keyfile": "/none"}, "smtp_tls_key_file = /none: No such file"),
                ({"certfile": cert, "keyfile": cert}, "smtp_tls_key_file = %s: no private key in it" % cert),
                ({"certfile": cert, "keyfile": at("myca.key")}, "smtp_tls_key_file = %s: not the key of" % at("myca.key"))):
            driven = self.drive(relay, **settings)
            self.assertIn(" 4.3.5 (" + words, driven.down or "", driven)

    def test_own_ca_leaves_the_systems_out_unless_asked_for(self):
        at = self.make("myca ca=yes", "server issuer=myca dns=localhost")
        relay = self.start_relay(cert=at("server.pem"), key=at("server.key"))
        own = os.path.join(harness.certificates(), "ca.pem")
        before = self.store(at("myca.pem"))
        self.sent(relay, 1, before=before, cafile="")
        self.sent(relay, 0, before=before, cafile=own)
        self.sent(relay, 1, before=before, cafile=own, append_default_ca=1)

    def test_excluded_ciphers_and_protocols(self):
        relay = self.start_relay()
        for lines, cipher in (({}, "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"),
                              ({"smtp_tls_exclude_ciphers": "AES256"}, "TLSv1.3 with cipher TLS_(AES_128|CHACHA20)"),
                              ({"smtp_tls_mandatory_exclude_ciphers": "AES"}, "TLSv1.3 with cipher TLS_CHACHA20"),
                              ({"smtp_tls_mandatory_protocols": "!TLSv1.3, !TLSv1, !TLSv1.1"}, "TLSv1.2 with cipher"),
                              ({"smtp_tls_mandatory_protocols": ">=TLSv1.3"}, "TLSv1.3 with cipher")):
            self.configure(relay, **lines)
            self.assertRegex(" ".join(self.outpost("check").out.split()), cipher, lines)

    def store(self, ca):
        """A command prefix under which the system's store of CAs is this one."""
        place = next((p for p in ("/etc/ssl/certs/ca-certificates.crt",) if os.path.exists(p)), None)
        if not place:
            self.skipTest("no /etc/ssl/certs/ca-certificates.crt on this machine")
        script = 'mount --bind "$0" %s && exec "$@"' % place
        before = ["unshare", "-m", "sh", "-c", script, ca]
        if subprocess.run([*before, "true"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no mount namespace here to give the system another store of CAs")
        return before

    def test_the_end_of_a_certificate_is_told_14_days_before(self):
        at = self.make("myca ca=yes", "soon issuer=myca dns=localhost until=+13", "late issuer=myca dns=localhost until=+16")
        for name, warned in (("soon", True), ("late", False)):
            relay = self.start_relay(cert=at(name + ".pem"), key=at(name + ".key"), name=name)
            self.queue_dir = os.path.join(self.tmp, "queue." + name)
            self.configure(relay, smtp_tls_CAfile=at("myca.pem"))
            done = self.outpost("check")
            self.assertEqual("tell the relay's administrator" in " ".join(done.out.split()), warned, done.out)
            service = self.start_outpostd()
            self.sendmail("you@example.com")
            relay.wait_messages(1)
            self.wait_queue_empty()
            status = " ".join(self.outpost("status", code=None).out.split())
            self.assertRegex(status, r"cert expires in 1[23] d" if warned else r"cert expires in 1[56] d")
            self.assertEqual("the relay's certificate ends soon" in status, warned, status)
            self.assertEqual(bool(self.log_lines(r"the certificate of localhost\[127.0.0.1\] expires on .* in 1[23] days")),
                             warned, self.log_text())
            service.stop()
            os.unlink(self.log)


if __name__ == "__main__":
    harness.main()
