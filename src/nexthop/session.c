#include "config.h"
#include "nexthop/nexthop.h"
#include "base/text.h"
#include "nexthop/tls_policy.h"

#include <stdio.h>
#include <string.h>

/* Text parameters and the fields they go to, one line each. */
struct text_field {
	enum conf_param param;
	size_t offset, size;
};

#define FIELD(param, member) \
	{P_##param, offsetof(struct delivery_session, member), sizeof(((struct delivery_session *)0)->member)}

static const struct text_field text_fields[] = {
	FIELD(smtp_tls_CRLfile, crlfile),
	FIELD(smtp_tls_cert_file, certfile),
	FIELD(smtp_tls_key_file, keyfile),
	FIELD(smtp_sasl_mechanism_filter, mechanism_filter),
	FIELD(smtp_sasl_security_options, security_options),
	FIELD(smtp_sasl_tls_security_options, tls_security_options),
	FIELD(smtp_helo_name, helo),
	FIELD(inet_protocols, inet_protocols),
	FIELD(smtp_address_preference, address_preference),
	FIELD(smtp_bind_address, bind4),
	FIELD(smtp_bind_address6, bind6),
};

static int copy_text(struct conf *c, const struct text_field *f, struct delivery_session *s, struct error *err)
{
	const char *value = conf_str(c, f->param);

	if (snprintf((char *)s + f->offset, f->size, "%s", value) < (int)f->size)
		return 0;
	return error_set(err, REASON_CONFIG, "%s is longer than %zu bytes", conf_table[f->param].name, f->size - 1);
}

static void copy_times(struct conf *c, struct delivery_session *s)
{
	s->t_connect = (int)conf_seconds(c, P_smtp_connect_timeout);
	s->t_helo = (int)conf_seconds(c, P_smtp_helo_timeout);
	s->t_starttls = (int)conf_seconds(c, P_smtp_starttls_timeout);
	s->t_mail = (int)conf_seconds(c, P_smtp_mail_timeout);
	s->t_rcpt = (int)conf_seconds(c, P_smtp_rcpt_timeout);
	s->t_data_init = (int)conf_seconds(c, P_smtp_data_init_timeout);
	s->t_data_xfer = (int)conf_seconds(c, P_smtp_data_xfer_timeout);
	s->t_data_done = (int)conf_seconds(c, P_smtp_data_done_timeout);
	s->t_rset = (int)conf_seconds(c, P_smtp_rset_timeout);
	s->t_secret = 2 * (int)conf_seconds(c, P_sasl_exec_timeout) +
		      10; /* several programs may be asked, one after the other */
}

int nexthop_session(struct conf *c, const struct relayhost *r, struct delivery_session *s, struct buf *notes,
		    struct error *err)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->host, sizeof(s->host), "%s", r->host);
	snprintf(s->port, sizeof(s->port), "%s", r->port);
	s->mx = r->mx;
	s->implicit_tls = r->implicit_tls;
	for (size_t i = 0; i < sizeof(text_fields) / sizeof(text_fields[0]); i++)
		if (copy_text(c, &text_fields[i], s, err) < 0)
			return -1;
	if (tls_policy(c, r, s, notes, err) < 0)
		return -1;
	copy_times(c, s);
	/* A client certificate is a login by itself (EXTERNAL), without any password map. */
	s->auth = conf_bool(c, P_smtp_sasl_auth_enable) && (*conf_str(c, P_smtp_sasl_password_maps) || s->certfile[0]);
	s->auth_unverified = conf_bool(c, P_smtp_sasl_auth_unverified);
	s->auth_without_tls = conf_bool(c, P_smtp_sasl_auth_without_tls);
	s->recipient_limit = (int)conf_int(c, P_smtp_destination_recipient_limit);
	s->pipeline_window = (int)conf_int(c, P_smtp_pipeline_window);
	return 0;
}
