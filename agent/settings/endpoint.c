/* URLs: fifo:///path, udp://host:port, unix:///path, unix://@name, tcp://[::1]:port, unixstream:///path, stdin:,
 * stdout: */
#include <arpa/inet.h>
#include <sys/un.h>

#include "settings/settings.h"

struct scheme {
	const char *prefix;
	enum transport transport;
};

static const struct scheme schemes[] = {
	{"fifo://", TRANSPORT_FIFO},
	{"udp://", TRANSPORT_UDP},
	{"unix://", TRANSPORT_UNIX},
	{"tcp://", TRANSPORT_TCP},
	{"unixstream://", TRANSPORT_UNIXSTREAM},
	{"stdin:", TRANSPORT_STDIN},
	{"stdout:", TRANSPORT_STDOUT},
};

static bool is_host_byte(char byte, bool is_address)
{
	bool is_name = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
	return is_name || strchr(is_address ? ":.%_-" : ".-_", byte);
}

/* Behind the host: nothing, or `:` and digits. */
static int port_parse(struct endpoint *endpoint, struct span text, const char **why)
{
	unsigned port = 0;
	if (text.len == 0) {
		*why = "a port is missing: write HOST:PORT";
		return endpoint->port ? 0 : -1;
	}
	*why = "the port must be a number between 0 and 65535";
	if (text.at[0] != ':' || text.len < 2 || text.len > 6)
		return -1;
	for (size_t i = 1; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		port = port * 10 + (unsigned)(text.at[i] - '0');
	}
	if (port > 65535)
		return -1;
	endpoint->port = (uint16_t)port;
	return 0;
}

static int host_parse(struct endpoint *endpoint, struct span text, struct arena *arena, const char **why)
{
	struct span host = text;
	bool is_address = text.len && text.at[0] == '[';
	*why = "write a host and a port: udp://127.0.0.1:8125, udp://[::1]:8125";
	if (is_address) {
		const char *end = memchr(text.at, ']', text.len);
		if (!end)
			return -1;
		host = (struct span){text.at + 1, (size_t)(end - text.at) - 1};
		text = span_skip(text, host.len + 2);
	} else {
		const char *colon = memchr(text.at, ':', text.len);
		host.len = colon ? (size_t)(colon - text.at) : text.len;
		text = span_skip(text, host.len);
		if (text.len > 1 && memchr(text.at + 1, ':', text.len - 1)) {
			*why = "an IPv6 address stands in brackets: udp://[::1]:8125";
			return -1;
		}
	}
	if (host.len == 0 || host.len > 253)
		return -1;
	for (size_t i = 0; i < host.len; i++)
		if (!is_host_byte(host.at[i], is_address))
			return -1;
	endpoint->host = arena_copy(arena, host).at;
	return port_parse(endpoint, text, why);
}

static int path_parse(struct endpoint *endpoint, struct span text, struct arena *arena, const char **why)
{
	bool is_socket = endpoint->transport != TRANSPORT_FIFO;
	if (is_socket && text.len > 1 && text.at[0] == '@') {
		endpoint->is_abstract = true;
		text = span_skip(text, 1);
	} else if (text.len < 2 || text.at[0] != '/') {
		*why = is_socket ? "the path must be absolute: unix:///run/app.sock (three slashes), or unix://@NAME"
		                 : "the path must be absolute: fifo:///run/statsidecar/events (three slashes)";
		return -1;
	}
	if (is_socket && text.len >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		*why = "a socket's path has at most 107 bytes";
		return -1;
	}
	endpoint->path = arena_copy(arena, text).at;
	return 0;
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->transport == b->transport && a->is_abstract == b->is_abstract && a->port == b->port &&
	       is_same_text(a->host, b->host) && is_same_text(a->path, b->path);
}

int endpoint_parse(struct endpoint *endpoint, struct span url, uint16_t default_port, struct arena *arena,
                   const char **why)
{
	*endpoint = (struct endpoint){.url = arena_copy(arena, url).at};
	if (url.len && memchr(url.at, '\0', url.len)) { /* "…\0…" in quotes: what stands behind it would be lost */
		*why = "a URL has no NUL byte";
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct span prefix = span_of(schemes[i].prefix);
		if (!span_starts(url, prefix))
			continue;
		endpoint->transport = schemes[i].transport;
		url = span_skip(url, prefix.len);
		switch (endpoint->transport) {
		case TRANSPORT_UDP:
		case TRANSPORT_TCP:
			endpoint->port = default_port;
			return host_parse(endpoint, url, arena, why);
		case TRANSPORT_FIFO:
		case TRANSPORT_UNIX:
		case TRANSPORT_UNIXSTREAM:
			return path_parse(endpoint, url, arena, why);
		case TRANSPORT_STDIN:
		case TRANSPORT_STDOUT:
			*why = "nothing may stand behind the colon";
			return url.len ? -1 : 0;
		}
	}
	*why = "write a URL: udp://HOST:PORT, unix:///PATH, unixstream:///PATH, tcp://HOST:PORT, fifo:///PATH, stdin: "
	       "or stdout:";
	return -1;
}
