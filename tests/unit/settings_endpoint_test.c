#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "settings/network.h"
#include "settings/settings.h"

Suite *settings_endpoint_suite(void);

/* want: transport, host, port, path as one text, or what is wrong with it behind a `!` (its beginning). */
static const struct {
	const char *name;
	const char *url;
	const char *want;
} rows[] = {
	{"a pipe", "fifo:///run/app/events", "fifo /run/app/events"},
	{"a host and a port", "udp://127.0.0.1:8127", "udp 127.0.0.1 8127"},
	{"a host alone takes the default port", "udp://10.0.0.7", "udp 10.0.0.7 99"},
	{"a name", "tcp://statsd.example-1.svc:9125", "tcp statsd.example-1.svc 9125"},
	{"a name with an underscore", "udp://my_host:1", "udp my_host 1"},
	{"an IPv6 address in brackets", "udp://[::1]:8127", "udp ::1 8127"},
	{"an IPv6 address with the default port", "udp://[fe80::1%eth0]", "udp fe80::1%eth0 99"},
	{"port 0", "udp://127.0.0.1:0", "udp 127.0.0.1 0"},
	{"the highest port", "tcp://a:65535", "tcp a 65535"},
	{"a Unix datagram socket", "unix:///run/a.sock", "unix /run/a.sock"},
	{"an abstract one", "unix://@events", "unix @events"},
	{"a Unix stream socket", "unixstream:///run/b.sock", "unixstream /run/b.sock"},
	{"an abstract stream socket", "unixstream://@b", "unixstream @b"},
	{"standard input", "stdin:", "stdin"},
	{"standard output", "stdout:", "stdout"},
	{"no scheme", "127.0.0.1:8127", "!write a URL"},
	{"an unknown scheme", "http://a", "!write a URL"},
	{"nothing", "", "!write a URL"},
	{"a scheme in capitals", "UDP://a:1", "!write a URL"},
	{"two slashes before a path", "fifo://run/app", "!the path must be absolute: fifo:///"},
	{"no path", "fifo://", "!the path must be absolute"},
	{"the root alone", "fifo:///", "!the path must be absolute"},
	{"an abstract pipe", "fifo://@a", "!the path must be absolute"},
	{"an abstract name without name", "unix://@", "!the path must be absolute: unix:///"},
	{"a relative socket", "unix://run/a", "!the path must be absolute: unix:///"},
	{"no host", "udp://", "!write a host and a port"},
	{"no host but a port", "udp://:8127", "!write a host and a port"},
	{"a blank in a host", "udp://a b:1", "!write a host and a port"},
	{"a path behind a port", "udp://a:1/x", "!the port must be"},
	{"a port that is too high", "udp://a:65536", "!the port must be"},
	{"a port of six digits", "udp://a:100000", "!the port must be"},
	{"a port that is no number", "udp://a:http", "!the port must be"},
	{"an empty port", "udp://a:", "!the port must be"},
	{"IPv6 without brackets", "udp://::1:8127", "!an IPv6 address stands in brackets"},
	{"a bracket that stays open", "udp://[::1", "!write a host and a port"},
	{"text behind the bracket", "udp://[::1]x", "!the port must be"},
	{"text behind stdin:", "stdin:x", "!nothing may stand"},
};

static void endpoint_write(char *out, size_t size, const struct endpoint *endpoint)
{
	static const char *const names[] = {
		[TRANSPORT_FIFO] = "fifo",     [TRANSPORT_UDP] = "udp",     [TRANSPORT_UNIX] = "unix",
		[TRANSPORT_TCP] = "tcp",       [TRANSPORT_STDIN] = "stdin", [TRANSPORT_UNIXSTREAM] = "unixstream",
		[TRANSPORT_STDOUT] = "stdout",
	};
	const char *name = names[endpoint->transport];
	if (endpoint->host)
		snprintf(out, size, "%s %s %u", name, endpoint->host, endpoint->port);
	else if (endpoint->path)
		snprintf(out, size, "%s %s%s", name, endpoint->is_abstract ? "@" : "", endpoint->path);
	else
		snprintf(out, size, "%s", name);
}

