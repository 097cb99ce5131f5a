"""Programs that send mail, from Debian's packages in a private root, with outpost as /usr/sbin/sendmail: each calls it in
its own way, and what it meant to say is what the relay gets. Each test is one program.

The root has no configuration, no queue and no set-id program of outpost's: only sendmail, and the door's socket, as in
a container that shares it."""
import glob
import json
import os
import re
import shutil
import smtplib
import socket
import subprocess

import harness
import servers

BASE = ("libc-bin", "dash", "coreutils", "sed", "grep", "gawk", "login", "hostname", "util-linux", "php-cli", "python3")
# What a test wants beyond that: where a Debian does not have it, this test alone is skipped.
WANTS = {
    "test_at": ("at",),
    "test_bsd_mailx": ("bsd-mailx",),
    "test_cron": ("cron",),
    "test_fail2ban": ("fail2ban",),
    "test_git_send_email": ("git-email",),
    "test_logwatch": ("logwatch",),
    "test_mailutils": ("mailutils",),
    "test_mdadm_monitor": ("mdadm",),
    "test_mime_construct": ("mime-construct",),
    "test_msmtp": ("msmtp",),
    "test_msmtp_is_told": ("msmtp",),
    "test_mutt": ("mutt",),
    "test_neomutt": ("neomutt",),
    "test_nmh_pipe": ("nmh",),
    "test_nmh_smtp": ("nmh",),
    "test_pear_mail": ("php-mail", "php-pear"),
    "test_perl_email_sender": ("libemail-sender-perl",),
    "test_perl_mail_mailer": ("libmailtools-perl",),
    "test_perl_mime_lite": ("libmime-lite-perl",),
    "test_phpmailer": ("libphp-phpmailer",),
    "test_procmail": ("procmail",),
    "test_ruby_mail": ("ruby-mail", "ruby-net-smtp"),
    "test_s_nail": ("s-nail",),
    "test_smartd_warning": ("smartmontools", "bsd-mailx"),
    "test_sudo": ("sudo",),
    "test_swiftmailer": ("php-swiftmailer", "php-email-validator"),
    "test_symfony_pipe": ("php-symfony-mailer",),
    "test_symfony_smtp": ("php-symfony-mailer",),
    "test_unattended_upgrades": ("unattended-upgrades",),
}
PACKAGES = BASE + tuple(sorted({p for packages in WANTS.values() for p in packages}))

TEXT = "first line\n.\nGrüße\nlast line\n"
LATIN = "first line\n.\nplain\nlast line\n"


