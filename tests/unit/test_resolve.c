/* The resolver's answer becomes endpoints; the answer is this file's, in the place of the C library's. */
#include "unit.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "smtp/connection/resolve.h"

enum { ANSWERS = 4 };

static const char *const *answers;	/* addresses, NULL last */
static struct addrinfo info[ANSWERS];
static struct sockaddr_storage sa[ANSWERS];

static void fill(size_t i, const char *address, uint16_t port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&sa[i];
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&sa[i];

	memset(&sa[i], 0, sizeof(sa[i]));
	info[i] = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_addr = (struct sockaddr *)&sa[i]};
	if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		info[i].ai_addrlen = sizeof(*four);
	} else {
		assert_int_equal(inet_pton(AF_INET6, address, &six->sin6_addr), 1);
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		info[i].ai_addrlen = sizeof(*six);
	}
	info[i].ai_family = sa[i].ss_family;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	size_t n = 0;

	(void)node;
	(void)service;
	(void)hints;
	for (; answers[n]; n++) {
		assert_true(n < ANSWERS);
		fill(n, answers[n], 587);
		if (n)
			info[n - 1].ai_next = &info[n];
	}
	*out = info;
	return n ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
	(void)list;
}

static void resolve_to(const char *const *list, const char *preference, struct endpoints *e)
{
	static struct delivery_session s;
	static struct delivery_down d;

	answers = list;
	s = (struct delivery_session){.host = "relay.example", .port = "587", .inet_protocols = "all"};
	snprintf(s.address_preference, sizeof(s.address_preference), "%s", preference);
	assert_int_equal(resolve(&s, e, &d), 0);
}

/* glibc, for localhost, where /etc/hosts has ::1 and there is no IPv6. */
static void test_equal_endpoints(void **state)
{
	static const char *const twice[] = {"127.0.0.1", "127.0.0.1", NULL};
	struct endpoints e;

	(void)state;
	resolve_to(twice, "any", &e);
	assert_int_equal(e.n, 1);
	assert_string_equal(e.list[0].address, "127.0.0.1");
}

static void test_order_of_different_ones(void **state)
{
	static const char *const mixed[] = {"192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.1", NULL};
	struct endpoints e;

	(void)state;
	resolve_to(mixed, "any", &e);
	assert_int_equal(e.n, 3);
	assert_string_equal(e.list[1].address, "2001:db8::1");
	assert_string_equal(e.list[2].address, "192.0.2.2");
	resolve_to(mixed, "ipv6", &e);
	assert_int_equal(e.n, 3);
	assert_string_equal(e.list[0].address, "2001:db8::1");
	assert_string_equal(e.list[1].address, "192.0.2.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_endpoints),
		cmocka_unit_test(test_order_of_different_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
