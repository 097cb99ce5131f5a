/* src/credentials: the password map in Postfix's order of keys, modes, programs, oauth2 files. */
#include "config.h"
#include "conf_fixture.h"
#include "base/limits.h"
#include "credentials/credentials.h"
#include "credentials/internal.h"
#include "credentials/oauth2_file.h"
#include "credentials/sha256.h"

/* How long the last answer may be kept. */
static int64_t keep_s;

/* In place of outpost-token's: no endpoint is asked. */
static int read_oauth2(void *arg, const char *file, struct credential *out, int64_t *keep, struct error *err)
{
	static struct oauth2 o;

	(void)arg;
	(void)keep;
	(void)out;
	return oauth2_load(file, &o, err) < 0 ? -1 : 1;
}

static int credential(struct conf *c, const char *relay, const char *sender, struct credential *cr, struct error *err)
{
	struct relayhost r;

	assert_int_equal(relayhost_parse(c, relay, &r, err), 0);
	return credentials_fetch(c, &r, sender, read_oauth2, NULL, cr, &keep_s, err);
}

static void password_forms(void **state)
{
	static const struct {
		const char *map, *relay, *user, *secret;
	} forms[] = {
		{"[smtp.gmail.com]:587 your@gmail.com:app-password", "[smtp.gmail.com]:587", "your@gmail.com",
		 "app-password"},
		{"[smtp.gmail.com]:587    user:pass", "[smtp.gmail.com]:587", "user", "pass"},
		{"[smtp.gmail.com]:587\tuser:pass\r", "[smtp.gmail.com]:587", "user", "pass"},
		{"smtp.gmail.com user:pw", "[smtp.gmail.com]:587", "user", "pw"},
		{"smtp.sendgrid.net:2525 apikey:SG.KEY", "[smtp.sendgrid.net]:2525", "apikey", "SG.KEY"},
		{"[X.mail.protection.outlook.com] user:pw", "[x.mail.protection.outlook.com]:25", "user", "pw"},
		{"[h.example]:submission u:p", "[h.example]:587", "u", "p"},
		{"[h.example]:587 u:p", "[h.example]:submission", "u", "p"},
		{"[h.example]:smtps u:p", "[h.example]:465", "u", "p"},
		{"[h.example]:587 u:p", "h.example:587", "u", "p"},
		{"[h.example]:587 u:p", "[h.example]", "u", "p"},
		{"[H.Example]:587 u:p", "[h.example]:587", "u", "p"},
		{"[h]:587 user@x:abc!@#", "[h]:587", "user@x", "abc!@#"},
		{"[h]:587 AKIA:BLp+/x==", "[h]:587", "AKIA", "BLp+/x=="},
		{"[h]:587 u: p w'\"$:#x", "[h]:587", "u", " p w'\"$:#x"},
		{"[h]:587 u:p\xc3\xa9\\n", "[h]:587", "u", "p\xc3\xa9\\n"},
		{"[h]:587 u:/etc/tokens/token", "[h]:587", "u", "/etc/tokens/token"},
		{"[2001:db8::1]:587 u:p", "[2001:db8::1]:587", "u", "p"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct credential cr;
		struct error err = {0};
		char text[300];
		struct conf *c;

		snprintf(text, sizeof(text), "# accounts\n\nother o:o\n%s\n", forms[i].map);
		put("sasl_passwd", text, 0600);
		c = load("smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:%D/sasl_passwd\n");
		if (credential(c, forms[i].relay, "me@x", &cr, &err) != 1)
			fail_msg("%s: %s", forms[i].map, err.text);
		assert_string_equal(buf_str(&cr.user), forms[i].user);
		assert_string_equal(buf_str(&cr.secret), forms[i].secret);
		assert_int_equal(cr.kind, 'P');
		assert_int_equal(strlen(cr.digest), 64);
		credential_wipe(&cr);
		assert_int_equal(cr.secret.len, 0);
		conf_free(c);
	}
}

static void sender_dependent(void **state)
{
	struct credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	put("sasl_passwd", "user1@a.example user1:pw1\n@b.example b:pwb\n[h]:587 all:pw\n", 0600);
	c = load("smtp_sender_dependent_authentication = yes\nrecipient_delimiter = +\n"
		 "smtp_sasl_password_maps = texthash:%D/sasl_passwd\n");
	assert_int_equal(credential(c, "[h]:587", "user1@a.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "user1");
	assert_string_equal(cr.key, "user1@a.example");
	credential_wipe(&cr);
	assert_int_equal(credential(c, "[h]:587", "user1+x@a.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "user1");
	credential_wipe(&cr);
	assert_int_equal(credential(c, "[h]:587", "any@b.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "b");
	credential_wipe(&cr);
	assert_int_equal(credential(c, "[h]:587", "x@c.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "all");
	credential_wipe(&cr);
	conf_free(c);
	c = load("smtp_sasl_password_maps = texthash:%D/sasl_passwd\n");
	assert_int_equal(credential(c, "[h]:587", "user1@a.example", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "all");
	credential_wipe(&cr);
	conf_free(c);
}

/* Whose credential it is, without a look at any password. */
static void owners(void **state)
{
	static const struct {
		const char *conf, *sender, *owner;
	} all[] = {
		{"texthash:%D/sasl_passwd", "user1@a.example", "user1@a.example"},
		{"texthash:%D/sasl_passwd", "user1+x@a.example", "user1@a.example"},
		{"texthash:%D/sasl_passwd", "any@b.example", "@b.example"},
		{"texthash:%D/sasl_passwd", "x@c.example", ""},
		{"texthash:%D/sasl_passwd", "", ""},
		{"static:all:pw", "user1@a.example", ""},
		{"oauth2:%D/oauth2, texthash:%D/sasl_passwd", "user1@a.example", ""},
		{"texthash:%D/sasl_passwd, static:all:pw", "user1@a.example", "user1@a.example"},
		{"inline:{ user1@a.example=one:pw }", "user1@a.example", "user1@a.example"},
		{"inline:{ user1@a.example=one:pw }", "user2@a.example", ""},
		{"exec:/bin/true", "user1@a.example", "user1@a.example"},
		{"texthash:%D/none", "user1@a.example", "user1@a.example"},
	};
	char text[300], owner[LIMIT_ADDRESS + 1];

	(void)state;
	put("sasl_passwd", "user1@a.example user1:" SECRET "\n@b.example b:pwb\n[h]:587 all:pw\n", 0600);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct credentials *cs;
		struct conf *c;

		snprintf(text, sizeof(text), "smtp_sender_dependent_authentication = yes\nrecipient_delimiter = +\n"
			 "smtp_sasl_password_maps = %s\n", all[i].conf);
		c = load(text);
		cs = credentials_new(c);
		credentials_owner(cs, all[i].sender, owner, sizeof(owner));
		assert_string_equal(owner, all[i].owner);
		credentials_owner(cs, all[i].sender, owner, sizeof(owner));
		assert_string_equal(owner, all[i].owner);
		credentials_free(cs);
		conf_free(c);
	}
}

static void owners_of_a_map_that_changes(void **state)
{
	char owner[LIMIT_ADDRESS + 1];
	struct credentials *cs;
	struct conf *c;

	(void)state;
	put("sasl_passwd", "[h]:587 all:pw\n", 0600);
	c = load("smtp_sender_dependent_authentication = yes\nsmtp_sasl_password_maps = texthash:%D/sasl_passwd\n");
	cs = credentials_new(c);
	credentials_owner(cs, "a@a.example", owner, sizeof(owner));
	assert_string_equal(owner, "");
	put("sasl_passwd", "[h]:587 all:pw\na@a.example a:pw\n", 0600);
	credentials_owner(cs, "a@a.example", owner, sizeof(owner));
	assert_string_equal(owner, "a@a.example");
	credentials_free(cs);
	conf_free(c);
}

static void static_password(void **state)
{
	struct credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	c = load("smtp_sasl_password_maps = static:postmaster@mydomain.com:" SECRET "$$:x\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.secret), SECRET "$:x");
	credential_wipe(&cr);
	chmod(at("main.cf"), 0644);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "main.cf holds a password and is open to everybody; type: ");
	assert_null(strstr(err.text, SECRET));
	conf_free(c);
	c = load("smtp_sasl_password_maps = inline:{ { [h]:587 = u:" SECRET " } }\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.secret), SECRET);
	credential_wipe(&cr);
	assert_int_equal(credential(c, "[other]:587", "", &cr, &err), 0);
	conf_free(c);
}

static void no_password(void **state)
{
	struct credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	put("sasl_passwd", "[smtp.exampel.com]:587 u:" SECRET "\n[h]:587 " SECRET "\n[i]:587 :" SECRET "\n", 0600);
	c = load("smtp_sasl_password_maps = hash:%D/sasl_passwd\n");
	assert_int_equal(credential(c, "[smtp.example.com]:587", "", &cr, &err), 0);
	assert_int_equal(error_exit(&err), EX_CONFIG);
	assert_says(err.text, "keys tried: smtp.example.com, [smtp.example.com]:587");
	assert_null(strstr(err.text, SECRET));
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "not user:password");
	assert_null(strstr(err.text, SECRET));
	assert_int_equal(credential(c, "[i]:587", "", &cr, &err), -1);
	assert_null(strstr(err.text, SECRET));
	put("sasl_passwd", "[h]:587 u:p\n" SECRET "\n", 0600);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	credential_wipe(&cr);
	conf_free(c);
	c = load("smtp_sasl_auth_enable = yes\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 0);
	assert_says(err.text, "not set in main.cf");
	conf_free(c);
	c = load("smtp_sasl_password_maps = hash:%D/other\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "there is a file");
	conf_free(c);
}

static void open_password_files(void **state)
{
	struct credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	put("sasl_passwd", "[h]:587 u:" SECRET "\n", 0644);
	c = load("smtp_sasl_password_maps = hash:%D/sasl_passwd\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "open to everybody; type: ch");
	assert_null(strstr(err.text, SECRET));
	chmod(at("sasl_passwd"), 0640);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	credential_wipe(&cr);
	if (geteuid() == 0) {
		assert_int_equal(chown(at("sasl_passwd"), 0, 4242), 0);
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
		assert_says(err.text, "a group that is not outpost's");
		assert_int_equal(chown(at("sasl_passwd"), 4242, 0), 0);
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
		assert_says(err.text, "neither root nor outpost's");
	}
	conf_free(c);
}

static void fixed_modes(void **state)
{
	struct error err = {0};
	struct stat st;
	struct conf *c;
	struct buf b;

	(void)state;
	if (geteuid() != 0)
		skip();
	buf_init(&b, 4096);
	put("sasl_passwd", "[h]:587 u:" SECRET "\n", 0600);
	c = load("smtp_sasl_password_maps = hash:%D/sasl_passwd\n");
	assert_int_equal(credentials_fix_modes(c, 4242, &b, &err), 0);
	assert_says(buf_str(&b), "sasl_passwd is now root:4242 0640");
	assert_int_equal(stat(at("sasl_passwd"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_gid, 4242);
	buf_reset(&b);
	assert_int_equal(credentials_fix_modes(c, 4242, &b, &err), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(chmod(at("main.cf"), 0600), 0); /* nobody asks for a daemon that can't read it */
	assert_int_equal(credentials_fix_modes(c, 4242, &b, &err), 0);
	assert_says(buf_str(&b), "main.cf is now root:4242 0640");
	buf_reset(&b);
	put("sasl_passwd", "x", 0644); /* everybody had it already: that is for a person to judge */
	assert_int_equal(credentials_fix_modes(c, 4242, &b, &err), 0);
	assert_int_equal(b.len, 0);
	unlink(at("sasl_passwd"));
	put("elsewhere", "x", 0600);
	assert_int_equal(symlink("elsewhere", at("sasl_passwd")), 0);
	assert_int_equal(credentials_fix_modes(c, 4242, &b, &err), 0);
	assert_int_equal(b.len, 0);
	conf_free(c);
	c = load("smtp_sasl_password_maps = static:u:" SECRET "\n");
	chmod(at("main.cf"), 0644);
	assert_int_equal(credentials_fix_modes(c, 4242, &b, &err), 0);
	assert_int_equal(stat(at("main.cf"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_null(strstr(buf_str(&b), SECRET));
	conf_free(c);
	/* Somebody's own configuration names a file of root's: root, who looks into it, gives nothing away. */
	put("roots", "secret", 0600);
	assert_int_equal(mkdir(at("queue"), 0700), 0);
	assert_int_equal(chown(at("queue"), 4242, 4242), 0);
	put_main("queue_directory = %D/queue\nsmtp_sasl_password_maps = hash:%D/roots\n");
	assert_int_equal(chown(at("main.cf"), 4242, 0), 0);
	assert_int_equal(conf_load(dir, &c, &err), 0);
	assert_int_equal(conf_writer(c), 4242);
	assert_int_equal(conf_check_writer(c, &err), -1); /* we are still root */
	assert_int_equal(credentials_fix_modes(c, 4242, &b, &err), 0);
	assert_int_equal(stat(at("roots"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_gid, 0);
	conf_free(c);
	buf_free(&b);
}

static void put_program(const char *text)
{
	char whole[2000];

	snprintf(whole, sizeof(whole), "#!/bin/sh\n%s\n", text);
	put("program", whole, 0700);
}

static void exec_answers(void **state)
{
	static const struct {
		const char *map, *program, *user, *secret;
		char kind;
	} cases[] = {
		{"exec:%D/program", "echo me:" SECRET, "me", SECRET, 'P'},
		{"exec:%D/program", "printf 'me:a:b c '", "me", "a:b c ", 'P'},
		{"exec:%D/program", "test \"$1\" = '[h]:587' || exit 1; echo me:x", "me", "x", 'P'},
		{"exec:%D/program", "echo user=a:b; echo password=" SECRET, "a:b", SECRET, 'P'},
		{"exec:%D/program", "echo user=me; echo token=tok; echo expires=60", "me", "tok", 'T'},
		{"{exec:user=me@x %D/program show mail}",
		 "test \"$*\" = 'show mail' || exit 9; echo 'pw:with=all'; echo url: x", "me@x", "pw:with=all", 'P'},
		{"{exec:user=me kind=token %D/program %k}", "echo tok-$1", "me", "tok-h", 'T'},
		{"exec:%D/program", "echo $OUTPOST_KEY:$#", "h", "1", 'P'},
		{"exec:%D/program", "cat; echo noise >&2; echo me:in", "me", "in", 'P'},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct credential cr;
		struct error err = {0};
		char text[300];
		struct conf *c;

		put_program(cases[i].program);
		snprintf(text, sizeof(text), "smtp_sasl_password_maps = %s\n", cases[i].map);
		c = load(text);
		if (credential(c, "[h]:587", "", &cr, &err) != 1)
			fail_msg("%s: %s", cases[i].program, err.text);
		assert_string_equal(buf_str(&cr.user), cases[i].user);
		assert_string_equal(buf_str(&cr.secret), cases[i].secret);
		assert_int_equal(cr.kind, cases[i].kind);
		assert_int_equal(keep_s, strstr(cases[i].program, "expires=60") ? 60 : 0);
		credential_wipe(&cr);
		conf_free(c);
	}
}

static void exec_failures(void **state)
{
	static const struct {
		const char *program, *words;
		int rc;
	} cases[] = {
		{"exit 1", "keys tried", 0}, {"true", "keys tried", 0}, {"exit 3", "failed with status 3", -1},
		{"echo nonsense", "did not say user:password", -1}, {"echo me:x; echo expires=soon", "expires=", -1},
		{"kill -9 $$", "ended by signal 9", -1}, {"sleep 30 & echo me:x; wait", "took more than 1 seconds", -1},
		{"yes | head -c 200000", "wrote more than 16384 bytes", -1},
	};
	struct credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_program(cases[i].program);
		c = load("smtp_sasl_password_maps = exec:%D/program\nsasl_exec_timeout = 1\n");
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), cases[i].rc);
		assert_says(err.text, cases[i].words);
		conf_free(c);
	}
	put_program("true");
	chmod(at("program"), 0707);
	c = load("smtp_sasl_password_maps = exec:%D/program\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "chmod o-w");
	unlink(at("program"));
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_int_equal(error_exit(&err), EX_CONFIG);
	conf_free(c);
}

static void credentials_directory(void **state)
{
	struct credential cr;
	struct error err = {0};
	struct conf *c;

	(void)state;
	assert_int_equal(mkdir(at("given"), 0700), 0);
	put("given/sasl_passwd", "[h]:587 given:" SECRET "\n", 0400);
	put("sasl_passwd", "[h]:587 own:" SECRET "\n", 0600);
	put("other", "[h]:587 other:" SECRET "\n", 0600);
	setenv("CREDENTIALS_DIRECTORY", at("given"), 1);
	c = load("smtp_sasl_password_maps = hash:/nowhere/sasl_passwd\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "given");
	credential_wipe(&cr);
	conf_free(c);
	c = load("smtp_sasl_password_maps = hash:%D/other\n");
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), 1);
	assert_string_equal(buf_str(&cr.user), "other");
	credential_wipe(&cr);
	conf_free(c);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void oauth2_files(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"", "user = "},
		{"user = me\n", "client_id = "},
		{"user = me\nclient_id = x\n", "preset = "},
		{"user = me\nclient_id = x\npreset = yahoo\n", "oauth2:3: preset is"},
		{"me:" SECRET "\n", "oauth2:1: name = value"},
		{"user = me\nclient_id = x\ntoken_endpoint = http://x\n", "https://"},
		{"grant = password\n", "oauth2:1: grant is"},
		{"clientid = " SECRET "\n", "oauth2:1: the name is none of"},
		{"user = me\nclient_id = x\npreset = microsoft\ngrant = client_credentials\n", "needs client_secret"},
	};
	struct credential cr;
	char file[256], tokens[256];
	struct error err = {0};
	struct conf *c;

	(void)state;
	c = load("smtp_sasl_password_maps = oauth2:%D/oauth2, oauth2:%D/second\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("oauth2", bad[i].text, 0600);
		assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
		assert_says(err.text, bad[i].words);
		assert_null(strstr(err.text, SECRET));
	}
	put("oauth2", "user = me@x\npreset = google\nclient_id = x\n", 0644);
	assert_int_equal(credential(c, "[h]:587", "", &cr, &err), -1);
	assert_says(err.text, "open to everybody");
	put("second", "user = you/x\npreset = microsoft\nclient_id = x\n", 0600);
	assert_int_equal(credentials_oauth2_file(c, NULL, file, sizeof(file), tokens, sizeof(tokens), &err), 0);
	assert_string_equal(file, at("oauth2"));
	assert_string_equal(tokens, at("queue/oauth2-me@x"));
	assert_int_equal(credentials_oauth2_file(c, "YOU/x", file, sizeof(file), tokens, sizeof(tokens), &err), 0);
	assert_string_equal(tokens, at("queue/oauth2-you_x"));
	assert_int_equal(credentials_oauth2_file(c, "who", file, sizeof(file), tokens, sizeof(tokens), &err), -1);
	assert_says(err.text, "for user who");
	conf_free(c);
}

static void digests(void **state)
{
	static const struct span parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
	char hex[SHA256_HEX];

	(void)state;
	sha256_hex(parts, 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void marks(void **state)
{
	static const char digest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	char one[CREDENTIAL_MARK], two[CREDENTIAL_MARK], other[sizeof(digest)];
	size_t same = 0;

	(void)state;
	credential_mark(digest, one);
	credential_mark(digest, two);
	assert_int_equal(strlen(one), CREDENTIAL_MARK - 1);
	assert_string_not_equal(one, two);
	assert_true(credential_has_mark(digest, one) && credential_has_mark(digest, two));
	assert_false(credential_has_mark(digest, ""));
	assert_false(credential_has_mark(digest, digest)); /* stored by an older version */
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(other, sizeof(other), "%064x", i);
		same += credential_has_mark(other, one);
	}
	assert_true(same < 10);
}

/* What outpost-token writes is what outpostd reads. */
static void answers(void **state)
{
	struct credential cr, again;
	struct error err = {0}, why = {0};
	struct buf text;

	(void)state;
	buf_init(&text, 65536);
	credential_init(&cr);
	buf_adds(&cr.user, "me:x@y");
	buf_adds(&cr.secret, SECRET ":=");
	cr.kind = 'P';
	snprintf(cr.key, sizeof(cr.key), "[h]:587");
	credentials_put_answer(&text, 1, &cr, 60, &err);
	credential_init(&again);
	assert_int_equal(credential_read_answer((struct span){buf_str(&text), text.len}, &again, &keep_s, &err), 1);
	assert_string_equal(buf_str(&again.user), buf_str(&cr.user));
	assert_string_equal(buf_str(&again.secret), buf_str(&cr.secret));
	assert_string_equal(again.key, cr.key);
	assert_int_equal(keep_s, 60);
	credential_wipe(&again);
	for (int rc = 0; rc >= -1; rc--) {
		buf_reset(&text);
		error_set(&why, REASON_CREDENTIAL_UNAVAILABLE, "not now");
		credentials_put_answer(&text, rc, &cr, 0, &why);
		assert_int_equal(credential_read_answer((struct span){buf_str(&text), text.len}, &again, &keep_s, &err),
				 rc);
		assert_string_equal(err.text, "not now");
		assert_int_equal(err.reason, REASON_CREDENTIAL_UNAVAILABLE);
	}
	assert_int_equal(credential_read_answer(span_of("foun"), &again, &keep_s, &err), -1);
	assert_says(err.text, "took too long");
	credential_wipe(&cr);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(password_forms), IN_DIRECTORY(sender_dependent), IN_DIRECTORY(owners),
		IN_DIRECTORY(owners_of_a_map_that_changes), IN_DIRECTORY(static_password), IN_DIRECTORY(no_password),
		IN_DIRECTORY(open_password_files), IN_DIRECTORY(fixed_modes), IN_DIRECTORY(exec_answers),
		IN_DIRECTORY(exec_failures), IN_DIRECTORY(credentials_directory), IN_DIRECTORY(oauth2_files),
		IN_DIRECTORY(digests), IN_DIRECTORY(marks), IN_DIRECTORY(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
