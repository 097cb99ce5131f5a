/* check_configuration.c: what can be said about the configuration without asking the relay. */
#include "config.h"
#include "outpost/check/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/files/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/process/proc.h"
#include "base/sock.h"
#include "base/text/text.h"
#include "conf/conf.h"
#include "nexthop/nexthop.h"
#include "nexthop/tls_policy.h"
#include "outpost/flusher/health.h"
#include "rules/rules.h"

enum { SMALL_QUEUE = 64 << 20 };

/* ---- as root */

static bool load(struct context *c, struct report *r)
{
	struct error err = {0};
	const char *hint = NULL;

	if (context_conf(c, &err) == 0)
		return true;
	if (error_exit(&err) == EX_NOINPUT)
		hint = "relayhost = [smtp.example.com]:587\n"
		       "smtp_sasl_auth_enable = yes\n"
		       "smtp_sasl_password_maps = hash:" SYSCONFDIR "/sasl_passwd\n"
		       "smtp_tls_security_level = secure";
	else if (error_exit(&err) == EX_NOPERM && geteuid() != 0)
		hint = "run this as root";
	report_fail(r, err.reason, "main.cf", -1, err.text, hint);
	return false;
}

static void fix_modes(struct context *c, struct report *r, const struct stat *queue)
{
	struct error err = {0};
	struct buf said;
	struct span rest, line;

	if (geteuid() != 0 || queue->st_uid == 0)
		return;
	buf_init(&said, 64 << 10);
	if (credentials_fix_modes(c->conf, queue->st_gid, &said, &err) < 0)
		report_fail(r, err.reason, "file modes", -1, err.text, NULL);
	rest = (struct span){buf_str(&said), said.len};
	while (span_word(&rest, "\n", &line))
		report_linef(r, REPORT_NOTE, "file modes", NULL, "%.*s", (int)line.n, line.p);
	buf_free(&said);
}

static bool queue_directory(struct context *c, struct report *r, struct stat *st)
{
	const char *dir = conf_str(c->conf, P_queue_directory);
	char hint[PATH_MAX + 200];
	const char *owner = conf_str(c->conf, P_mail_owner);

	errno = 0;
	if (stat(dir, st) == 0 && S_ISDIR(st->st_mode)) {
		if ((st->st_mode & 077) == 0)
			return true;
		snprintf(hint, sizeof(hint), "chmod 700 %s", dir);
		report_linef(r, REPORT_WARN, "queue", hint, "others can enter %s (mode %04o)", dir,
			     (unsigned)(st->st_mode & 07777));
		return true;
	}
	if (c->own && errno == ENOENT) {
		report_linef(r, REPORT_NOTE, "queue", NULL, "%s is made when it is first used", dir);
		st->st_uid = geteuid();
		return true;
	}
	snprintf(hint, sizeof(hint), "install -d -m 700 -o %s -g %s %s %s/incoming", owner, owner, dir, dir);
	report_failf(r, REASON_CANNOT_CREATE, "queue", hint, "queue directory %s: %s", dir,
		     strerror(errno ? errno : ENOTDIR));
	return false;
}

/* All else would be judged as if that user were the owner. */
static void fail_foreign(struct report *r, uid_t uid, const char *owner)
{
	struct passwd *p = getpwuid(uid);
	char hint[PATH_MAX + 200];

	snprintf(hint, sizeof(hint), "chown -R %s:%s " QUEUEDIR, owner, owner);
	report_failf(r, REASON_CONFIG, "queue", hint,
		     "queue directory " QUEUEDIR " belongs to %s, not to %s: no mail can be submitted",
		     p ? p->pw_name : "a user that is not there", owner);
}

