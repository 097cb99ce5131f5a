"""A matrix of certificates: what each level of smtp_tls_security_level makes of each, and the sentence that the
administrator reads. All of them are made by mkcert in one run; each is served by a relay of its own, and
`outpost check` looks at it as outpostd would.

Names are looked up in a hosts file of the test's own, in a mount namespace: without one the test is skipped.

    test_certificates.py [NAME ...]     only these
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                              # noqa: E402

HOST = "mail.example.com"
HOSTS = "127.0.0.1 localhost\n127.0.0.1 mail.example.com mail.example.com. a.mail.example.com example.com " \
        "xn--bcher-kva.example mail.other.example\n"
ONLY = []
AT_ONCE = 4

# The authorities. "root" is what smtp_tls_CAfile names unless a row says otherwise.
AUTHORITIES = """
root ca=yes cn="Good Root"
other ca=yes cn="Other Root"
impostor ca=yes cn="Good Root"
oldroot ca=yes cn="Old Root" from=-400 until=-1
mid issuer=root ca=yes pathlen=0 cn="Middle"
high issuer=root ca=yes cn="High"
low issuer=high ca=yes cn="Low"
lower issuer=low ca=yes cn="Lower"
lowest issuer=lower ca=yes cn="Lowest"
undermid issuer=mid ca=yes cn="Under Middle"
expiredmid issuer=root ca=yes cn="Expired Middle" from=-100 until=-2
earlymid issuer=root ca=yes cn="Early Middle" from=+2 until=+20
noca issuer=root cn="No Authority"
nosign issuer=root ca=yes cn="May Not Sign" usage=crlsign
clientmid issuer=root ca=yes cn="Clients Only" purpose=client
permitmid issuer=root ca=yes cn="For example.com" permit=example.com
permitother issuer=root ca=yes cn="For other.example" permit=other.example
excludemid issuer=root ca=yes cn="Not For example.com" exclude=example.com
weakmid issuer=root ca=yes cn="Weak Middle" key=rsa1024
sha1mid issuer=root ca=yes cn="SHA-1 Middle" hash=sha1
revokedmid issuer=root ca=yes cn="Revoked Middle"
crossold issuer=other ca=yes cn="Cross"
crossnew issuer=root ca=yes cn="Cross" same-key=crossold
"""


class Row:
    """One certificate. make: words for mkcert (dns=HOST and issuer=root unless said otherwise); good: whether it is to be
    verified; say: words of the sentence; host: what relayhost names; chain: what the relay sends (the certificate and
    those above it unless said); ca: smtp_tls_CAfile; crl, conf: more of main.cf; at: other verdicts for single levels."""

    def __init__(self, name, make="", good=True, say="", host=HOST, chain=None, ca="root", crl=None, conf=None, at=None, more=""):
        words = make.split()
        if not any(w.split("=")[0] in ("dns", "ip", "email", "uri", "nosan") for w in words):
            words.append("dns=" + HOST)
        if not any(w.startswith("issuer=") for w in words):
            words.append("issuer=root")
        words = [w for w in words if w != "nosan=yes"]
        self.name, self.good, self.say, self.host, self.ca, self.crl = name, good, say, host, ca, crl
        self.chain, self.conf, self.at = chain, conf or {}, at or {}
        self.recipe = "%s %s\n%s\n" % (name, " ".join(words), more)
        if chain:
            self.recipe += "bundle %s.sent %s\n" % (name, chain)


def good(name, make="", **more):
    return Row(name, make, True, **more)


def bad(name, make="", say="", **more):
    return Row(name, make, False, say, **more)


ROWS = [
    # names that fit
    good("name"),
    good("name-among-many", "dns=a.example dns=b.example dns=mail.example.com dns=c.example"),
    good("name-upper-case", "dns=MAIL.Example.COM"),
    good("wildcard", "dns=*.example.com"),
    good("wildcard-upper-case", "dns=*.EXAMPLE.com"),
    good("name-and-address", "dns=mail.example.com ip=192.0.2.1"),
    good("no-common-name", 'cn=""'),
    good("other-common-name", "cn=elsewhere.example"),
    good("host-with-final-dot", host=HOST + "."),
    good("address", "ip=127.0.0.1", host="127.0.0.1"),
    good("idn-a-label", "dns=xn--bcher-kva.example", host="xn--bcher-kva.example"),
    good("idn-u-label", "dns=xn--bcher-kva.example", host="b\u00fccher.example"),
    good("match-nexthop", "dns=relay.provider.example", conf={"smtp_tls_secure_cert_match": "relay.provider.example",
                                                               "smtp_tls_verify_cert_match": "relay.provider.example"}),
    # names that do not
    bad("wrong-name", "dns=mail.other.example", "mail.other.example"),
    bad("wrong-names", "dns=a.example dns=b.example", "a.example, b.example"),
    bad("common-name-alone", "cn=mail.example.com nosan=yes", "name"),
    bad("common-name-and-other-name", "cn=mail.example.com dns=www.example.com", "www.example.com"),
    bad("common-name-and-mail-address", "cn=mail.example.com email=postmaster@example.com", "name"),
    bad("name-as-mail-address", "email=mail.example.com", "name"),
    bad("name-as-uri", "uri=https://mail.example.com/", "name"),
    bad("no-name-at-all", 'cn="" nosan=yes', "name"),
    bad("wildcard-too-deep", "dns=*.example.com", "*.example.com", host="a.mail.example.com"),
    bad("wildcard-not-deep-enough", "dns=*.example.com", "*.example.com", host="example.com"),
    bad("wildcard-part-of-a-label", "dns=m*.example.com", "m*.example.com"),
    bad("wildcard-end-of-a-label", "dns=*l.example.com", "*l.example.com"),
    bad("wildcard-inside", "dns=mail.*.com", "mail.*.com"),
    bad("wildcard-twice", "dns=*.*.com", "*.*.com"),
    bad("wildcard-over-a-top-domain", "dns=*.com", "*.com", host="example.com"),
    bad("wildcard-alone", "dns=*", "*"),
    bad("suffix", "dns=example.com", "example.com"),
    bad("longer-name", "dns=mail.example.com.evil.example", "evil.example"),
    bad("nul-in-name", "dns=mail.example.com%00.evil.example", "not verified"),
    bad("underscore-for-dot", "dns=mail_example.com", "mail_example.com"),
    bad("address-as-name", "dns=127.0.0.1", "127.0.0.1", host="127.0.0.1"),
    bad("address-as-common-name", "cn=127.0.0.1 nosan=yes", "name", host="127.0.0.1"),
    bad("other-address", "ip=127.0.0.2", "127.0.0.2", host="127.0.0.1"),
    bad("name-for-an-address", "dns=mail.example.com", "mail.example.com", host="127.0.0.1"),
    bad("address-for-a-name", "ip=127.0.0.1", "127.0.0.1"),
    bad("idn-other", "dns=xn--bcher-kva.example", "xn--bcher-kva", host=HOST),
    # dates
    good("valid-for-a-year", "until=+365"),
    good("expires-soon", "until=+5", say="expires"),
    bad("expired", "from=-30 until=-1", "expired on"),
    bad("not-yet-valid", "from=+2 until=+20", "valid only from"),
    bad("expired-intermediate", "issuer=expiredmid", "has expired"),
    bad("early-intermediate", "issuer=earlymid", "not valid yet"),
    bad("expired-root", "issuer=oldroot", "expired", ca="oldroot"),
    # chains
    good("intermediate", "issuer=mid"),
    good("four-intermediates", "issuer=lowest"),
    good("root-sent-too", "issuer=mid", chain="root-sent-too mid root"),
    good("chain-in-wrong-order", "issuer=low", chain="chain-in-wrong-order high low"),
    good("surplus-certificate", "issuer=mid", chain="surplus-certificate mid other"),
    good("trusted-itself", "issuer=self", ca="trusted-itself"),
    good("intermediate-is-trusted", "issuer=mid", ca="mid", chain="intermediate-is-trusted"),
    good("cross-signed", "issuer=crossnew", chain="cross-signed crossnew"),
    good("cross-signed-both-sent", "issuer=crossnew", chain="cross-signed-both-sent crossnew crossold"),
    bad("cross-signed-by-the-other", "issuer=crossold", "Cross", chain="cross-signed-by-the-other crossold"),
    bad("unknown-authority", "issuer=other", "Other Root"),
    bad("self-signed", "issuer=self", "self-signed"),
    bad("missing-intermediate", "issuer=mid", "intermediate", chain="missing-intermediate"),
    bad("missing-one-of-two", "issuer=low", "Low", chain="missing-one-of-two low"),
    bad("impostor-of-the-same-name", "issuer=impostor", "not verified"),
    bad("signed-by-a-server", "issuer=noca", "no authority"),
    bad("signed-by-one-that-may-not", "issuer=nosign", "not verified"),
    bad("path-too-long", "issuer=undermid", "not verified"),
    bad("trust-of-another", "issuer=root", "not trusted", ca="other"),
    # purposes and constraints
    good("no-purpose", "purpose=none"),
    good("any-purpose", "purpose=any"),
    good("server-and-client", "purpose=server,client"),
    good("constraint-that-permits", "issuer=permitmid"),
    bad("for-clients", "purpose=client", "not made for servers"),
    bad("for-mail", "purpose=email", "not made for servers"),
    bad("for-code", "purpose=code", "not made for servers"),
    bad("intermediate-for-clients", "issuer=clientmid", "not verified"),
    bad("constraint-for-another", "issuer=permitother", "constraints"),
    bad("constraint-that-excludes", "issuer=excludemid", "constraints"),
    bad("unknown-critical-extension", "critical=1.2.3.4.5.6", "critical extension"),
    # strengths
    good("rsa-2048", "key=rsa2048"),
    good("rsa-3072", "key=rsa3072 hash=sha384"),
    good("ecdsa-384", "key=ec384 hash=sha512"),
    good("ed25519", "key=ed25519"),
    bad("rsa-1024", "key=rsa1024", "too weak"),
    bad("rsa-1024-intermediate", "issuer=weakmid", "too weak"),
    bad("sha-1", "hash=sha1", "too weak"),
    bad("sha-1-intermediate", "issuer=sha1mid", "too weak"),
    # revocation
    good("crl-without-it", crl="crl-without-it.list", more="crl crl-without-it.list issuer=root revoke=crl-nobody",
         make="issuer=root"),
    bad("revoked", "issuer=root", "revoked", crl="revoked.list", more="crl revoked.list issuer=root revoke=revoked"),
    bad("revoked-intermediate", "issuer=revokedmid", "revoked", crl="revoked-intermediate.list",
        more="crl revoked-intermediate.list issuer=root revoke=revokedmid"),
]

LEVELS = {
    # name: (lines of main.cf, whether AUTH is on, what is to become of (a good one, a bad one))
    "may": ({"smtp_tls_security_level": "may"}, False, (True, True)),
    "encrypt": ({"smtp_tls_security_level": "encrypt"}, False, (True, True)),
    "encrypt+auth": ({"smtp_tls_security_level": "encrypt"}, True, (True, False)),
    "verify": ({"smtp_tls_security_level": "verify"}, False, (True, False)),
    "secure": ({"smtp_tls_security_level": "secure"}, False, (True, False)),
    "fingerprint": ({"smtp_tls_security_level": "fingerprint", "smtp_tls_fingerprint_cert_match": "%(fingerprint)s"}, True, (True, True)),
    "other fingerprint": ({"smtp_tls_security_level": "fingerprint", "smtp_tls_fingerprint_cert_match": "00" + ":11" * 31},
                          True, (False, False)),
}


class Certificates(harness.SystemTest):
    needs = ("outpost", "outpost-smtp", "relay", "mkcert")

    def make_all(self, rows):
        self.certs = os.path.join(self.tmp, "certificates")
        text = AUTHORITIES + "crl-nobody issuer=root\n" + "".join(r.recipe for r in rows)
        done = subprocess.run([harness.program("mkcert"), self.certs, "-"], input=text.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=self.environ())
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def path(self, name):
        return os.path.join(self.certs, name)

    def fingerprint(self, name):
        done = subprocess.run(["openssl", "x509", "-in", self.path(name + ".pem"), "-noout", "-fingerprint", "-sha256"],
                              stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().strip().split("=")[1]

    def configure_row(self, row, level, port):
        lines, auth, _ = LEVELS[level]
        conf = os.path.join(self.tmp, row.name, level.replace(" ", "-"))
        os.makedirs(conf)
        relayhost = "[%s]:%d" % (row.host, port)
        params = {"relayhost": relayhost, "queue_directory": conf + "/queue", "inet_protocols": "ipv4",
                  "myorigin": "example.com", "maillog_file": conf + "/log", "smtp_tls_loglevel": "2",
                  "smtp_tls_CAfile": self.path(row.ca + ".pem"), "smtp_sasl_auth_enable": "yes" if auth else "no",
                  "smtp_sasl_password_maps": "hash:%s/sasl_passwd" % conf, "smtp_sasl_security_options": "noanonymous"}
        if row.crl:
            params["smtp_tls_CRLfile"] = self.path(row.crl + ".pem")
        params.update(lines)
        params.update(row.conf)
        if "%(" in params.get("smtp_tls_fingerprint_cert_match", ""):
            params["smtp_tls_fingerprint_cert_match"] = self.fingerprint(row.name)
        with open(conf + "/main.cf", "w", encoding="utf-8") as f:
            f.writelines("%s = %s\n" % kv for kv in params.items())
        fd = os.open(conf + "/sasl_passwd", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            f.write("%s %s:%s\n" % (relayhost, harness.USER, harness.PASSWORD))
        return conf

    def check(self, conf):
        """(whether all went well, what was said of TLS and AUTH)"""
        done = subprocess.run([harness.program("outpost"), "-C", conf, "check", "--json"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environ(), timeout=30 * harness.PATIENCE)
        steps = [json.loads(line) for line in done.stdout.decode().splitlines()]
        live = [s for s in steps if s["section"] == "live"]
        failed = any(s["result"] == "fail" for s in steps)
        words = " | ".join(s["text"] for s in live if s["step"] in ("tls", "TLS", "auth", "certificate"))
        return not failed, words or done.stdout.decode() + done.stderr.decode()

    def judge(self, row, level, went_well, words, secrets):
        """None, or what is wrong with it."""
        wanted = row.at.get(level, LEVELS[level][2][0 if row.good else 1])
        if went_well != wanted:
            return "%s at %s: %s, not %s: %s" % (row.name, level, went_well, wanted, words)
        if not wanted and level in ("secure", "verify", "encrypt+auth") and row.say.lower() not in words.lower():
            return "%s at %s: not said: %s; but: %s" % (row.name, level, row.say, words)
        if row.good and wanted and row.say not in words:
            return "%s at %s: not said: %s; but: %s" % (row.name, level, row.say, words)
        if not row.good and level in ("may", "encrypt") and "not verified" not in words:
            return "%s at %s counts as verified: %s" % (row.name, level, words)
        if level == "encrypt" and row.say == "too weak" and row.say not in words:
            return "%s at encrypt: no warning of its weakness: %s" % (row.name, words)
        if not wanted and secrets:
            return "%s at %s: the password was shown" % (row.name, level)
        return None

    def start_row(self, row):
        sent = self.path(row.name + (".sent.pem" if row.chain else ".chain.pem"))
        return harness.Relay(self, "--auth", "PLAIN", "--auth-optional", cert=sent, key=self.path(row.name + ".key"),
                             name=row.name)

    def one_level(self, row, level, relay):
        conf = self.configure_row(row, level, relay.starttls)
        before = relay.counters()["secrets_seen"]
        went_well, words = self.check(conf)
        self.sentences[row.name, level] = words
        return self.judge(row, level, went_well, words, relay.counters()["secrets_seen"] - before)

    def one(self, row):
        wrong = []
        relay = self.start_row(row)
        for level in LEVELS:
            try:
                wrong.append(self.one_level(row, level, relay))
            except Exception as e:                      # pylint: disable=broad-except
                wrong.append("%s at %s: %s: %s" % (row.name, level, type(e).__name__, e))
            harness.progress()
        relay.stop()
        return [w for w in wrong if w]

    def test_matrix(self):
        rows = [r for r in ROWS if not ONLY or r.name in ONLY]
        if not ONLY:
            self.assertGreaterEqual(len(rows), 60)
        self.assertEqual(len({r.name for r in rows}), len(rows))
        self.make_all(ROWS)
        self.sentences = {}
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            wrong = [w for ws in pool.map(self.one, rows) for w in ws]
        seconds = time.monotonic() - started
        print("%d certificates at %d levels, %d wrong, %.1f s" % (len(rows), len(LEVELS), len(wrong), seconds))
        if os.environ.get("OUTPOST_SENTENCES"):
            for row in rows:
                print("%-32s %s" % (row.name, self.sentences.get((row.name, "secure"))))
        self.assertFalse(wrong, "\n" + "\n".join(wrong))


def own_hosts():
    """Once more, in a mount namespace where /etc/hosts is ours; or not, and why."""
    if os.environ.get("OUTPOST_OWN_HOSTS"):
        return None
    for flags in ("-m", "-rm"):
        if subprocess.run(["unshare", flags, "mount", "--bind", "/etc/hostname", "/etc/hosts"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0:
            script = 'printf %s "$0" >"$1" && mount --bind "$1" /etc/hosts && rm "$1" && shift && exec "$@"'
            path = "/tmp/outpost-hosts.%d" % os.getpid()
            os.environ["OUTPOST_OWN_HOSTS"] = "1"
            os.execvp("unshare", ["unshare", flags, "sh", "-c", script, HOSTS, path, sys.executable, "-B", *sys.argv])
    return "no mount namespace to be had, so no hosts file of the test's own"


def prepare():
    """Called before the tests, by tests/run and below."""
    global Certificates
    reason = own_hosts()
    if reason:
        Certificates = unittest.skip(reason)(Certificates)


if __name__ == "__main__":
    prepare()
    ONLY, sys.argv[1:] = [a for a in sys.argv[1:] if not a.startswith("-")], [a for a in sys.argv[1:] if a.startswith("-")]
    harness.main()