class Callers(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")
    root_name, packages = "callers", PACKAGES

    def setUp(self):
        super().setUp()
        self.root = servers.root_with(self.root_name, self.packages)
        for package in WANTS.get(self._testMethodName, ()):
            if package in servers.missing(self.root):
                self.skipTest("this Debian has no " + package)
        door = os.path.join(self.root, "run/outpost/door")
        os.makedirs(os.path.dirname(door), exist_ok=True)
        for name in ("usr/sbin/sendmail", "usr/lib/sendmail"):
            path = os.path.join(self.root, name)
            if os.path.lexists(path):
                os.unlink(path)
            shutil.copy2(harness.program("sendmail"), path)
        self.prepare()
        self.relay = self.start_relay()
        self.start_queue(door)

    def start_queue(self, door):
        self.configure(self.relay, door_socket=door)
        self.start_outpostd(wait=False)
        harness.wait_for("the door", lambda: self.door_answers(door))

    def prepare(self):
        """What the packages' own scripts would have made."""
        files = {"etc/hosts": "127.0.0.1 localhost %s\n" % os.uname().nodename, "etc/hostname": "box\n", "etc/mailname": "box.example.com\n", "etc/shells": "/bin/sh\n",
                 "etc/environment": "", "etc/pam.d/other": "auth required pam_permit.so\naccount required pam_permit.so\n"
                 "session required pam_permit.so\npassword required pam_deny.so\n"}
        for d in ("root", "etc/pam.d", "var/spool/cron/crontabs", "var/spool/cron/atjobs", "var/spool/cron/atspool",
                  "var/lib/git", "var/cache/logwatch", "var/log", "run/fail2ban", "run/sudo", "proc", "var/mail"):
            os.makedirs(os.path.join(self.root, d), exist_ok=True)
        for name in os.listdir(os.path.join(self.root, "etc/pam.d")):
            os.unlink(os.path.join(self.root, "etc/pam.d", name))
        for name, text in files.items():
            self.write(name, text)
        for path in glob.glob(os.path.join(self.root, "usr/bin/php[0-9]*")):
            if not os.path.lexists(os.path.join(self.root, "usr/bin/php")):
                os.symlink(os.path.basename(path), os.path.join(self.root, "usr/bin/php"))
        modules = [os.path.basename(path) for path in glob.glob(os.path.join(self.root, "usr/lib/php/2*/*.so"))]
        for path in glob.glob(os.path.join(self.root, "etc/php/*/cli")) + glob.glob(os.path.join(self.root, "usr/lib/php/8*")):
            self.write(os.path.join("etc/php", path.split("/")[-2] if path.endswith("cli") else path.split("/")[-1],
                                    "cli/php.ini"), "display_errors = stderr\n" + "".join(
                "extension = %s\n" % m for m in ("ctype.so", "iconv.so", "mbstring.so", "tokenizer.so") if m in modules))
        passwd = os.path.join(self.root, "etc/passwd")
        with open(passwd) as f:
            text = f.read()
        self.write("etc/passwd", re.sub(r"^root:.*$", "root:x:0:0:Box Admin,,,:/root:/bin/sh", text, flags=re.M))

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.root, name.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def wants(self, package):
        if package in servers.missing(self.root):
            self.skipTest("this Debian has no " + package)

    def inside(self, *argv, input="", code=0, timeout=40, env=()):
        """Runs a program in the root, which has /proc where the kernel lets us mount it."""
        script = 'mount -t proc proc "$0/proc" 2>/dev/null; exec chroot "$0" /usr/bin/env -i "$@"'
        base = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LOGNAME=root", "USER=root", "LC_ALL=C.UTF-8", "TZ=UTC",
                "TERM=dumb", "SHELL=/bin/sh", *env]
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, self.root, *base, *argv], input=input.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout * harness.PATIENCE)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace")

    def daemon(self, *argv, env=()):
        """The same for one that runs until the test ends."""
        script = 'mount -t proc proc "$0/proc" 2>/dev/null; exec chroot "$0" /usr/bin/env -i "$@"'
        base = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "TZ=UTC", *env]
        return self.start("/usr/bin/unshare", "-m", "/bin/sh", "-c", script, self.root, *base, *argv)

    def one(self, recipients, subject=None, body=None, sender=None):
        message, = self.relay.wait_messages(1, timeout=30)
        self.assertEqual(sorted(message.recipients), sorted(recipients))
        if subject is not None:
            self.assertEqual(message.header("Subject"), subject)
        if body is not None:
            charset = message.parsed.get_content_charset() or "utf-8"
            text = message.parsed.get_payload(decode=True).decode(charset).replace("\r\n", "\n")
            self.assertEqual(text.rstrip("\n"), body.rstrip("\n"))
        if sender is not None:
            self.assertEqual(message.sender, sender)
        for name in ("From", "Date", "Message-ID", "Received"):
            self.assertIsNotNone(message.header(name), name)
        self.assertNotRegex(message.header("From").addresses[0].addr_spec, r"@localhost|^[^@]*$")
        return message


