#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "publish/statsidecar.h"
#include "publish/target.h"

Suite *publish_target_suite(void);

#define PATH_107                                                       \
	"/12345678901234567890123456789012345678901234567890123456789" \
	"01234567890123456789012345678901234567890123456"

static const struct {
	const char *name;
	const char *url;
	int result;
	const char *want; /* what it would open */
} targets[] = {
	{"a pipe", "fifo:///run/statsidecar/events", 0, "pipe /run/statsidecar/events"},
	{"a pipe with blanks and percent signs", "fifo:///tmp/a b%20c", 0, "pipe /tmp/a b%20c"},
	{"a relative pipe", "fifo://events", STATSIDECAR_BAD_URL, ""},
	{"a pipe without path", "fifo:///", STATSIDECAR_BAD_URL, ""},
	{"an address and a port", "udp://10.1.2.3:9000", 0, "udp 10.1.2.3 9000"},
	{"an address without port", "udp://10.1.2.3", 0, "udp 10.1.2.3 8127"},
	{"localhost", "udp://localhost:9000", 0, "udp 127.0.0.1 9000"},
	{"LOCALHOST", "udp://LocalHost", 0, "udp 127.0.0.1 8127"},
	{"IPv6", "udp://[fd00::17]:9000", 0, "udp fd00::17 9000"},
	{"IPv6 without port", "udp://[::1]", 0, "udp ::1 8127"},
	{"IPv6 that is none", "udp://[::1::2]:9000", STATSIDECAR_BAD_URL, ""},
	{"IPv6 without end", "udp://[::1", STATSIDECAR_BAD_URL, ""},
	{"IPv6 without brackets", "udp://::1", STATSIDECAR_BAD_URL, ""},
	{"a name", "udp://agent.example:8127", STATSIDECAR_BAD_HOST, ""},
	{"a long name", "udp://a-name-that-is-longer-than-an-address.example", STATSIDECAR_BAD_HOST, ""},
	{"half an address", "udp://127.1:8127", STATSIDECAR_BAD_HOST, ""},
	{"no host", "udp://:8127", STATSIDECAR_BAD_URL, ""},
	{"nothing", "udp://", STATSIDECAR_BAD_URL, ""},
	{"port 0", "udp://127.0.0.1:0", STATSIDECAR_BAD_URL, ""},
	{"port 65535", "udp://127.0.0.1:65535", 0, "udp 127.0.0.1 65535"},
	{"port 65536", "udp://127.0.0.1:65536", STATSIDECAR_BAD_URL, ""},
	{"no port behind the colon", "udp://127.0.0.1:", STATSIDECAR_BAD_URL, ""},
	{"a port with letters", "udp://127.0.0.1:80a", STATSIDECAR_BAD_URL, ""},
	{"a path behind the port", "udp://127.0.0.1:8127/", STATSIDECAR_BAD_URL, ""},
	{"a socket", "unix:///run/app.sock", 0, "unix /run/app.sock"},
	{"an abstract socket", "unix://@app", 0, "unix @app"},
	{"an abstract socket without name", "unix://@", STATSIDECAR_BAD_URL, ""},
	{"a relative socket", "unix://app.sock", STATSIDECAR_BAD_URL, ""},
	{"a path of 107 bytes", "unix://" PATH_107, 0, "unix " PATH_107},
	{"a path of 108 bytes", "unix://" PATH_107 "8", STATSIDECAR_BAD_URL, ""},
	{"a stream", "unixstream:///run/app.sock", STATSIDECAR_STREAM, ""},
	{"a connection", "tcp://127.0.0.1:8127", STATSIDECAR_STREAM, ""},
	{"another scheme", "http://127.0.0.1", STATSIDECAR_BAD_URL, ""},
	{"a bare path", "/run/statsidecar/events", STATSIDECAR_BAD_URL, ""},
	{"no URL", "x", STATSIDECAR_BAD_URL, ""},
};

static void describe_udp(char *out, size_t size, const struct target *target)
{
	char address[INET6_ADDRSTRLEN];
	const void *bytes;
	in_port_t port;

	if (target->address.ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&target->address;

		ck_assert_uint_eq(target->address_len, sizeof *v4);
		bytes = &v4->sin_addr;
		port = v4->sin_port;
	} else {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&target->address;

		ck_assert_uint_eq(target->address_len, sizeof *v6);
		bytes = &v6->sin6_addr;
		port = v6->sin6_port;
	}
	snprintf(out, size, "udp %s %d", inet_ntop(target->address.ss_family, bytes, address, sizeof address),
	         ntohs(port));
}

static void describe_unix(char *out, size_t size, const struct target *target)
{
	const struct sockaddr_un *address = (const struct sockaddr_un *)&target->address;
	const char *path = address->sun_path;
	int len = (int)(target->address_len - offsetof(struct sockaddr_un, sun_path));

	if (*path == '\0')
		snprintf(out, size, "unix @%.*s", len - 1, path + 1);
	else
		snprintf(out, size, "unix %.*s", len - 1, path);
}

START_TEST(target)
{
	static struct target made;
	char got[256] = "";
	int result = statsidecar_target_parse(&made, targets[_i].url);

	ck_assert_msg(result == targets[_i].result, "%s: got %d (%s), want %d", targets[_i].name, result,
	              statsidecar_result_text(result), targets[_i].result);
	if (result < 0)
		return;
	if (made.kind == TARGET_PIPE)
		snprintf(got, sizeof got, "pipe %s", made.path);
	else if (made.kind == TARGET_UDP)
		describe_udp(got, sizeof got, &made);
	else
		describe_unix(got, sizeof got, &made);
	ck_assert_msg(strcmp(got, targets[_i].want) == 0, "%s: got %s, want %s", targets[_i].name, got,
	              targets[_i].want);
	ck_assert_str_eq(made.url, targets[_i].url);
}
END_TEST

START_TEST(longer_than_any_path)
{
	static struct target made;
	static char url[PATH_MAX + 32];

	memset(url, 'a', sizeof url - 1);
	memcpy(url, "fifo:///", 8);
	ck_assert_int_eq(statsidecar_target_parse(&made, url), STATSIDECAR_BAD_URL);
	url[PATH_MAX + 8] = '\0';
	ck_assert_int_eq(statsidecar_target_parse(&made, url), STATSIDECAR_BAD_URL);
}
END_TEST

Suite *publish_target_suite(void)
{
	Suite *suite = suite_create("publish_target");
	TCase *rows = tcase_create("rows");

	tcase_add_loop_test(rows, target, 0, (int)ARRAY_LEN(targets));
	tcase_add_test(rows, longer_than_any_path);
	suite_add_tcase(suite, rows);
	return suite;
}
