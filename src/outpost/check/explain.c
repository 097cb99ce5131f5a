#include "config.h"
#include "outpost/check/explain.h"

#include <string.h>

#include "base/text.h"
#include "delivery/words.h"

/* REFUSAL: in answer to one message, while the session is fine. */
enum { ANY = 0, REFUSAL = -1 };

/*
 * The first row whose kind fits and one of whose words (separated by '|', case does not matter; "": any) is in
 * the text gives the mend. {host} and {port} stand for the relay's; {name} for the name behind "certificate is for ".
 * Specific rows come first.
 */
static const struct {
	int kind;
	const char *words;
	const char *mend;
} table[] = {
	/* What providers say about accounts. */
	{ANY, "5.7.139|SmtpClientAuthentication is disabled|5.7.30|basic authentication is disabled|basic "
	      "authentication is not",
	 "this provider wants OAuth2 in place of a password:\n"
	 "run `outpost login`, then\n"
	 "smtp_sasl_password_maps = oauth2:/etc/outpost/oauth2"},
	{ANY, "5.7.9|application-specific password|app password|InvalidSecondFactor",
	 "make an application password in the account's security settings\n"
	 "and put it into the password map in place of the account's own"},
	{DOWN_AUTH, "BadCredentials|not accepted. Learn more|support.google.com",
	 "Gmail takes an application password only:\n"
	 "https://myaccount.google.com/apppasswords\n"
	 "put it into the password map:\n"
	 "[{host}]:{port} you@example.com:apppassword"},
	{ANY, "email address is not verified|identities failed the check",
	 "verify the sender's address or domain at the provider, or\n"
	 "send as one that is verified:\n"
	 "from_address = verified@example.com"},
	{ANY, "5.7.60|SendAsDenied|not owned by user|not allowed to send|sender address rejected|sender not|from "
	      "address|"
	    "permissions to send as|5.7.1 sender|does not match",
	 "send as an address that this account may use:\n"
	 "from_address = account@example.com"},
	{ANY, "relay access denied|relaying denied|relay not permitted|authentication required|5.7.0 authenticat|"
	    "530 5.7.1|authentication is required|requires authentication|must authenticate|must be "
	    "authenticated|auth first",
	 "the relay wants a login first:\n"
	 "smtp_sasl_auth_enable = yes\n"
	 "smtp_sasl_password_maps = hash:/etc/outpost/sasl_passwd"},
	{ANY, "must issue a STARTTLS|530 5.7.0",
	 "the relay wants TLS first: remove\n"
	 "smtp_tls_security_level = none (or may) from main.cf"},

	{REFUSAL, "greylist|graylist|said: 450 4.2.0|said: 451 4.7.1",
	 "the relay asks to try later; outpost does so by itself"},
	{REFUSAL, "user unknown|no such user|5.1.1 |5.1.10|mailbox unavailable|does not exist|recipient address "
		  "rejected",
	 "check the recipient's address"},

	/* Logging in. */
	{DOWN_AUTH, "; type: chmod o+x",
	 "let outpost's user into that directory, by the command above,\n"
	 "or put the file into /etc/outpost"},
	{DOWN_AUTH, "; type: chown",
	 "let nobody but root and outpost read the password map, by the\ncommands above"},
	{DOWN_AUTH, "a file is wanted",
	 "put a file in its place (a container gets a directory where the\n"
	 "file to mount is missing), with this line:\n"
	 "[{host}]:{port} user:password"},
	{DOWN_AUTH, "smtp_sasl_password_maps: cannot open",
	 "make that file, or write the path of the one that you made:\n"
	 "smtp_sasl_password_maps = hash:/etc/outpost/sasl_passwd"},
	{DOWN_AUTH, "no entry|no credential|keys",
	 "put this line into the password map: [{host}]:{port} user:password"},
	{DOWN_AUTH, "can't be prepared",
	 "write user name and password in UTF-8, as the provider has them;\n"
	 "or allow PLAIN and LOGIN, which take them as they are: remove\n"
	 "smtp_sasl_mechanism_filter and noplaintext from main.cf"},
	{DOWN_AUTH, "mechanism",
	 "allow a mechanism that the relay offers:\n"
	 "remove smtp_sasl_mechanism_filter from main.cf, and write\n"
	 "smtp_sasl_security_options = noanonymous"},
	{DOWN_AUTH, "offers no login",
	 "if this relay really needs no login: smtp_sasl_auth_enable = no\n"
	 "otherwise it may offer AUTH on another port:\n"
	 "relayhost = [{host}]:587 or [{host}]:465"},
	{DOWN_AUTH, "",
	 "check user and password in the password map's line for this relay:\n"
	 "[{host}]:{port} user:password\n"
	 "all behind the first colon is the password, without quotes;\n"
	 "the account may want an application password"},

	/* TLS. */
	{DOWN_TLS, "certificate is for ",
	 "write the name that the certificate holds: relayhost = [{name}]:{port}"},
	{DOWN_TLS, "expired",
	 "the relay's administrator must renew the certificate;\n"
	 "if this machine's clock is wrong, set it"},
	{DOWN_TLS, "valid only from|not valid yet",
	 "set this machine's clock (`date`); otherwise the relay's\n"
	 "administrator must mend the certificate"},
	{DOWN_TLS, "issued by|self-signed|no trusted authority|signed by one|cannot be checked|not trusted",
	 "name the authority that signed the relay's certificate:\n"
	 "smtp_tls_CAfile = /path/of/the/relay's/ca.pem\n"
	 "or install the system's ones: apt-get install ca-certificates"},
	{DOWN_TLS, "without TLS",
	 "remove smtp_tls_security_level = none (or smtp_use_tls = no)\n"
	 "from main.cf; if the relay offers no TLS here, try\n"
	 "relayhost = [{host}]:465"},
	{DOWN_TLS, "not offered|STARTTLS",
	 "if the relay offers TLS from the first byte:\n"
	 "relayhost = [{host}]:465\n"
	 "otherwise ask its administrator to offer STARTTLS;\n"
	 "a password never goes without TLS"},
	{DOWN_TLS, "not TLS|closed the connection|timed out",
	 "this port may speak the other kind of TLS:\n"
	 "relayhost = [{host}]:587 (STARTTLS) or\n"
	 "relayhost = [{host}]:465 (TLS from the first byte)"},
	{ANY, "smtp_tls_CAfile = |smtp_tls_CApath = ",
	 "on Debian the system's authorities are\n"
	 "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
	 "(or remove the line: they are the default)"},
	{DOWN_GREETING, "STARTTLS",
	 "if the relay offers TLS from the first byte:\n"
	 "relayhost = [{host}]:465\n"
	 "otherwise ask its administrator to offer STARTTLS;\n"
	 "a password never goes without TLS"},

	/* The way there. */
	{DOWN_DNS, "MX",
	 "brackets mean this very host, without a look-up of MX:\n"
	 "relayhost = [{host}]:{port}"},
	{DOWN_DNS, "",
	 "check the spelling of relayhost, and this machine's resolver\n"
	 "(/etc/resolv.conf):\n"
	 "getent ahosts {host}"},
	{DOWN_NETWORK, "initial server greeting",
	 "this port may speak TLS from the first byte:\n"
	 "relayhost = [{host}]:465, or on another port\n"
	 "smtp_tls_wrappermode = yes"},
	{DOWN_NETWORK, "refused",
	 "nothing listens at port {port}: is the relay running, and is this\n"
	 "its port? Usual ones: relayhost = [{host}]:587\n"
	 "or relayhost = [{host}]:465"},
	{DOWN_NETWORK, "timed out|timeout|no answer",
	 "many hosting providers block outgoing mail ports: try\n"
	 "relayhost = [{host}]:465\n"
	 "or [{host}]:587 or [{host}]:2525\n"
	 "or ask the provider to open port {port}"},
	{DOWN_NETWORK, "", "try again; if it stays so, ask the relay's administrator"},
	{DOWN_LOCAL, "", "this machine has no way to the relay: check its network\n(`ip route`) and firewall"},
	{DOWN_GREETING, "too many|limit|busy", "the relay is busy; outpost tries again by itself"},
	{DOWN_BUSY, DELIVERY_ACCOUNT_CLOSED "|" DELIVERY_SENDING_STOPPED,
	 "the provider lets this account send no more: ask there why;\nthe mail waits, and outpost tries again by "
	 "itself"},
	{DOWN_BUSY, "", "the relay asks to slow down; outpost tries again by itself"},
	{REFUSAL, "said: 4", "the relay asks to try later; outpost does so by itself"},
	{DOWN_GREETING, "", "is this a mail relay? relayhost = [{host}]:587 or [{host}]:465"},
};