class Programs(Callers):
    # -- mail(1) and its like

    def test_bsd_mailx(self):
        self.inside("bsd-mailx", "-s", "subject ü", "-c", "c@example.net", "-b", "b@example.net", "a@example.net", "root", input=TEXT)
        m = self.one(["a@example.net", "b@example.net", "c@example.net", "root@example.com"], None, TEXT)
        self.assertNotIn(b"b@example.net", m.data)
        self.assertEqual(m.header("From"), "Box Admin <root@example.com>")

    def test_s_nail(self):
        self.inside("s-nail", "-n", "-s", "subject ü", "-c", "c@example.net", "root", input=TEXT)
        self.one(["root@example.com", "c@example.net"], "subject ü", TEXT)

    def test_mailutils(self):
        self.inside("mail.mailutils", "-s", "subject", "root", input="first line\nlast line\n")
        self.one(["root@example.com"], "subject", "first line\nlast line\n")

    def test_mutt(self):
        self.inside("mutt", "-s", "subject ü", "-c", "c@example.net", "-b", "b@example.net", "--", "a@example.net", input=TEXT,
                    env=["EMAIL=me@example.org"])
        m = self.one(["a@example.net", "b@example.net", "c@example.net"], "subject ü", TEXT)
        self.assertNotIn(b"b@example.net", m.data)
        self.assertEqual(m.header("From").addresses[0].addr_spec, "me@example.org")

    def test_neomutt(self):
        self.inside("neomutt", "-s", "subject ü", "-b", "b@example.net", "--", "a@example.net", input=TEXT, env=["EMAIL=me@example.org"])
        m = self.one(["a@example.net", "b@example.net"], "subject ü", TEXT)
        self.assertNotIn(b"b@example.net", m.data)

    def test_mime_construct(self):
        self.inside("mime-construct", "--to", "root", "--subject", "subject", "--string", LATIN)
        self.one(["root@example.com"], "subject", LATIN)

    def test_nmh_pipe(self):
        self.nmh("sendmail/pipe")

    def test_nmh_smtp(self):
        self.nmh("sendmail/smtp")

    def nmh(self, mts):
        self.write("root/.mh_profile", "Path: Mail\n")
        os.makedirs(os.path.join(self.root, "root/Mail"), exist_ok=True)
        self.write("root/Mail/draft", "To: a@example.net\nCc: root\nFrom: me@example.org\nSubject: subject\n--------\n" + LATIN)
        self.inside("/usr/bin/mh/send", "-mts", mts, "-draft", code=None)
        message, = self.relay.wait_messages(1)
        root, = [r for r in message.recipients if r.startswith("root@")]    # nmh may add its own idea of the host
        m = self.one(["a@example.net", root], "subject", LATIN)
        self.assertEqual(m.header("From"), "me@example.org")

    def test_procmail(self):
        self.write("root/.procmailrc", "SENDMAIL=/usr/sbin/sendmail\nLOGFILE=/tmp/procmail.log\n:0\n! fwd@example.net\n")
        self.inside("procmail", "/root/.procmailrc",
                    input="From a@b.example Mon Nov 16 10:00:00 2026\nFrom: a@b.example\nTo: me@example.org\nSubject: subject\n\n" + LATIN)
        m = self.one(["fwd@example.net"], "subject", LATIN)
        self.assertEqual(m.header("To"), "me@example.org")

    # -- daemons and system tools

    def test_cron(self):
        self.write("etc/crontab", "SHELL=/bin/sh\nMAILTO=root\n@reboot root printf 'first line\\n.\\nGrüße\\nlast line\\n'\n")
        for name in ("run/crond.reboot", "run/crond.pid"):
            if os.path.exists(os.path.join(self.root, name)):
                os.unlink(os.path.join(self.root, name))
        self.daemon("cron", "-f")
        m = self.one(["root@example.com"], None, TEXT)
        self.assertIn(b"\nFrom: root@example.com (Cron Daemon)\n", m.data)
        self.assertRegex(m.header("Subject"), "^Cron <root@.*printf")

    def test_at(self):
        for name in ("var/spool/cron/atjobs", "var/spool/cron/atspool"):
            shutil.rmtree(os.path.join(self.root, name))
            os.makedirs(os.path.join(self.root, name))
            shutil.chown(os.path.join(self.root, name), 1, 1)
        self.write("var/spool/cron/atjobs/.SEQ", "0\n")
        shutil.chown(os.path.join(self.root, "var/spool/cron/atjobs/.SEQ"), 1, 1)
        self.inside("at", "-M", "now", input="true\n", code=None)
        self.inside("at", "now", input="printf 'first line\\n.\\nlast line\\n'\n")
        self.daemon("atd", "-f")
        m = self.one(["root@example.com"], None, "first line\n.\nlast line\n")
        self.assertRegex(m.header("Subject"), r"^Output from your job")

    def test_sudo(self):
        path = self.write("etc/sudoers", "Defaults mail_always\nroot ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
        self.assertTrue(os.path.exists(path))
        self.inside("sudo", "/bin/true")
        harness.wait_for("sudo's mail", self.relay.count)       # later versions send a second one
        m = self.relay.messages()[0]
        self.assertEqual(m.recipients, ["root@example.com"])
        self.assertIn("SECURITY information", m.header("Subject"))
        self.assertIn(b"COMMAND=/bin/true", m.data)

    def test_logwatch(self):
        self.write("var/log/logwatch-test.log", "")
        self.inside("logwatch", "--output", "mail", "--mailto", "root", "--service", "zz-sys", "--range", "today", "--format", "text")
        m = self.one(["root@example.com"])
        self.assertIn("Logwatch", m.header("Subject"))

    def test_smartd_warning(self):
        self.write("etc/alternatives/mail", "")
        link = os.path.join(self.root, "usr/bin/mail")
        if not os.path.lexists(link):
            os.symlink("bsd-mailx", link)
        self.inside("/bin/sh", "/usr/share/smartmontools/smartd_warning.sh", env=[
            "SMARTD_MAILER=/usr/bin/mail", "SMARTD_ADDRESS=root", "SMARTD_MESSAGE=Device: /dev/sda, FAILED",
            "SMARTD_FAILTYPE=CurrentPendingSector", "SMARTD_DEVICE=/dev/sda", "SMARTD_DEVICETYPE=sat",
            "SMARTD_DEVICEINFO=disk", "SMARTD_TFIRST=now", "SMARTD_TFIRSTEPOCH=1", "SMARTD_PREVCNT=0", "SMARTD_NEXTDAYS=",
            "SMARTD_DEVICESTRING=/dev/sda",
            "SMARTD_FULLMESSAGE=the whole message"])
        m = self.one(["root@example.com"])
        self.assertIn("SMART error (CurrentPendingSector)", m.header("Subject"))

    def test_fail2ban(self):
        """Its own action, as written in its package, run by its own code."""
        script = (
            "import sys; sys.path.insert(0, '/usr/lib/python3/dist-packages')\n"
            "from fail2ban.client.actionreader import ActionReader\n"
            "from fail2ban.server.action import CommandAction\n"
            "r = ActionReader('sendmail', 'sshd', {'name': 'sshd', 'dest': 'root', 'sender': 'fail2ban'}, basedir='/etc/fail2ban',"
            " share_config={})\n"
            "r.read(); r.getOptions({})\n"
            "a = CommandAction(None, 'sendmail')\n"
            "for c in r.convert():\n"
            "    if c[0] == 'multi-set':\n"
            "        for k, v in c[4]: setattr(a, k, v) if hasattr(a, k) else a._properties.__setitem__(k, v) if hasattr(a, '_properties') else None\n"
            "    elif c[0] == 'set' and len(c) > 5: setattr(a, c[4], c[5])\n"
            "a.start()\n")
        self.write("tmp/f2b.py", script)
        self.inside("python3", "/tmp/f2b.py")
        m = self.one(["root@example.com"], sender="fail2ban@example.com")
        self.assertRegex(m.header("Subject"), r"^\[Fail2Ban\] sshd: started on \S+$")
        self.assertEqual(m.header("From").addresses[0].display_name, "Fail2Ban")

    def test_unattended_upgrades(self):
        """Its own function that mails the summary, out of the program as it is installed."""
        self.write("tmp/uu.py", """import importlib.machinery, sys
loader = importlib.machinery.SourceFileLoader("uu", "/usr/bin/unattended-upgrade")
uu = type(sys)("uu"); sys.argv = ["uu"]; exec(loader.get_code("uu"), uu.__dict__)
sys.exit(uu._send_mail_using_sendmail("root@box", "root", "[package on hold] unattended-upgrades result for box: SUCCESS",
    "first line\\n.\\nGrüße\\nlast line\\n"))
""")
        self.inside("python3", "/tmp/uu.py")
        m = self.one(["root@example.com"], "[package on hold] unattended-upgrades result for box: SUCCESS", TEXT)
        self.assertEqual(m.header("Auto-Submitted"), "auto-generated")

    def test_mdadm_monitor(self):
        said = self.inside("mdadm", "--monitor", "--oneshot", "--test", "--mail=root", "/dev/md77", code=None)
        if "error opening /dev/md77" in said:
            self.skipTest("this mdadm sends no test for an array that is not there (4.4)")
        m = self.one(["root@example.com"], sender="root@example.com")
        self.assertRegex(m.header("Subject"), "^TestMessage event on /dev/md77:")
        self.assertEqual(m.header("From"), "mdadm monitoring <root@example.com>")
        self.assertIn(b"A TestMessage event had been detected on md device /dev/md77.\n", m.body)

    def test_git_send_email(self):
        self.write("root/.gitconfig", "[user]\n\tname = Mé Tester\n\temail = me@example.org\n")
        self.write("tmp/x.patch", "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
                   "From: Someone Else <else@example.org>\nDate: Mon, 16 Nov 2026 10:00:00 +0000\nSubject: [PATCH] change\n\n"
                   "Body ü\n---\n x | 1 +\n\n.\ndiff --git a/x b/x\n-- \n2.39\n")
        self.inside("git", "send-email", "--confirm=never", "--suppress-cc=all", "--to", "list@example.net", "--cc", "c@example.net",
                    "--8bit-encoding=UTF-8", "/tmp/x.patch")
        m = self.one(["list@example.net", "c@example.net"], "[PATCH] change")
        self.assertIn("From: Someone Else <else@example.org>\n\nBody ü\n".encode(), m.body)
        self.assertIn(b"\n.\ndiff", m.body)

    def test_full_names(self):
        """As the password file has them: '&' is the login name, a comma ends the name, and it need not be ASCII."""
        names = (("Box Admin,,,", "Box Admin"), ("& of &,room 1", "Root of Root"), ("J\u00fcrgen \u201eBoss\u201c M\u00fcller,,,", "J\u00fcrgen \u201eBoss\u201c M\u00fcller"),
                 ('J. "Doc" O\'Neil (x), x', 'J. "Doc" O\'Neil (x)'), ("", ""), (",,,", ""))
        with open(os.path.join(self.root, "etc/passwd"), encoding="utf-8") as f:
            passwd = f.read()
        for n, (gecos, want) in enumerate(names, 1):
            self.write("etc/passwd", re.sub(r"^root:.*$", lambda m, g=gecos: "root:x:0:0:%s:/root:/bin/sh" % g, passwd, flags=re.M))
            self.inside("/usr/sbin/sendmail", "root", input="x\n")
            m = self.relay.wait_messages(n, timeout=30)[-1]
            author, = m.header("From").addresses
            self.assertEqual((author.display_name, author.addr_spec), (want, "root@example.com"))
            self.assertTrue(m.data.partition(b"\n\n")[0].isascii())

    # -- languages

    def test_php_mail(self):
        self.write("tmp/m.php", "<?php exit(mail('a@example.net, root', 'subject', \"first line\\n.\\nGrüße\\nlast line\\n\", "
                   "\"From: w@example.org\\r\\nBcc: b@example.net\", '-fbounce@example.org') ? 0 : 1);")
        self.inside("php", "/tmp/m.php")
        m = self.one(["a@example.net", "b@example.net", "root@example.com"], "subject", TEXT, "bounce@example.org")
        self.assertNotIn(b"b@example.net", m.data)

    def test_php_mail_says_no(self):
        self.write("tmp/m.php", "<?php exit(mail('a@', 's', 'x') ? 0 : 7);")
        self.assertIn("no mail address", self.inside("php", "/tmp/m.php", code=7))

    def test_phpmailer(self):
        self.write("tmp/m.php", """<?php
require '/usr/share/php/libphp-phpmailer/src/PHPMailer.php'; require '/usr/share/php/libphp-phpmailer/src/Exception.php';
$m = new PHPMailer\\PHPMailer\\PHPMailer(true); $m->isSendmail(); $m->CharSet = 'utf-8'; $m->setFrom('w@example.org', 'Wé');
$m->addAddress('a@example.net'); $m->addBCC('b@example.net'); $m->Subject = 'subject ü'; $m->Body = "first line\\n.\\nGrüße\\nlast line\\n";
$m->send();""")
        self.inside("php", "/tmp/m.php")
        self.one(["a@example.net", "b@example.net"], "subject ü", TEXT, "w@example.org")

    def symfony(self, command):
        self.write("tmp/m.php", """<?php
require '/usr/share/php/Symfony/Component/Mailer/autoload.php'; require '/usr/share/php/Symfony/Component/Mime/autoload.php';
$t = new Symfony\\Component\\Mailer\\Transport\\SendmailTransport('%s');
$m = (new Symfony\\Component\\Mime\\Email())->from('w@example.org')->to('a@example.net')->bcc('b@example.net')->subject('subject ü')
    ->text("first line\\n.\\nGrüße\\nlast line\\n");
(new Symfony\\Component\\Mailer\\Mailer($t))->send($m);""" % command)
        self.inside("php", "/tmp/m.php")
        self.one(["a@example.net", "b@example.net"], "subject ü", TEXT, "w@example.org")

    def test_symfony_smtp(self):
        self.symfony("/usr/sbin/sendmail -bs")

    def test_symfony_pipe(self):
        self.symfony("/usr/sbin/sendmail -t -i")

    def test_swiftmailer(self):
        self.wants("php-swiftmailer")
        self.write("tmp/m.php", """<?php
error_reporting(E_ALL & ~E_DEPRECATED);
require '/usr/share/php/Egulias/EmailValidator/autoload.php'; require '/usr/share/php/Swift/swift_required.php';
$t = new Swift_SendmailTransport('/usr/sbin/sendmail -t -i');
$m = (new Swift_Message('subject ü'))->setFrom(['w@example.org' => 'Wé'])->setTo(['a@example.net'])->setBcc(['b@example.net'])
    ->setBody("first line\\n.\\nGrüße\\nlast line\\n");
exit((new Swift_Mailer($t))->send($m) == 2 ? 0 : 1);""")
        self.inside("php", "/tmp/m.php")
        self.one(["a@example.net", "b@example.net"], "subject ü", TEXT, "w@example.org")

    def test_pear_mail(self):
        self.write("tmp/m.php", """<?php
require 'Mail.php';
$m = Mail::factory('sendmail');
exit($m->send('a@example.net, root@localhost', ['From' => 'w@example.org', 'To' => 'a@example.net', 'Subject' => 'subject'],
    "first line\\n.\\nplain\\nlast line\\n") === true ? 0 : 1);""")
        self.inside("php", "/tmp/m.php")
        self.one(["a@example.net", "root@example.com"], "subject", LATIN, "w@example.org")

    def test_perl_email_sender(self):
        self.write("tmp/m.pl", """use Email::Sender::Simple qw(sendmail); use Email::Simple;
use Email::Sender::Transport::Sendmail;
my $e = Email::Simple->create(header => [From => 'w@example.org', To => 'a@example.net', Subject => 'subject'],
    body => "first line\\n.\\nplain\\nlast line\\n");
sendmail($e, {from => 'bounce@example.org', to => ['a@example.net', 'root'], transport => Email::Sender::Transport::Sendmail->new});
""")
        self.inside("perl", "/tmp/m.pl")
        self.one(["a@example.net", "root@example.com"], "subject", LATIN, "bounce@example.org")

    def test_perl_mime_lite(self):
        self.write("tmp/m.pl", """use MIME::Lite;
my $m = MIME::Lite->new(From => 'w@example.org', To => 'a@example.net', Bcc => 'b@example.net', Subject => 'subject',
    Data => "first line\\n.\\nplain\\nlast line\\n"); $m->send or die;
""")
        self.inside("perl", "/tmp/m.pl")
        self.one(["a@example.net", "b@example.net"], "subject", LATIN)

    def test_perl_mail_mailer(self):
        self.write("tmp/m.pl", """use Mail::Mailer; my $m = Mail::Mailer->new('sendmail');
$m->open({From => 'w@example.org', To => 'a@example.net', Subject => 'subject'}); print $m "first line\\n.\\nplain\\nlast line\\n";
$m->close or die;
""")
        self.inside("perl", "/tmp/m.pl")
        self.one(["a@example.net"], "subject", LATIN)

    def test_ruby_mail(self):
        self.write("tmp/m.rb", """require 'mail'
m = Mail.new(from: 'w@example.org', to: 'a@example.net', bcc: 'z@example.net', subject: 'subject ü', charset: 'UTF-8',
  body: "first line\\n.\\nGrüße\\nlast line\\n")
m.delivery_method :sendmail
m.deliver!
""")
        self.inside("ruby", "/tmp/m.rb")
        self.one(["a@example.net", "z@example.net"], "subject ü", TEXT, "w@example.org")

    def test_python(self):
        self.write("tmp/m.py", """import subprocess
from email.message import EmailMessage
m = EmailMessage(); m["To"] = "a@example.net, root"; m["Bcc"] = "b@example.net"; m["Subject"] = "subject ü"; m["From"] = "w@example.org"
m.set_content("first line\\n.\\nGrüße\\nlast line\\n")
subprocess.run(["/usr/sbin/sendmail", "-t", "-oi"], input=m.as_bytes(), check=True)
""")
        self.inside("python3", "/tmp/m.py")
        self.one(["a@example.net", "b@example.net", "root@example.com"], "subject ü", TEXT)


class MailCommand(Callers):
    """The calls of callers.json that go to mail(1), each through every program of that name."""

    WORDS = {"<subject>": "subject ü", "<subj>": "subject ü", "<addr>": "a@example.net", "<addr...>": "a@example.net",
             "<MAILTO>": "root", "$CONTACTEMAIL$": "ops@example.net"}

    def entries(self):
        with open(os.path.join(harness.SRC, "tests/data/callers.json")) as f:
            entries = json.load(f)["entries"]
        found = [e for e in entries if os.path.basename(e["argv"][0]) in ("mail", "mailx")]
        self.assertGreaterEqual(len(found), 5)
        return found

    def use(self, program):
        for name in ("mail", "mailx"):
            link = os.path.join(self.root, "usr/bin", name)
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink(program, link)

    def replay(self, program, text, headers=True):
        self.use(program)
        wanted = {}
        for number, entry in enumerate(self.entries()):
            argv = [self.WORDS.get(word, word) for word in entry["argv"]]
            if "-a" in argv and not headers:
                continue
            body = "entry %d\n" % number + text
            self.assertEqual(self.inside(*argv, input=body), "", entry["software"])
            wanted[number] = (entry, argv, body)
        for message in self.relay.wait_messages(len(wanted), timeout=30):
            body = message.parsed.get_payload(decode=True).decode().replace("\r\n", "\n")
            with self.subTest(body.split("\n", 1)[0]):
                entry, argv, sent = wanted.pop(int(body.split()[1]))
                self.assertEqual(body, sent)
                self.assertEqual(message.recipients, [argv[-1] if "@" in argv[-1] else argv[-1] + "@example.com"])
                self.assertEqual(message.sender, "root@example.com")
                self.assertEqual(message.header("Subject"), argv[argv.index("-s") + 1])
                self.assertEqual(message.header("From").addresses[0].addr_spec, "root@example.com")
                self.assertEqual(message.header("To").addresses[0].addr_spec, message.recipients[0])
                for name in ("Date", "Message-ID", "Received"):
                    self.assertIsNotNone(message.header(name), name)
                if "-a" in argv:
                    self.assertEqual(message.parsed.get_content_charset(), "utf-8")
        self.assertEqual(wanted, {})

    def test_bsd_mailx(self):
        self.replay("bsd-mailx", "first line\n.\nGrüße\n~p\nlast line\n")

    def test_s_nail(self):
        self.replay("s-nail", "first line\n.\nGrüße\nlast line\n", headers=False)    # its -a attaches a file

    def test_mailutils(self):
        self.replay("mail.mailutils", "first line\nlast line\n")


class OverSmtp(Callers):
    """Programs that know no sendmail, by way of the listener on loopback."""

    def start_queue(self, door):
        self.configure(self.relay, door_socket=door, inet_interfaces="loopback-only")
        if self.run_program("sendmail", "-C", self.conf, "-bs", "--sandbox-probe", code=None).returncode:
            self.skipTest("no Landlock here (or a build with sanitizers)")
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        fd, self.port = listener.fileno(), listener.getsockname()[1]
        self.start("/bin/sh", "-c", 'exec 3<&%d; export LISTEN_PID=$$; exec "$0" "$@"' % fd, harness.program("outpostd"),
                   "-C", self.conf, "-f", env={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}, pass_fds=(fd,))
        harness.wait_for("the door", lambda: self.door_answers(door))

    def msmtp(self, *args, code=0):
        return self.inside("msmtp", "--host=127.0.0.1", "--port=%d" % self.port, "--tls=off", "--auth=off", "--domain=box.example.com",
                           *args, input="To: a@example.net\nBcc: b@example.net\nSubject: subject ü\n\n" + TEXT, code=code)

    def test_msmtp(self):
        self.msmtp("--from=w@example.org", "--dsn-notify=failure,delay", "--dsn-return=headers", "-t", "root@localhost")
        m = self.one(["a@example.net", "b@example.net", "root@example.com"], "subject ü", TEXT, "w@example.org")
        self.assertNotIn(b"b@example.net", m.data)
        self.assertIn(b"from box.example.com", m.data)

    def test_msmtp_is_told(self):
        self.assertIn("553 5.1.3", self.msmtp("--from=w@example.org", "--", "a@@example.net", code=65))
        self.assertEqual(self.relay.count(), 0)

    def test_python_smtplib(self):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20 * harness.PATIENCE) as client:
            client.sendmail("w@example.org", ["a@example.net", "root"], "Subject: subject\r\n\r\n" + LATIN.replace("\n", "\r\n"))
        self.one(["a@example.net", "root@example.com"], "subject", LATIN, "w@example.org")


