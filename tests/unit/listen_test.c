#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "input/listen.h"

Suite *listen_suite(void);

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address = {.ss_family = AF_UNIX};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	return address;
}

static struct network network_of(const char *text, uint8_t bits)
{
	struct network network = {.bits = bits};

	network.family_v6 = inet_pton(AF_INET, text, network.address) != 1;
	if (network.family_v6)
		ck_assert_int_eq(inet_pton(AF_INET6, text, network.address), 1);
	return network;
}

static const struct {
	const char *name;
	const char *network; /* NULL: none given */
	uint8_t bits;
	bool any;
	const char *from;
	bool want;
} rows[] = {
	{"none given: loopback", NULL, 0, false, "127.0.0.1", true},
	{"none given: all of 127/8", NULL, 0, false, "127.9.9.9", true},
	{"none given: IPv6 loopback", NULL, 0, false, "::1", true},
	{"none given: another", NULL, 0, false, "10.0.0.1", false},
	{"none given: another IPv6", NULL, 0, false, "::2", false},
	{"none given: a Unix socket's peer", NULL, 0, false, "unix", true},
	{"any", NULL, 0, true, "203.0.113.9", true},
	{"any, IPv6", NULL, 0, true, "2001:db8::1", true},
	{"within a network of whole bytes", "10.0.0.0", 8, false, "10.255.0.1", true},
	{"outside it", "10.0.0.0", 8, false, "11.0.0.1", false},
	{"loopback is not added to what is given", "10.0.0.0", 8, false, "127.0.0.1", false},
	{"within a network of odd bits", "192.168.16.0", 20, false, "192.168.31.255", true},
	{"just outside of it", "192.168.16.0", 20, false, "192.168.32.0", false},
	{"one address", "192.0.2.7", 32, false, "192.0.2.7", true},
	{"its neighbour", "192.0.2.7", 32, false, "192.0.2.6", false},
	{"0.0.0.0/0 is every IPv4 address", "0.0.0.0", 0, false, "203.0.113.9", true},
	{"0.0.0.0/0 is no IPv6 address", "0.0.0.0", 0, false, "2001:db8::1", false},
	{"an IPv6 network", "2001:db8::", 33, false, "2001:db8:7fff::1", true},
	{"outside an IPv6 network", "2001:db8::", 33, false, "2001:db8:8000::1", false},
	{"IPv4 mapped into IPv6 is IPv4", "10.0.0.0", 8, false, "::ffff:10.1.2.3", true},
	{"IPv4 mapped into IPv6, outside", "10.0.0.0", 8, false, "::ffff:11.1.2.3", false},
	{"an IPv6 network does not catch mapped IPv4", "::", 0, false, "::ffff:10.1.2.3", false},
};

START_TEST(allows)
{
	struct network network = network_of(rows[_i].network ? rows[_i].network : "::", rows[_i].bits);
	struct input_settings settings = {
		.allow_from = &network, .allow_from_count = rows[_i].network != NULL, .allow_from_any = rows[_i].any};
	struct sockaddr_storage from = address_of(rows[_i].from);
	bool got = listen_allows(&settings, &from);

	ck_assert_msg(got == rows[_i].want, "%s: got %d, want %d", rows[_i].name, got, rows[_i].want);
}
END_TEST

Suite *listen_suite(void)
{
	Suite *suite = suite_create("listen");
	TCase *tests = tcase_create("listen");

	tcase_add_loop_test(tests, allows, 0, (int)ARRAY_LEN(rows));
	suite_add_tcase(suite, tests);
	return suite;
}
