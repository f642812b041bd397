#include "settings/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

static bool bits_are_zero(const uint8_t *address, unsigned from, unsigned to)
{
	for (unsigned bit = from; bit < to; bit++)
		if (address[bit / 8] >> (7 - bit % 8) & 1)
			return false;
	return true;
}

int network_parse(struct network *network, struct span text, const char **why)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = memchr(text.at, '/', text.len);
	size_t len = slash ? (size_t)(slash - text.at) : text.len;
	*why = "write a network such as 10.0.0.0/8 or fd00::/8, or an address";
	if (len >= sizeof(address))
		return -1;
	memcpy(address, text.at, len);
	address[len] = 0;
	*network = (struct network){0};
	if (inet_pton(AF_INET6, address, network->address) == 1)
		network->family_v6 = 1;
	else if (inet_pton(AF_INET, address, network->address) != 1)
		return -1;
	unsigned most = network->family_v6 ? 128 : 32, bits = most;
	if (slash) {
		size_t digits = text.len - len - 1;
		bits = 0;
		for (size_t i = 0; i < digits; i++) {
			char byte = text.at[len + 1 + i];
			if (digits > 3 || byte < '0' || byte > '9')
				return -1;
			bits = bits * 10 + (unsigned)(byte - '0');
		}
		if (digits == 0 || bits > most)
			return -1;
	}
	if (!bits_are_zero(network->address, bits, most)) {
		*why = "bits behind the / must be zero: 10.1.0.0/16, not 10.1.2.3/16";
		return -1;
	}
	network->bits = (uint8_t)bits;
	return 0;
}

void network_write(char *out, const struct network *network)
{
	char address[INET6_ADDRSTRLEN] = "";
	inet_ntop(network->family_v6 ? AF_INET6 : AF_INET, network->address, address, sizeof(address));
	snprintf(out, NETWORK_TEXT_MAX, "%s/%u", address, network->bits);
}

bool network_is_loopback(const char *host)
{
	static const uint8_t mapped[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
	uint8_t address[16];
	if (inet_pton(AF_INET, host, address) == 1)
		return address[0] == 127;
	if (inet_pton(AF_INET6, host, address) == 1)
		return memcmp(address, mapped, sizeof(mapped)) == 0 ||
		       (bits_are_zero(address, 0, 120) && address[15] == 1);
	return strcasecmp(host, "localhost") == 0;
}
