/* URLs, networks, durations, sizes, modes: what is taken can be written and read again as the same; what is refused says
 * why. No byte of a host or path goes missing. */
#define _GNU_SOURCE /* memmem */
#include <stdlib.h>

#include "../unit/rig.h"
#include "fuzz.h"
#include "publish/target.h"
#include "settings/network.h"
#include "settings/scalar.h"
#include "settings/settings.h"

enum { TEXT_MAX = 600 };

static void check_why(const char *what, struct span text, int result, const char *why)
{
	if (result != 0 && result != -1)
		fuzz_fail("%s %s: result %d", what, shown(text), result);
	if (result && (!why || !*why))
		fuzz_fail("%s %s: refused without a reason", what, shown(text));
}

static void check_endpoint(struct span text)
{
	struct arena *arena = arena_new();
	struct endpoint endpoint;
	struct endpoint again;
	const char *why = NULL;
	const int result = endpoint_parse(&endpoint, text, 8125, arena, &why);
	check_why("the URL", text, result, why);
	if (result == 0) {
		const size_t host_len = endpoint.host ? strlen(endpoint.host) : 0;
		const size_t path_len = endpoint.path ? strlen(endpoint.path) : 0;
		if (endpoint.host && endpoint.path)
			fuzz_fail("a host and a path: %s", shown(text));
		if (memchr(text.at, '\0', text.len))
			fuzz_fail("a URL with a NUL: %s", shown(text));
		if (host_len && !memmem(text.at, text.len, endpoint.host, host_len))
			fuzz_fail("another host: %s", shown(text));
		if (path_len &&
		    memcmp(text.at + text.len - path_len, endpoint.path, path_len) != 0)
			fuzz_fail("another path: %s", shown(text));
		if (endpoint_parse(&again, text, 8125, arena, &why) || !endpoint_is_same(&endpoint, &again))
			fuzz_fail("not the same as itself: %s", shown(text));
	}
	arena_free(arena);
}

static void check_network(struct span text)
{
	struct network network;
	struct network again;
	const char *why = NULL;
	const int result = network_parse(&network, text, &why);
	check_why("the network", text, result, why);
	if (result)
		return;
	char written[NETWORK_TEXT_MAX];
	network_write(written, &network);
	if (network.bits > (network.family_v6 ? 128 : 32) || network_parse(&again, span_of(written), &why) ||
	    memcmp(&network, &again, sizeof(network)) != 0)
		fuzz_fail("%s is written as %s", shown(text), written);
}

static void check_scalars(struct span text)
{
	char written[SCALAR_TEXT_MAX];
	int64_t number = 0;
	int64_t again = 0;
	bool flag;
	const char *why = NULL;
	int result = scalar_duration(&number, text, &why);
	check_why("the duration", text, result, why);
	if (result == 0) {
		scalar_write_duration(written, number);
		if (number < 0 || scalar_duration(&again, span_of(written), &why) || again != number)
			fuzz_fail("the duration %s is written as %s", shown(text), written);
	}
	why = NULL;
	result = scalar_bytes(&number, text, &why);
	check_why("the size", text, result, why);
	if (result == 0) {
		scalar_write_bytes(written, number);
		if (number < 0 || scalar_bytes(&again, span_of(written), &why) || again != number)
			fuzz_fail("the size %s is written as %s", shown(text), written);
	}
	why = NULL;
	result = scalar_count(&number, text, &why);
	check_why("the count", text, result, why);
	if (result == 0 && number < 0)
		fuzz_fail("a negative count: %s", shown(text));
	why = NULL;
	result = scalar_mode(&number, text, &why);
	check_why("the mode", text, result, why);
	if (result == 0 && (number < 0 || number > 07777))
		fuzz_fail("the mode %s is %llo", shown(text), (unsigned long long)number);
	why = NULL;
	result = scalar_bool(&flag, text, &why);
	check_why("the boolean", text, result, why);
}

static void check_target(const char *url)
{
	static struct target target;
	const int result = statsidecar_target_parse(&target, url);
	if (result > 0)
		fuzz_fail("result %d of %s", result, url);
	if (result == 0 && strcmp(target.url, url) != 0)
		fuzz_fail("another URL: %s", target.url);
	if (result == 0 && target.kind != TARGET_PIPE && target.address_len > sizeof(target.address))
		fuzz_fail("an address of %u bytes", target.address_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > TEXT_MAX)
		return 0;
	char *copy = fuzz_copy((struct span){(const char *)data, size}, 0);
	char *terminated = fuzz_copy((struct span){(const char *)data, size}, 1);
	const struct span text = {copy, size};
	check_endpoint(text);
	check_network(text);
	check_scalars(text);
	check_target(terminated);
	(void)network_is_loopback(terminated);
	fuzz_free(copy, 0);
	fuzz_free(terminated, 1);
	return 0;
}
