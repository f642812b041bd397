/* `sample_rate` over a million events: for each of twenty seeds, and each rate, the share that is sent is within four
 * standard deviations of the rate. An argument gives another number of events. */
#include <math.h>
#include <stdlib.h>

#include "../unit/rig.h"
#include "tap.h"

enum { SEEDS = 20, CHUNK_EVENTS = 16384 };

/* Each rate has an output of its own, whose accounts then tell its share. */
static const char *const rates[] = {"0.5", "0.1", "0.001"};
static struct output_model outputs[] = {
	{.label = T("a"), .filter = TEXTS(T("a"))},
	{.label = T("b"), .filter = TEXTS(T("b"))},
	{.label = T("c"), .filter = TEXTS(T("c"))},
};
static const struct model model = {
	ONE_RULE(MATCH("**"), METRICS(COUNTER("a", .sample_rate = T("0.5")), COUNTER("b", .sample_rate = T("0.1")),
                                      COUNTER("c", .sample_rate = T("0.001")))),
	.outputs = outputs, .output_count = ARRAY_LEN(outputs)};

static bool check_share(const struct output_accounts *account, double rate, uint64_t events, int seed)
{
	/* Two of the three metrics are filtered out on this output. */
	const double sent = (double)(3 * events - account->filtered - account->sampled_out);
	const double expected = (double)events * rate;
	const double deviation = sqrt((double)events * rate * (1 - rate));
	const bool is_within = fabs(sent - expected) < 4 * deviation;
	if (account->filtered != 2 * events || account->sent != (uint64_t)sent || !is_within)
		tap_note("seed %d, rate %g: %.0f of %llu sent, %+.1f standard deviations; sent %llu, filtered %llu",
		         seed, rate, sent, (unsigned long long)events, (sent - expected) / deviation,
		         (unsigned long long)account->sent, (unsigned long long)account->filtered);
	return account->filtered == 2 * events && account->sent == (uint64_t)sent && is_within;
}

static void run_seed(int seed, uint64_t events)
{
	static struct rig rig;
	static char text[2 * CHUNK_EVENTS];
	char name[64];
	bool is_within = true;
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "x\n", 2);
	rig_init(&rig, &model);
	for (size_t i = 0; i < ARRAY_LEN(outputs); i++) {
		free(rig.sinks[i].text);
		rig.sinks[i].text = NULL;
	}
	/* Every second one has only a few bits. */
	translator_set_seed(rig.translator,
	                    seed % 2 ? (uint64_t)seed : UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(seed + 1));
	for (uint64_t left = events, some; left > 0; left -= some) {
		some = left < CHUNK_EVENTS ? left : CHUNK_EVENTS;
		rig_read(&rig, 0, (struct span){text, 2 * some}, sizeof(text));
	}
	for (uint16_t i = 0; i < ARRAY_LEN(outputs); i++) {
		rig_output(&rig, i);
		is_within &= check_share(&rig.accounts.outputs[i], strtod(rates[i], NULL), events, seed);
	}
	snprintf(name, sizeof(name), "seed %d: %llu events", seed, (unsigned long long)events);
	tap_ok(is_within, name);
	rig_fini(&rig);
}

int main(int argc, char **argv)
{
	const uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
	for (int seed = 0; seed < SEEDS; seed++)
		run_seed(seed, events);
	return tap_end();
}