/* The system's queue is written by the set-id helper where no daemon listens. */
static bool helper_rights(struct context *c, struct report *r, const struct stat *queue)
{
	static const char path[] = HELPERDIR "/outpost-drop";
	char hint[400], owner[LOGIN_NAME_MAX];
	struct stat st;

	if (context_queue_is_foreign(c, queue, owner, sizeof(owner)))
		return fail_foreign(r, queue->st_uid, owner), false;
	if (c->own || strcmp(conf_str(c->conf, P_queue_directory), QUEUEDIR) != 0)
		return true;
	snprintf(hint, sizeof(hint), "chown %s:%s %s && chmod 6711 %s", OWNER, OWNER, path, path);
	if (stat(path, &st) < 0)
		report_linef(r, REPORT_WARN, "outpost-drop", "make install", "%s: %s", path, strerror(errno));
	else if ((st.st_mode & 06111) != 06111 || st.st_uid != queue->st_uid)
		report_linef(r, REPORT_WARN, "outpost-drop", hint,
			     "%s is not set-id %s: programs can submit mail only while outpostd runs", path, OWNER);
	return true;
}

static void foreign_sendmail(struct context *c, struct report *r)
{
	static const char path[] = SBINDIR "/sendmail";
	char real[PATH_MAX], beside[PATH_MAX], ours[PATH_MAX];

	if (c->own || !realpath(path, real))
		return;
	if (!io_program_path("sendmail", SBINDIR, beside, sizeof(beside)) || !realpath(beside, ours))
		return;
	if (strcmp(real, ours) != 0)
		report_linef(r, REPORT_WARN, "sendmail",
			     "dpkg-divert --local --rename --add /usr/sbin/sendmail, then make install",
			     "%s leads to %s, which is not outpost's: programs use that one", path, real);
}

bool check_as_root(struct context *c, struct report *r)
{
	struct error err = {0};
	struct stat st = {0};

	if (!load(c, r))
		return false;
	if (!queue_directory(c, r, &st))
		return false;
	if (!helper_rights(c, r, &st))
		return false;
	fix_modes(c, r, &st);
	foreign_sendmail(c, r);
	if (context_become(c, &err) < 0)
		report_fail(r, err.reason, "rights", -1, err.text,
			    error_exit(&err) == EX_NOPERM ? "run this as root" : NULL);
	else if (credentials_conf_readable(c->conf, &err) < 0)
		report_fail(r, err.reason, "main.cf", -1, err.text, NULL);
	else
		return true;
	return false;
}

/* ---- as the owner */

static void unused(struct context *c, struct report *r)
{
	const struct conf_unused *list;
	size_t n = conf_unused(c->conf, &list), idle = 0;
	struct buf names;

	buf_init(&names, 16 << 10);
	for (size_t i = 0; i < n; i++) {
		char label[32], hint[300] = "", words[600];

		if (list[i].postfix) {
			buf_addf(&names, "%s%s", idle++ ? ", " : "", list[i].name);
			continue;
		}
		snprintf(label, sizeof(label), "line %u", list[i].line);
		if (list[i].nearest)
			snprintf(hint, sizeof(hint), "%s = ...", list[i].nearest);
		report_line(r, REPORT_WARN, label, -1, conf_unused_words(&list[i], words, sizeof(words)), hint);
	}
	if (idle)
		report_linef(r, REPORT_NOTE, "unused", NULL, "%zu %s of Postfix %s no use here: %s", idle,
			     idle == 1 ? "parameter" : "parameters", idle == 1 ? "has" : "have", buf_str(&names));
	buf_free(&names);
}

/* Whether SMTP on loopback is served already, by whatever listens there. */
static bool smtp_is_open(void)
{
	FILE *f = fopen("/proc/net/tcp", "re");
	unsigned address, port, state;
	char line[512];
	bool open = false;

	while (f && !open && fgets(line, sizeof(line), f))
		open = sscanf(line, " %*u: %8X:%4X %*8X:%*4X %2X", &address, &port, &state) == 3 && port == 25 &&
		       state == TCP_LISTEN && (address == htonl(INADDR_LOOPBACK) || address == INADDR_ANY);
	if (f)
		fclose(f);
	return open;
}

