#include "config.h"
#include "nexthop/nexthop.h"
#include "base/text/text.h"
#include "nexthop/tls_policy.h"

#include <stdio.h>
#include <string.h>

/* Parameters and the fields they go to as they are: texts, yes or no, numbers, seconds. */
static const struct session_field {
	enum conf_param param;
	size_t offset, size;
} session_fields[] = {
#define FIELD(param, member) \
	{P_##param, offsetof(struct delivery_session, member), sizeof(((struct delivery_session *)0)->member)}
	FIELD(smtp_tls_CApath, capath),
	FIELD(tls_append_default_CA, append_default_ca),
	FIELD(smtp_tls_CRLfile, crlfile),
	FIELD(smtp_tls_cert_file, certfile),
	FIELD(smtp_tls_key_file, keyfile),
	FIELD(smtp_tls_fingerprint_digest, fingerprint_digest),
	FIELD(smtp_tls_loglevel, tls_loglevel),
	FIELD(smtp_sasl_auth_unverified, auth_unverified),
	FIELD(smtp_sasl_auth_without_tls, auth_without_tls),
	FIELD(smtp_sasl_mechanism_filter, mechanism_filter),
	FIELD(smtp_sasl_security_options, security_options),
	FIELD(smtp_sasl_tls_security_options, tls_security_options),
	FIELD(smtp_helo_name, helo),
	FIELD(inet_protocols, inet_protocols),
	FIELD(smtp_address_preference, address_preference),
	FIELD(smtp_bind_address, bind4),
	FIELD(smtp_bind_address6, bind6),
	FIELD(smtp_connect_timeout, t_connect),
	FIELD(smtp_helo_timeout, t_helo),
	FIELD(smtp_starttls_timeout, t_starttls),
	FIELD(smtp_mail_timeout, t_mail),
	FIELD(smtp_rcpt_timeout, t_rcpt),
	FIELD(smtp_data_init_timeout, t_data_init),
	FIELD(smtp_data_xfer_timeout, t_data_xfer),
	FIELD(smtp_data_done_timeout, t_data_done),
	FIELD(smtp_rset_timeout, t_rset),
	FIELD(smtp_destination_recipient_limit, recipient_limit),
	FIELD(smtp_pipeline_window, pipeline_window),
#undef FIELD
};

static int fill_field(struct conf *c, const struct session_field *f, struct delivery_session *s, struct error *err)
{
	void *to = (char *)s + f->offset;

	switch (conf_table[f->param].type) {
	case T_BOOL:
		*(bool *)to = conf_bool(c, f->param);
		return 0;
	case T_INT:
		*(int *)to = (int)conf_int(c, f->param);
		return 0;
	case T_TIME:
		*(int *)to = (int)conf_seconds(c, f->param);
		return 0;
	default:
		if (span_copy(span_of(conf_str(c, f->param)), to, f->size))
			return 0;
		return error_set(err, REASON_CONFIG, "%s is longer than %zu bytes", conf_table[f->param].name,
				 f->size - 1);
	}
}

int nexthop_session(struct conf *c, const struct relayhost *r, struct delivery_session *s, struct buf *notes,
		    struct error *err)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->host, sizeof(s->host), "%s", r->host);
	snprintf(s->port, sizeof(s->port), "%s", r->port);
	s->mx = r->mx;
	s->implicit_tls = r->implicit_tls;
	for (size_t i = 0; i < sizeof(session_fields) / sizeof(session_fields[0]); i++)
		if (fill_field(c, &session_fields[i], s, err) < 0)
			return -1;
	if (tls_policy(c, r, s, notes, err) < 0)
		return -1;
	/* several programs may be asked, one after the other */
	s->t_secret = 2 * (int)conf_seconds(c, P_sasl_exec_timeout) + 10;
	/* A client certificate is a login by itself (EXTERNAL), without any password map. */
	s->auth = conf_bool(c, P_smtp_sasl_auth_enable) && (*conf_str(c, P_smtp_sasl_password_maps) || s->certfile[0]);
	return 0;
}