NODEMAILER = """const t = require('nodemailer').createTransport({sendmail: true, path: process.argv[1], newline: process.argv[2]});
t.sendMail({from: 'Wé <w@example.org>', to: 'a@example.net', cc: '\"C, D\" <c@example.net>', bcc: 'b@example.net', subject: 'subject ü',
    text: 'first line\\n.\\nGrüße\\nlast line\\n', envelope: process.argv[3] ? {from: process.argv[3], to: ['a@example.net']} : undefined})
    .then(() => process.exit(0), e => { console.error(e.message); process.exit(7); });
"""


class Nodemailer(harness.SystemTest):
    """Its sendmail transport: `sendmail -i -f SENDER RECIPIENT...`, with LF or with CRLF."""
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def setUp(self):
        super().setUp()
        self.modules = servers.node_modules(self, "nodemailer", "nodemailer@7.0.10")
        self.relay = self.start_relay()
        self.configure(self.relay)
        self.start_outpostd()

    def node(self, *args, code=0):
        done = subprocess.run([shutil.which("node"), "-e", NODEMAILER, harness.program("sendmail"), *args],
                              env=self.environ({"MAIL_CONFIG": self.conf, "NODE_PATH": self.modules}), timeout=40 * harness.PATIENCE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, code, done.stdout.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace")

    def test_both_line_ends(self):
        for n, newline in enumerate(("unix", "windows"), 1):
            self.node(newline)
            m = self.relay.wait_messages(n, timeout=30)[-1]
            self.assertEqual(sorted(m.recipients), ["a@example.net", "b@example.net", "c@example.net"])
            self.assertEqual(m.sender, "w@example.org")
            self.assertEqual(m.header("Subject"), "subject ü")
            self.assertEqual(m.header("From"), "Wé <w@example.org>")
            self.assertNotIn(b"b@example.net", m.data)
            text = m.parsed.get_payload(decode=True).decode().replace("\r\n", "\n")
            self.assertEqual(text.rstrip("\n"), TEXT.rstrip("\n"))

    def test_refusal_is_told(self):
        """As an exit code, and not as a closed pipe: what it writes is read to its end."""
        self.assertIn("code 65", self.node("unix", "@", code=7))
        self.assertEqual(self.relay.count(), 0)


if __name__ == "__main__":
    harness.main()