/* "PATH:LINE: TEXT" or "PATH: TEXT" */
static void advice_line(struct report *r, struct span line, size_t path)
{
	char text[2048], label[32] = "main.cf", *words = text;
	unsigned number = 0;
	int used = 0;

	snprintf(text, sizeof(text), "%.*s", (int)line.n, line.p);
	if (line.n > path + 1 && sscanf(text + path, ":%u: %n", &number, &used) == 1 && used > 0) {
		snprintf(label, sizeof(label), "line %u", number);
		words = text + path + used;
	} else if (line.n > path + 2 && strncmp(text + path, ": ", 2) == 0) {
		words = text + path + 2;
	}
	report_line(r, REPORT_WARN, label, -1, words, NULL);
}

static void loopback(struct context *c, struct report *r)
{
	char label[32];

	if (!ascii_case_equal(conf_str(c->conf, P_inet_interfaces), "loopback-only") || smtp_is_open())
		return;
	snprintf(label, sizeof(label), "line %u", conf_line(c->conf, P_inet_interfaces));
	report_line(r, REPORT_WARN, label, -1, "inet_interfaces = loopback-only: for SMTP on 127.0.0.1:25 type: "
		    "systemctl stop outpost; systemctl enable --now outpost-loopback.socket", NULL);
}

static void advice(struct context *c, struct report *r)
{
	size_t path = strlen(conf_dir(c->conf)) + strlen("/main.cf");
	struct span rest, line;
	struct buf out;

	buf_init(&out, 256 << 10);
	nexthop_advice(c->conf, &out);
	rest = (struct span){buf_str(&out), out.len};
	while (span_word(&rest, "\n", &line))
		advice_line(r, line, path);
	buf_free(&out);
}

static void readable(struct report *r, const char *label, const char *path, bool directory)
{
	const char *hint = "remove the line (the system's authorities are the default), or on Debian\n"
			   "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt";

	if (tls_foreign_bundle(path)) {
		report_linef(r, REPORT_WARN, label, hint,
			     "%s: no such file here; this system's own CA certificates are used", path);
	} else if (*path && access(path, directory ? R_OK | X_OK : R_OK) < 0) {
		report_failf(r, REASON_CONFIG, label, hint, "%s: %s", path, strerror(errno));
	}
}

static void tls(struct context *c, struct report *r)
{
	readable(r, "smtp_tls_CAfile", conf_str(c->conf, P_smtp_tls_CAfile), false);
	readable(r, "smtp_tls_CApath", conf_str(c->conf, P_smtp_tls_CApath), true);
}

static void relay_line(struct report *r, const struct relayhost *relay)
{
	report_linef(r, REPORT_OK, "relayhost", NULL, "%s: %s", relay->written,
		     relay->implicit_tls ? "TLS from the first byte" : "STARTTLS");
}

static size_t relay_lines(struct context *c, struct report *r, struct relayhost *relays, size_t max)
{
	struct error err = {0};
	int n = relayhost_list(c->conf, relays, max, &err);

	if (n < 0)
		report_fail(r, err.reason, "relayhost", -1, err.text, NULL);
	if (n == 0 && conf_is_set(c->conf, P_sender_dependent_relayhost_maps))
		report_line(r, REPORT_NOTE, "relayhost", -1, "only sender_dependent_relayhost_maps names relays", NULL);
	else if (n == 0)
		report_fail(r, REASON_CONFIG, "relayhost", -1, "relayhost is not set: there is nobody to hand mail to",
			    "relayhost = [smtp.example.com]:587");
	for (int i = 0; i < n; i++)
		relay_line(r, &relays[i]);
	return n > 0 ? (size_t)n : 0;
}