START_TEST(parsed_url)
{
	struct arena *arena = arena_new();
	struct endpoint endpoint;
	const char *why = NULL;
	char got[256];
	/* Not terminated, as it stands in a buffer. */
	size_t len = strlen(rows[_i].url);
	char *copy = malloc(len + 1);
	memcpy(copy, rows[_i].url, len);
	copy[len] = '7';
	if (endpoint_parse(&endpoint, (struct span){copy, len}, 99, arena, &why) < 0) {
		ck_assert_msg(rows[_i].want[0] == '!' &&
		                      strncmp(why, rows[_i].want + 1, strlen(rows[_i].want) - 1) == 0,
		              "%s: got fault `%s`, want `%s`", rows[_i].name, why, rows[_i].want);
	} else {
		endpoint_write(got, sizeof(got), &endpoint);
		ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s: got `%s`, want `%s`", rows[_i].name, got,
		              rows[_i].want);
		ck_assert_str_eq(endpoint.url, rows[_i].url);
	}
	free(copy);
	arena_free(arena);
}
END_TEST

START_TEST(socket_path_of_107_bytes)
{
	/* struct sockaddr_un has room for 108, the NUL included. */
	struct arena *arena = arena_new();
	struct endpoint endpoint;
	const char *why;
	char url[200];
	int len = snprintf(url, sizeof(url), "unix:///%0106d", 0);
	ck_assert_int_eq(endpoint_parse(&endpoint, (struct span){url, (size_t)len}, 0, arena, &why), 0);
	ck_assert_uint_eq(strlen(endpoint.path), 107);
	len = snprintf(url, sizeof(url), "unix:///%0107d", 0);
	ck_assert_int_lt(endpoint_parse(&endpoint, (struct span){url, (size_t)len}, 0, arena, &why), 0);
	ck_assert_str_eq(why, "a socket's path has at most 107 bytes");
	len = snprintf(url, sizeof(url), "fifo:///%0150d", 0);
	ck_assert_int_eq(endpoint_parse(&endpoint, (struct span){url, (size_t)len}, 0, arena, &why), 0);
	arena_free(arena);
}
END_TEST

/* Behind a NUL a host or path would be cut off: a pipe of another name would be made. */
START_TEST(url_with_a_nul)
{
	static const struct span urls[] = {{"fifo:///run/a\0b", 15}, {"udp://a\0b:1", 11}, {"unix://@a\0", 10}};
	struct arena *arena = arena_new();
	struct endpoint endpoint;
	const char *why;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		ck_assert_int_lt(endpoint_parse(&endpoint, urls[i], 1, arena, &why), 0);
		ck_assert_str_eq(why, "a URL has no NUL byte");
	}
	arena_free(arena);
}
END_TEST

START_TEST(port_without_default)
{
	struct arena *arena = arena_new();
	struct endpoint endpoint;
	const char *why;
	ck_assert_int_lt(endpoint_parse(&endpoint, SPAN("udp://a"), 0, arena, &why), 0);
	ck_assert_str_eq(why, "a port is missing: write HOST:PORT");
	arena_free(arena);
}
END_TEST

static const struct {
	const char *text;
	const char *want; /* NULL: a fault */
} networks[] = {
	{"10.0.0.0/8", "10.0.0.0/8"},
	{"192.0.2.7", "192.0.2.7/32"},
	{"0.0.0.0/0", "0.0.0.0/0"},
	{"172.16.0.0/12", "172.16.0.0/12"},
	{"fd00::/8", "fd00::/8"},
	{"::1", "::1/128"},
	{"::/0", "::/0"},
	{"10.0.0.1/8", NULL},
	{"fd00::1/8", NULL},
	{"10.0.0.0/33", NULL},
	{"fd00::/129", NULL},
	{"10.0.0.0/", NULL},
	{"10.0.0.0/a", NULL},
	{"10.0.0.0/0008", NULL},
	{"10.0.0/8", NULL},
	{"any", NULL},
	{"", NULL},
	{"/8", NULL},
	{"1111:2222:3333:4444:5555:6666:7777:8888:9999/128", NULL},
};