/* The first name behind "certificate is for ". */
static struct span certificate_name(const char *text)
{
	static const char before[] = "certificate is for ";
	const char *p = strstr(text, before);

	p = p ? p + sizeof(before) - 1 : "";
	return (struct span){p, strcspn(p, " ,;")};
}

static void add_mend(struct buf *out, const char *mend, const char *text, const struct relayhost *r)
{
	struct span name = certificate_name(text);

	while (*mend) {
		if (strncmp(mend, "{host}", 6) == 0) {
			buf_adds(out, r ? r->host : "HOST");
			mend += 6;
		} else if (strncmp(mend, "{port}", 6) == 0) {
			buf_adds(out, r ? r->port : "587");
			mend += 6;
		} else if (strncmp(mend, "{name}", 6) == 0) {
			buf_add(out, name.p, name.n);
			mend += 6;
		} else {
			buf_addc(out, *mend++);
		}
	}
}

bool explain(struct buf *mend, int kind, const char *text, const struct relayhost *relay)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].kind != ANY && table[i].kind != (kind ? kind : REFUSAL))
			continue;
		if (*table[i].words && !text_has_word(text, table[i].words))
			continue;
		add_mend(mend, table[i].mend, text, relay);
		return true;
	}
	return false;
}

int explain_kind(enum reason reason)
{
	static const struct {
		enum reason reason;
		int kind;
	} kinds[] = {{REASON_CONNECTION_LOST, DOWN_NETWORK}, {REASON_NETWORK_LOCAL, DOWN_LOCAL},
		     {REASON_DNS_FAILED, DOWN_DNS},          {REASON_SESSION_REFUSED, DOWN_GREETING},
		     {REASON_TLS_FAILED, DOWN_TLS},          {REASON_LOGIN_FAILED, DOWN_AUTH},
		     {REASON_CONFIG, DOWN_CONFIG},           {REASON_RELAY_BUSY, DOWN_BUSY}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].reason == reason)
			return kinds[i].kind;
	return 0;
}