/* Quotes around the user, the password, or both together. */
static bool quoted(const struct buf *user, const struct buf *secret)
{
	char first = user->len ? user->data[0] : 0, last = secret->len ? secret->data[secret->len - 1] : 0;
	char begin = secret->len > 1 ? secret->data[0] : 0;

	return (first == '"' || first == '\'') || ((begin == '"' || begin == '\'') && begin == last);
}

/* Says under which key a credential was found and for whom; never the secret. */
static void credential_found(struct report *r, const struct credential *cr)
{
	report_linef(r, REPORT_OK, "password map", NULL, "%s for user %.*s, found under %s",
		     cr->kind == 'T' ? "a token" : "a password", (int)cr->user.len, buf_str(&cr->user), cr->key);
	if (quoted(&cr->user, &cr->secret))
		report_line(r, REPORT_WARN, "password map", -1,
			    "there are quotes around the user or the password; they are "
			    "taken as part of it",
			    "[host]:port user:password   (no quotes; blanks, # and : may stand in a password)");
	else if (memmem(buf_str(&cr->secret), cr->secret.len, " #", 2))
		report_line(r, REPORT_NOTE, "password map", -1,
			    "what follows # is taken as part of the password; a comment wants a "
			    "line of its own",
			    NULL);
	if (cr->secret.len == 0)
		report_line(r, REPORT_WARN, "password map", -1, "the password is empty", "[host]:port user:password");
}

static void credential(struct context *c, struct report *r, const struct relayhost *relay)
{
	struct credential cr = {0};
	struct error err = {0};
	int rc = context_credential(c, relay, "", &cr, &err);

	if (rc == 1)
		credential_found(r, &cr);
	if (rc <= 0)
		report_reason(r, REPORT_FAIL, err.reason, relay, NULL, "password map", -1, err.text);
	credential_wipe(&cr);
}

static void login(struct context *c, struct report *r, const struct relayhost *relays, size_t n)
{
	bool on = conf_bool(c->conf, P_smtp_sasl_auth_enable), certificate = *conf_str(c->conf, P_smtp_tls_cert_file);
	bool map = conf_is_set(c->conf, P_smtp_sasl_password_maps) &&
		   (*conf_str(c->conf, P_smtp_sasl_password_maps) || !certificate);

	if (on && !map && certificate)
		report_line(r, REPORT_OK, "login", -1,
			    "by the certificate in smtp_tls_cert_file (EXTERNAL); no password map", NULL);
	else if (on && !map)
		report_fail(r, REASON_CONFIG, "login", -1,
			    "smtp_sasl_auth_enable = yes, but no smtp_sasl_password_maps says with what",
			    "smtp_sasl_password_maps = hash:" SYSCONFDIR "/sasl_passwd");
	for (size_t i = 0; on && map && i < n; i++)
		credential(c, r, &relays[i]);
}

static void aliases(struct context *c, struct report *r)
{
	struct error err = {0};
	struct check_root root;
	struct rules all;

	if (rules_open(c->conf, &all, &err) < 0) { /* outpostd can't do without one of them */
		report_fail(r, REASON_CONFIG, "maps", -1, err.text, NULL);
		return;
	}
	rules_close(&all);
	if (check_root(c, &root, &err) < 0) {
		report_linef(r, REPORT_WARN, "aliases", NULL, "%s", err.text);
		return;
	}
	if (*root.note)
		report_linef(r, REPORT_WARN, "aliases", NULL, "%s", root.note);
	if (root.lost)
		report_line(r, REPORT_WARN, "aliases", -1, root.text, root.hint);
	else if (root.aliased)
		report_linef(r, REPORT_OK, "aliases", NULL, "mail for root goes to %s", root.to);
	else
		report_linef(r, REPORT_NOTE, "aliases", root.hint,
			     "there is no alias for root: its mail goes to %s", root.to);
}

