"""outpost import: from the files that other programs really have to main.cf and its maps; what is shown, what is hidden."""
import os
import re

import harness

SECRET = harness.PASSWORD


class Import(harness.SystemTest):
    needs = ("outpost",)

    def write(self, name, text):
        path = os.path.join(self.tmp, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def read(self, name):
        with open(os.path.join(self.conf, name)) as f:
            return f.read()

    def imported(self, program, path, code=0):
        shown = self.outpost("import", "--dry-run", program, path)
        self.assertNotIn(SECRET, shown.out + shown.err)
        self.assertFalse(os.path.exists(os.path.join(self.conf, "main.cf")))
        self.outpost("import", program, path, input=b"", code=64)
        self.outpost("import", "--yes", program, path, code=code)
        with open(os.path.join(self.conf, "main.cf")) as f:
            main_cf = dict(re.findall(r"^(\w+) = (.*)$", f.read(), re.M))
        with open(os.path.join(self.conf, "sasl_passwd")) as f:
            passwd = f.read()
        self.assertEqual(os.stat(os.path.join(self.conf, "sasl_passwd")).st_mode & 0o7777 & 0o137, 0)
        return main_cf, passwd, shown.out

    def test_msmtp(self):
        path = self.write("msmtprc", "defaults\ntls on\nport 587\n\naccount other\nhost other.example.com\n\naccount mine\n"
                          "host smtp.example.com\nfrom me@example.com\nauth on\nuser me\npassword \"%s\"\n\n"
                          "account default : mine\n" % SECRET)
        main_cf, passwd, _ = self.imported("msmtp", path)
        self.assertEqual(main_cf["relayhost"], "[smtp.example.com]:587")
        self.assertEqual(main_cf["from_address"], "me@example.com")
        self.assertEqual(passwd, "[smtp.example.com]:587 me:%s\n" % SECRET)

    def test_ssmtp(self):
        self.write("ssmtp/ssmtp.conf", "root=ops@example.com\nmailhub=smtp.example.com:465\nUseTLS=YES\nAuthUser=me\n"
                   "AuthPass=%s\nrewriteDomain=example.com\n" % SECRET)
        path = os.path.dirname(self.write("ssmtp/revaliases", "# local:global\nroot:ops@example.com:smtp.example.com\n"))
        main_cf, passwd, shown = self.imported("ssmtp", path)
        self.assertEqual((main_cf["relayhost"], main_cf["myorigin"]), ("[smtp.example.com]:465", "example.com"))
        self.assertIn("/generic", main_cf["smtp_generic_maps"])
        self.assertIn('"root: ops@example.com"', shown)
        self.assertEqual(passwd, "[smtp.example.com]:465 me:%s\n" % SECRET)

    def test_nullmailer(self):
        path = os.path.dirname(self.write("nm/remotes", "smtp.example.com smtp --port=587 --starttls --user=me --pass=%s\n"
                                          % SECRET.replace(" ", "_")))
        self.write("nm/me", "host.example.com\n")
        self.write("nm/adminaddr", "ops@example.com\n")
        main_cf, passwd, shown = self.imported("nullmailer", path)
        self.assertEqual((main_cf["relayhost"], main_cf["myhostname"]), ("[smtp.example.com]:587", "host.example.com"))
        self.assertIn("ops@example.com", shown)
        self.assertIn("me:", passwd)

    def test_postfix(self):
        path = os.path.dirname(self.write("postfix/main.cf", "relayhost = [smtp.example.com]:587\nsmtp_sasl_auth_enable = yes\n"
                                          "smtp_sasl_password_maps = hash:%s/postfix/sasl_passwd\nmyorigin = $mydomain\n"
                                          "smtpd_banner = x\nqueue_directory = /var/spool/postfix\n" % self.tmp))
        self.write("postfix/sasl_passwd", "[smtp.example.com]:587 me:%s\n" % SECRET)
        main_cf, passwd, _ = self.imported("postfix", path)
        self.assertEqual((main_cf["relayhost"], main_cf["myorigin"]), ("[smtp.example.com]:587", "$mydomain"))
        self.assertEqual(main_cf["smtp_sasl_password_maps"], "hash:%s/sasl_passwd" % self.conf)
        self.assertNotIn("queue_directory", main_cf)
        self.assertNotIn("smtpd_banner", main_cf)
        self.assertEqual(passwd, "[smtp.example.com]:587 me:%s\n" % SECRET)

    def test_old_files_are_kept(self):
        path = self.write("msmtprc", "account default\nhost new.example.com\ntls on\n")
        with open(os.path.join(self.conf, "main.cf"), "w") as f:
            f.write("relayhost = [old.example.com]:25\n")
        done = self.outpost("import", "--yes", "msmtp", path)
        self.assertRegex(done.out, r"(?m)^-relayhost = \[old\.example\.com\]:25\n(.*\n)*\+relayhost = \[new\.example\.com\]:587$")
        with open(os.path.join(self.conf, "main.cf.old")) as f:
            self.assertIn("old.example.com", f.read())

    def test_main_cf_comes_last(self):
        """It is what outpostd looks at: the files that it names are there by then, or it is as it was."""
        path = self.write("msmtprc", "account default\nhost new.example.com\ntls on\nauth on\nuser me\npassword x\n")
        os.mkdir(os.path.join(self.conf, "sasl_passwd.old"))
        self.assertIn("sasl_passwd.old", self.outpost("import", "--yes", "msmtp", path, code=73).err)
        self.assertFalse(os.path.exists(os.path.join(self.conf, "main.cf")))
        os.rmdir(os.path.join(self.conf, "sasl_passwd.old"))
        self.outpost("import", "--yes", "msmtp", path)
        self.assertIn("[new.example.com]:587", self.read("main.cf"))
        self.assertIn("[new.example.com]:587", self.read("sasl_passwd"))

    def test_nullmailer_with_several_remotes(self):
        """As Debian's nullmailer-send(8) shows them: tried in order; a fallback with TLS from the first byte; QMQP left out."""
        path = os.path.dirname(self.write("nm/remotes",
            "# first the company's\n"
            "relay1.example.com smtp --port=587 --starttls --auth-login --user=host1 --pass='%s'\n"
            "relay2.example.com smtp --ssl --user=host1 --pass=other-secret --x509cafile=/etc/ssl/company.pem\n"
            "old.example.com qmqp\n"
            "relay3.example.com\n" % SECRET.replace(" ", "-")))
        self.write("nm/me", "host.example.com\n")
        self.write("nm/defaultdomain", "example.com\n")
        self.write("nm/allmailfrom", "host1@example.com\n")
        main_cf, passwd, shown = self.imported("nullmailer", path)
        self.assertEqual(main_cf["relayhost"], "[relay1.example.com]:587, [relay2.example.com]:465, [relay3.example.com]:25")
        self.assertEqual(passwd, "[relay1.example.com]:587 host1:%s\n[relay2.example.com]:465 host1:other-secret\n"
                         % SECRET.replace(" ", "-"))
        self.assertNotIn("other-secret", shown)
        self.assertNotIn(SECRET.replace(" ", "-"), shown)
        self.assertIn("old.example.com is left out: outpost does not speak qmqp", shown)
        self.assertIn("relay2.example.com had a CA or fingerprint of its own", shown)
        self.assertEqual(main_cf["from_address"], "host1@example.com")
        self.assertNotIn("smtp_tls_wrappermode", main_cf)

    def test_nullmailer_with_tls_on_an_odd_port(self):
        path = os.path.dirname(self.write("nm/remotes", "relay.example.com smtp --port=4465 --ssl --user=me --pass=x\n"))
        main_cf, _, _ = self.imported("nullmailer", path)
        self.assertEqual((main_cf["relayhost"], main_cf["smtp_tls_wrappermode"]), ("[relay.example.com]:4465", "yes"))

    # As Debian's package installs it, with what dpkg-reconfigure dma and an administrator make of it.
    DMA = """\
# $DragonFly: src/etc/dma/dma.conf,v 1.2 2008/02/04 10:11:41 matthias Exp $
#
# Your smarthost (also called relayhost).  Leave blank if you don't want
# smarthost support.
SMARTHOST smtp.example.com

# Use this SMTP port.  Most users will be fine with the default (25)
PORT 587

# Path to your alias file.  Just stay with the default.
#ALIASES /etc/aliases

# SMTP authentication
AUTHPATH /etc/dma/auth.conf

# Uncomment if you want TLS/SSL support
SECURETRANSFER

# Uncomment if you want STARTTLS support (only used in combination with
# SECURETRANSFER)
STARTTLS
#SECURE
MAILNAME /etc/mailname
"""

    def test_dma(self):
        path = os.path.dirname(self.write("dma/dma.conf", self.DMA))
        self.write("dma/auth.conf", "# Format: user|my.smarthost.example.com:password\nother|mail.example.net:else\n"
                                    "me|smtp.example.com:%s\n" % SECRET)
        main_cf, passwd, shown = self.imported("dma", path)
        self.assertEqual((main_cf["relayhost"], main_cf["myorigin"]), ("[smtp.example.com]:587", "/etc/mailname"))
        self.assertEqual(main_cf["smtp_sasl_password_maps"], "hash:%s/sasl_passwd" % self.conf)
        self.assertNotIn("smtp_tls_wrappermode", main_cf)
        self.assertEqual(passwd, "[smtp.example.com]:587 me:%s\n" % SECRET)
        self.assertIn("the password for smtp.example.com was sent to an unverified relay", shown)
        self.assertIn('write "root: you@example.com" there', shown)

    def test_dma_as_a_null_client_with_a_pinned_certificate(self):
        path = os.path.dirname(self.write("dma/dma.conf", "SMARTHOST smtp.example.com # ours\nPORT 4465\nSECURETRANSFER\n"
            "FINGERPRINT %s\nAUTHPATH %s/logins\nMAILNAME host.example.com\nMASQUERADE ops@example.com\nNULLCLIENT\n"
            % ("AB" * 32, self.tmp)))
        self.write("logins", "me|smtp.example.com:p:w|x\n")
        main_cf, passwd, shown = self.imported("dma", path)
        self.assertEqual(main_cf["relayhost"], "[smtp.example.com]:4465")
        self.assertEqual(main_cf["smtp_tls_wrappermode"], "yes")
        self.assertEqual((main_cf["smtp_tls_security_level"], main_cf["smtp_tls_fingerprint_cert_match"]), ("fingerprint", "AB" * 32))
        self.assertEqual((main_cf["myhostname"], main_cf["from_address"]), ("host.example.com", "ops@example.com"))
        self.assertEqual(passwd, "[smtp.example.com]:4465 me:p:w|x\n")
        self.assertNotIn("unverified", shown)
        self.assertIn("alias_maps =\n", self.read("main.cf"))

    def test_dma_without_a_login(self):
        self.write("aliases", "*: ops@example.com\n")
        path = os.path.dirname(self.write("dma/dma.conf", "SMARTHOST relay.example.com\nSECURETRANSFER\nSTARTTLS\nOPPORTUNISTIC_TLS\n"
            "ALIASES %s/aliases\nMASQUERADE example.com\n" % self.tmp))
        shown = self.outpost("import", "--yes", "dma", path).out
        self.assertIn("smtp_tls_security_level = may\n", self.read("main.cf"))
        self.assertIn("myorigin = example.com\n", self.read("main.cf"))
        self.assertIn("alias_maps = hash:%s/aliases\n" % self.tmp, self.read("main.cf"))
        self.assertIn('an alias "*", which outpost does not know', shown)

    def test_a_program_that_is_not_there(self):
        self.assertRegex(self.outpost("import", "nullmailer", code=66).err,
                         r"No such file or directory; if it is elsewhere: outpost import nullmailer PATH")

    def test_dma_without_a_smarthost(self):
        path = os.path.dirname(self.write("dma/dma.conf", self.DMA.replace("SMARTHOST smtp", "#SMARTHOST smtp")))
        self.assertIn("names no SMARTHOST", self.outpost("import", "dma", path, code=65).err)

    def test_msmtp_accounts(self):
        """The example of msmtp(1), grown as people grow it: defaults, several accounts with from, a default that is one of them."""
        path = self.write("msmtprc", """\
# Set default values: use the mail submission port 587, and always use TLS.
defaults
port 587
tls on
tls_trust_file /etc/ssl/certs/ca-certificates.crt
logfile ~/.msmtp.log

account freemail
host mail.freemail.example
from joe_smith@freemail.example
auth on
user joe.smith
password %s

# Another of the same provider
account freemail2 : freemail
from joey@freemail.example

account provider
host smtp.my-provider.example
tls_starttls off
port 465
from smithjoe@my-provider.example
auth on
user smithjoe@my-provider.example
password "secret two#"

account bare
host bare.example.com
auth off
user nobody

account default : provider
""" % SECRET.replace(" ", "_"))
        main_cf, passwd, shown = self.imported("msmtp", path)
        self.assertEqual(main_cf["relayhost"], "[smtp.my-provider.example]:465")
        self.assertEqual(main_cf["smtp_sender_dependent_authentication"], "yes")
        self.assertNotIn("from_address", main_cf)
        self.assertEqual(self.read("sender_relay"), "joe_smith@freemail.example [mail.freemail.example]:587\n"
                         "joey@freemail.example [mail.freemail.example]:587\n")
        self.assertEqual(passwd, "[smtp.my-provider.example]:465 smithjoe@my-provider.example:secret two#\n"
                         "joe_smith@freemail.example joe.smith:{0}\njoey@freemail.example joe.smith:{0}\n".format(SECRET.replace(" ", "_")))
        self.assertIn("account bare is left out", shown)
        self.assertNotIn("secret two#", shown)
        self.assertNotIn(SECRET.replace(" ", "_"), shown)
        for sender, wanted in (("joey@freemail.example", ""), ("root@host.example", "smithjoe@my-provider.example")):
            done = self.run_program("outpost", "config", "sender_canonical_maps", env={"MAIL_CONFIG": self.conf})
            self.assertIn("regexp:%s/sender_canonical" % self.conf, done.out)
            self.assertEqual(self.postmap(sender, "regexp:%s/sender_canonical" % self.conf), wanted)

    def postmap(self, key, table):
        link = os.path.join(self.tmp, "postmap")
        if not os.path.lexists(link):
            os.symlink(harness.program("outpost"), link)
        return self.run_program(link, "-q", key, table, env={"MAIL_CONFIG": self.conf}, code=None).out.strip()

    def test_msmtp_with_a_default_and_nothing_else(self):
        """What most servers have: one account, no defaults section, passwordeval."""
        path = self.write("msmtprc", "account default\nhost smtp.example.com\nport 465\ntls on\ntls_starttls off\nauth on\n"
                          "user me@example.com\npasswordeval \"cat /etc/msmtp-secret\"\nfrom %U@example.com\naliases /etc/aliases\n")
        main_cf, _, shown = self.imported("msmtp", path)
        self.assertEqual((main_cf["relayhost"], main_cf["alias_maps"]), ("[smtp.example.com]:465", "hash:/etc/aliases"))
        self.assertNotIn("from_address", main_cf)
        self.assertIn("passwordeval: write smtp_sasl_password_maps = exec:", shown)

    def test_ssmtp_as_debian_has_it(self):
        """Debian's ssmtp.conf with its comments, as Gmail tutorials change it."""
        self.write("ssmtp/ssmtp.conf", """\
#
# Config file for sSMTP sendmail
#
# The person who gets all mail for userids < 1000
# Make this empty to disable rewriting.
root=postmaster

# The place where the mail goes. The actual machine name is required no
# MX records are consulted. Commonly mailhosts are named mail.domain.com
mailhub=smtp.gmail.com:587

# Where will the mail seem to come from?
#rewriteDomain=

# The full hostname
hostname=host.example.com

# Are users allowed to set their own From: address?
FromLineOverride=YES
AuthUser=me@gmail.com
AuthPass=%s
UseTLS=YES
UseSTARTTLS=YES
""" % SECRET)
        path = os.path.join(self.tmp, "ssmtp")
        main_cf, passwd, shown = self.imported("ssmtp", path)
        self.assertEqual((main_cf["relayhost"], main_cf["myhostname"]), ("[smtp.gmail.com]:587", "host.example.com"))
        self.assertEqual(passwd, "[smtp.gmail.com]:587 me@gmail.com:%s\n" % SECRET)
        self.assertIn('write "root: postmaster" into /etc/aliases', shown)

    def test_postfix_with_maps(self):
        """Two accounts by sender, as tutorials have it: the maps come along, Postfix's directory may go."""
        self.write("postfix/main.cf", """\
# See /usr/share/postfix/main.cf.dist for a commented, more complete version
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
compatibility_level = 3.6
smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem
myhostname = host.example.com
alias_maps = hash:/etc/aliases
mydestination = $myhostname, localhost
relayhost = [smtp.gmail.com]:587
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:{0}/sasl/sasl_passwd
smtp_sasl_security_options = noanonymous
smtp_sender_dependent_authentication = yes
sender_dependent_relayhost_maps = hash:{0}/sender_relay
smtp_generic_maps = hash:{0}/generic
smtp_tls_security_level = encrypt
smtp_tls_CAfile = {0}/cacert.pem
""".format(os.path.join(self.tmp, "postfix")))
        self.write("postfix/sasl/sasl_passwd", "# two\na@gmail.com\ta:%s\n[smtp.gmail.com]:587 d:default-secret\n" % SECRET)
        self.write("postfix/sender_relay", "a@gmail.com [smtp.gmail.com]:587\n")
        self.write("postfix/generic", "root@host.example.com d@gmail.com\n")
        main_cf, passwd, shown = self.imported("postfix", os.path.join(self.tmp, "postfix") + "/")
        self.assertEqual(passwd, "# two\na@gmail.com\ta:%s\n[smtp.gmail.com]:587 d:default-secret\n" % SECRET)
        for name, parameter in (("sender_relay", "sender_dependent_relayhost_maps"), ("generic", "smtp_generic_maps"),
                                ("sasl_passwd", "smtp_sasl_password_maps")):
            self.assertEqual(main_cf[parameter], "hash:%s/%s" % (self.conf, name))
        self.assertEqual(self.read("sender_relay"), "a@gmail.com [smtp.gmail.com]:587\n")
        self.assertEqual(main_cf["alias_maps"], "hash:/etc/aliases")
        self.assertNotIn("default-secret", shown)
        self.assertIn("smtp_tls_CAfile still names a file under", shown)
        self.assertIn("4 lines have no use here and are left behind: smtpd_banner, biff, compatibility_level, smtpd_tls_cert_file\n", shown)

    def test_the_file_in_place_of_its_directory(self):
        path = self.write("postfix/main.cf", "relayhost = [smtp.example.com]:587\n")
        self.assertIn("+relayhost = [smtp.example.com]:587", self.outpost("import", "--dry-run", "postfix", path).out)
        path = self.write("ssmtp/ssmtp.conf", "mailhub=smtp.example.com:587\nUseSTARTTLS=YES\n")
        self.assertIn("+relayhost = [smtp.example.com]:587", self.outpost("import", "--dry-run", "ssmtp", path).out)
        path = self.write("nm/remotes", "smtp.example.com smtp --port=587 --starttls\n")
        self.assertIn("+relayhost = [smtp.example.com]:587", self.outpost("import", "--dry-run", "nullmailer", path).out)

    def test_msmtp_whose_second_account_asks_a_program(self):
        path = self.write("msmtprc", "account a\nhost a.example.com\ntls on\nauth on\nfrom a@example.com\nuser a\npassword x\n"
                          "account b\nhost b.example.com\ntls on\nauth on\nfrom b@example.com\nuser b\npasswordeval pass b\n"
                          "account default : a\n")
        self.assertIn("passwordeval: write", self.outpost("import", "--dry-run", "msmtp", path).out)

    def test_postfix_whose_text_was_removed(self):
        """Many tutorials end with rm sasl_passwd: then the words say where the lines still are."""
        self.write("postfix/main.cf", "relayhost = [smtp.example.com]:587\nsmtp_sasl_auth_enable = yes\n"
                   "smtp_sasl_password_maps = hash:%s/postfix/sasl_passwd\n" % self.tmp)
        self.write("postfix/sasl_passwd.db", "not for us")
        shown = self.outpost("import", "--dry-run", "postfix", os.path.join(self.tmp, "postfix")).out
        self.assertRegex(shown, r"sasl_passwd is gone, only .*sasl_passwd\.db is left: `postmap -s hash:\S+` of Postfix prints its lines")


if __name__ == "__main__":
    harness.main()