START_TEST(allowed_network)
{
	struct network network;
	const char *why;
	char got[NETWORK_TEXT_MAX] = "a fault";
	if (network_parse(&network, span_of(networks[_i].text), &why) == 0)
		network_write(got, &network);
	ck_assert_msg(strcmp(got, networks[_i].want ? networks[_i].want : "a fault") == 0, "`%s`: got %s, want %s",
	              networks[_i].text, got, networks[_i].want ? networks[_i].want : "a fault");
}
END_TEST

static const struct {
	const char *host;
	bool want;
} hosts[] = {
	{"127.0.0.1", true},    {"127.9.9.9", true},
	{"::1", true},          {"localhost", true},
	{"LOCALHOST", true},    {"::ffff:127.0.0.1", true},
	{"0.0.0.0", false},     {"::", false},
	{"128.0.0.1", false},   {"::2", false},
	{"1::1", false},        {"::ffff:10.0.0.1", false},
	{"example.org", false}, {"localhost.example.org", false},
};

START_TEST(loopback)
{
	ck_assert_msg(network_is_loopback(hosts[_i].host) == hosts[_i].want, "%s: want %d", hosts[_i].host,
	              hosts[_i].want);
}
END_TEST

static const struct {
	const char *name;
	const char *a, *b;
	bool want;
} pairs[] = {
	{"the same URL", "udp://127.0.0.1:8125", "udp://127.0.0.1:8125", true},
	{"the default port, written and not", "udp://127.0.0.1", "udp://127.0.0.1:8125", true},
	{"another port", "udp://127.0.0.1:1", "udp://127.0.0.1:2", false},
	{"another host", "udp://127.0.0.1:1", "udp://127.0.0.2:1", false},
	{"another transport", "udp://127.0.0.1:1", "tcp://127.0.0.1:1", false},
	{"the same path", "fifo:///a/b", "fifo:///a/b", true},
	{"another path", "fifo:///a/b", "fifo:///a/c", false},
	{"datagrams and a stream", "unix:///a", "unixstream:///a", false},
	{"an abstract name, and a path with its letters", "unix://@/a", "unix:///a", false},
	{"standard input", "stdin:", "stdin:", true},
	{"standard input, standard output", "stdin:", "stdout:", false},
};

START_TEST(same_place)
{
	struct arena *arena = arena_new();
	struct endpoint a, b;
	const char *why;
	int result = endpoint_parse(&a, span_of(pairs[_i].a), 8125, arena, &why);
	ck_assert_int_eq(result, 0);
	result = endpoint_parse(&b, span_of(pairs[_i].b), 8125, arena, &why);
	ck_assert_int_eq(result, 0);
	ck_assert_msg(endpoint_is_same(&a, &b) == pairs[_i].want && endpoint_is_same(&b, &a) == pairs[_i].want, "%s: want %d",
	              pairs[_i].name, pairs[_i].want);
	arena_free(arena);
}
END_TEST

Suite *settings_endpoint_suite(void)
{
	Suite *suite = suite_create("settings_endpoint");
	TCase *urls = tcase_create("urls");
	tcase_add_loop_test(urls, parsed_url, 0, ARRAY_LEN(rows));
	tcase_add_loop_test(urls, same_place, 0, ARRAY_LEN(pairs));
	tcase_add_test(urls, socket_path_of_107_bytes);
	tcase_add_test(urls, url_with_a_nul);
	tcase_add_test(urls, port_without_default);
	suite_add_tcase(suite, urls);
	TCase *addresses = tcase_create("addresses");
	tcase_add_loop_test(addresses, allowed_network, 0, ARRAY_LEN(networks));
	tcase_add_loop_test(addresses, loopback, 0, ARRAY_LEN(hosts));
	suite_add_tcase(suite, addresses);
	return suite;
}