static void origin(struct context *c, struct report *r)
{
	const char *domain = conf_myorigin(c->conf);

	if (check_is_local_name(domain) && !*conf_str(c->conf, P_from_address))
		report_linef(r, REPORT_WARN, "myorigin", "myorigin = example.com\nor from_address = server@example.com",
			     "mail is sent from user@%s, which most relays refuse", domain);
	else
		report_linef(r, REPORT_OK, "myorigin", NULL, "%s", domain);
}

/* All of a small queue is read; a large one only when it is asked for, since nothing is given back of its WAL
 * meanwhile. */
static bool is_whole(struct context *c, struct report *r, struct queue *q, const char *dir)
{
	char path[PATH_MAX];
	struct error err = {0};
	struct stat st;

	snprintf(path, sizeof(path), "%s/queue.db", dir);
	if (!option_given(c, "integrity") && stat(path, &st) == 0 && st.st_size > SMALL_QUEUE) {
		report_linef(r, REPORT_NOTE, "queue", "outpost check --offline --integrity",
			     "%s has %lld MB, which were not read", path, (long long)(st.st_size >> 20));
		return true;
	}
	if (queue_check(q, &err) == 0)
		return true;
	report_fail(r, err.reason, "queue", -1, err.text,
		    "recover what can be read: see \"Recovering a damaged queue\"\nin outpost-queue(7)");
	return false;
}

/* outpostd opens it with our rights; a file that is not there is made if its directory may be written. */
static void log_file(struct context *c, struct report *r)
{
	const char *path = conf_str(c->conf, P_maillog_file), *slash = strrchr(path, '/');
	char dir[PATH_MAX], hint[PATH_MAX + 100];
	struct stat st;

	if (!slash || strncmp(path, "/dev/", 5) == 0)
		return;
	snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (access(path, W_OK) == 0 || (stat(path, &st) < 0 && errno == ENOENT && access(dir, W_OK | X_OK) == 0))
		return;
	snprintf(hint, sizeof(hint), "touch %s && chown %s %s   (or remove maillog_file)", path,
		 conf_str(c->conf, P_mail_owner), path);
	report_linef(r, REPORT_WARN, "maillog_file", hint, "%s cannot be written by outpostd: its lines go to syslog",
		     path);
}

static void queue_state(struct context *c, struct report *r)
{
	const char *dir = conf_str(c->conf, P_queue_directory);
	struct error err = {0};
	struct statvfs fs;
	struct queue *q;
	bool whole;
	size_t n = health_count_files(dir, "corrupt");

	if (c->own && access(dir, F_OK) < 0)
		return;
	if (access(dir, W_OK | X_OK) < 0) {
		report_failf(r, REASON_CANNOT_CREATE, "queue", NULL, "queue directory %s is not writable: %s", dir,
			     strerror(errno));
		return;
	}
	if (fs_check(dir, &err) < 0 || context_read_queue(c, &q, &err) < 0) {
		report_fail(r, err.reason, "queue", -1, err.text, NULL);
		return;
	}
	whole = !q || is_whole(c, r, q, dir);
	queue_close(q);
	if (statvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < 16u << 20)
		report_linef(r, REPORT_WARN, "queue", NULL, "less than 16 MB are free in %s", dir);
	if (n)
		report_linef(r, REPORT_WARN, "queue", NULL,
			     "%zu %s that could not be taken in %s in %s/corrupt: the log says why", n,
			     n == 1 ? "submission" : "submissions", n == 1 ? "rests" : "rest", dir);
	if (whole)
		report_linef(r, REPORT_OK, "queue", NULL, "%s", dir);
}

size_t check_configuration(struct context *c, struct report *r, struct relayhost *out, size_t max)
{
	size_t n;

	unused(c, r);
	advice(c, r);
	loopback(c, r);
	n = relay_lines(c, r, out, max);
	tls(c, r);
	login(c, r, out, n);
	aliases(c, r);
	origin(c, r);
	log_file(c, r);
	queue_state(c, r);
	return n;
}
