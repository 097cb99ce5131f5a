/*
 * fuzz_conf.c: main.cf, its editing, maps, regular expressions, oauth2 files, and what password programs say. The first
 * byte chooses. Nothing that the input names is opened or run.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "conf/internal.h"
#include "credentials/internal.h"
#include "credentials/oauth2_file.h"
#include "maps/regexp_table.h"
#include "nexthop/nexthop.h"
#include "nexthop/tls_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void use(struct conf *c)
{
	struct relayhost relays[4];
	const struct conf_unused *list;
	struct error err;
	struct buf b;

	buf_init(&b, 1u << 20);
	for (int p = 0; p < CONF_PARAMS; p++) {
		must(conf_str(c, (enum conf_param)p) != NULL);
		conf_seconds(c, (enum conf_param)p);
		conf_shown(c, (enum conf_param)p, true, &b);
	}
	must(*conf_myhostname(c) && *conf_myorigin(c));
	must(relayhost_list(c, relays, 4, &err) <= 4);
	conf_unused(c, &list);
	nexthop_advice(c, &b);
	buf_reset(&b);
	tls_priority(conf_str(c, P_smtp_tls_protocols), conf_str(c, P_smtp_tls_ciphers),
		     conf_str(c, P_smtp_tls_exclude_ciphers), &b, &b, &err);
	buf_free(&b);
}

static void fuzz_main(struct span text)
{
	struct conf *c;
	struct error err;

	if (conf_from_text("/nonexistent", text, &c, &err) < 0) {
		must(err.reason && *err.text && text_utf8(err.text, strlen(err.text)));
		return;
	}
	use(c);
	conf_free(c);
}

/* What was written must be what is read, whatever else stands in the file. */
static void fuzz_edit(struct span text)
{
	struct conf *c;
	struct error err;
	struct buf out;

	buf_init(&out, 1u << 20);
	if (conf_edit(text, "syslog_name", "fuzz $$1", &out, &err) >= 0 &&
	    conf_from_text("/nonexistent", (struct span){buf_str(&out), out.len}, &c, &err) == 0) {
		must(strcmp(conf_raw(c, P_syslog_name), "fuzz $$1") == 0);
		must(strcmp(conf_str(c, P_syslog_name), "fuzz $1") == 0);
		conf_free(c);
	}
	buf_free(&out);
}

static void fuzz_regexp(struct span text)
{
	struct regexp_table *r;
	struct error err;
	struct buf value;

	if (text.n > 2000) /* regcomp itself takes its time */
		return;
	for (int pcre = 0; pcre < 2; pcre++) {
		if (memchr(text.p, '{', text.n) || memchr(text.p, '*', text.n) ||
		    regexp_table_parse(text, "f", pcre, !pcre && text.n % 2, &r, &err) < 0)
			continue;
		buf_init(&value, 65536);
		regexp_table_get(r, "root@host.example", &value);
		buf_free(&value);
		regexp_table_free(r);
	}
}

static int memory_file(struct span text, char path[64])
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0 && io_write_all(fd, text.p, text.n, DEADLINE_NEVER) == 0 && fchmod(fd, 0600) == 0);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static void fuzz_maps(struct span text)
{
	static const enum conf_param params[] = {P_alias_maps, P_smtp_generic_maps, P_smtp_sasl_password_maps};
	char path[64], line[128];
	int fd = memory_file(text, path);

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		struct maps *m;
		struct conf *c;
		struct error err;
		struct buf value;

		snprintf(line, sizeof(line), "%s = hash:%s", conf_table[params[i]].name, path);
		must(conf_from_text("/nonexistent", span_of(line), &c, &err) == 0);
		if (maps_open(conf_map_list(c, params[i]), &m, &err) == 0) {
			buf_init(&value, 1u << 20);
			must(maps_get(m, "root", &value, &err) >= 0);
			buf_free(&value);
			maps_free(m);
		}
		conf_free(c);
	}
	close(fd);
}

static void fuzz_oauth2(struct span text)
{
	struct oauth2 *o = malloc(sizeof(*o));
	struct error err;
	char path[64];
	int fd = memory_file(text, path);

	must(o != NULL);
	if (oauth2_load(path, o, &err) == 0)
		must(*o->user && strncmp(o->token_endpoint, "https://", 8) == 0);
	free(o);
	close(fd);
}

static void fuzz_answer(struct span text)
{
	struct credential cr;
	struct error err;
	int64_t keep = 0;

	credential_init(&cr);
	if (credential_parse_answer(text, "", 'P', "program", &cr, &keep, &err) == 1)
		must(cr.user.len && cr.secret.len && keep >= 0 && !memchr(cr.secret.data, '\n', cr.secret.len));
	credential_wipe(&cr);
	credential_read_answer(text, &cr, &keep, &err);
	credential_wipe(&cr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const entries[])(struct span) = {fuzz_main, fuzz_edit,   fuzz_regexp,
						       fuzz_maps, fuzz_oauth2, fuzz_answer};

	if (size && size < 100000)
		entries[data[0] % (sizeof(entries) / sizeof(entries[0]))]((struct span){(const char *)data + 1,
			size - 1});
	return 0;
}
