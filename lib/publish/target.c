#include "publish/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <strings.h>

#include "base/span.h"
#include "publish/statsidecar.h"

enum { PORT_DEFAULT = 8127 };

/* `:8127`, or nothing. */
static bool port_parse(uint16_t *port, struct span text)
{
	unsigned value = 0;

	*port = PORT_DEFAULT;
	if (text.len == 0)
		return true;
	if (text.at[0] != ':' || text.len < 2 || text.len > 6)
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.at[i] - '0');
	}
	*port = (uint16_t)value;
	return value >= 1 && value <= 65535;
}

static int address_v6_parse(struct target *target, struct span host, struct span port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	char text[INET6_ADDRSTRLEN];
	uint16_t number;

	if (host.len >= sizeof text || !port_parse(&number, port))
		return STATSIDECAR_BAD_URL;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1)
		return STATSIDECAR_BAD_URL;
	address.sin6_port = htons(number);
	memcpy(&target->address, &address, sizeof address);
	target->address_len = sizeof address;
	return 0;
}

static int address_v4_parse(struct target *target, struct span host, struct span port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char text[INET_ADDRSTRLEN];
	uint16_t number;

	if (host.len == 0 || !port_parse(&number, port))
		return STATSIDECAR_BAD_URL;
	if (host.len >= sizeof text)
		return STATSIDECAR_BAD_HOST;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	if (strcasecmp(text, "localhost") == 0)
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
		return STATSIDECAR_BAD_HOST;
	address.sin_port = htons(number);
	memcpy(&target->address, &address, sizeof address);
	target->address_len = sizeof address;
	return 0;
}

static int address_parse(struct target *target, struct span rest)
{
	const char *end;
	struct span host = rest;

	if (rest.len > 0 && rest.at[0] == '[') {
		end = memchr(rest.at, ']', rest.len);
		if (end == NULL)
			return STATSIDECAR_BAD_URL;
		host = (struct span){rest.at + 1, (size_t)(end - rest.at) - 1};
		return address_v6_parse(target, host, span_skip(rest, host.len + 2));
	}
	end = memchr(rest.at, ':', rest.len);
	if (end != NULL)
		host.len = (size_t)(end - rest.at);
	return address_v4_parse(target, host, span_skip(rest, host.len));
}

static int pipe_parse(struct target *target, struct span rest)
{
	target->path = rest.at;
	return rest.len >= 2 && rest.at[0] == '/' && rest.len < PATH_MAX ? 0 : STATSIDECAR_BAD_URL;
}

static int socket_parse(struct target *target, struct span rest)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	bool is_abstract = rest.len > 1 && rest.at[0] == '@';

	if (!is_abstract && (rest.len < 2 || rest.at[0] != '/'))
		return STATSIDECAR_BAD_URL;
	/* An abstract name may fill it; a path ends with a NUL. */
	if (rest.len >= sizeof address.sun_path)
		return STATSIDECAR_BAD_URL;
	memcpy(address.sun_path, rest.at, rest.len);
	if (is_abstract)
		address.sun_path[0] = '\0';
	memcpy(&target->address, &address, sizeof address);
	target->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + rest.len + (is_abstract ? 0 : 1));
	return 0;
}

static int stream_refuse(struct target *target, struct span rest)
{
	(void)target;
	(void)rest;
	return STATSIDECAR_STREAM;
}

static const struct {
	const char *scheme;
	enum target_kind kind;
	int (*parse)(struct target *target, struct span rest);
} schemes[] = {
	{"fifo://", TARGET_PIPE, pipe_parse},          {"udp://", TARGET_UDP, address_parse},
	{"unix://", TARGET_UNIX, socket_parse},        {"tcp://", TARGET_UDP, stream_refuse},
	{"unixstream://", TARGET_UNIX, stream_refuse},
};

int statsidecar_target_parse(struct target *target, const char *url)
{
	size_t len = strlen(url);

	if (len >= sizeof target->url)
		return STATSIDECAR_BAD_URL;
	*target = (struct target){.path = NULL};
	memcpy(target->url, url, len + 1);
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct span text = {target->url, len}, scheme = span_of(schemes[i].scheme);

		if (!span_starts(text, scheme))
			continue;
		target->kind = schemes[i].kind;
		return schemes[i].parse(target, span_skip(text, scheme.len));
	}
	return STATSIDECAR_BAD_URL;
}
