/* The accounts balance after every chunk of a mixed stream, and in the end they are what was written. An argument gives
 * another number of lines, a second one another seed. */
#include <stdlib.h>

#include "mixed.h"
#include "tap.h"

enum { ROOM = 512 * 1024 };

struct feed {
	struct rig rig;
	struct mixed mixed;
	char text[ROOM];
	size_t len; /* not yet fed */
	unsigned faults;
	uint64_t checks;
};

static void check(struct feed *feed, const char *when)
{
	char why[512];
	feed->checks++;
	if (rig_check_balance(&feed->rig, why, sizeof(why)) && feed->faults++ < 5)
		tap_note("%s: %s", when, why);
}

static void expect(struct feed *feed, const char *what, uint64_t got, uint64_t want)
{
	if (got == want)
		return;
	feed->faults++;
	tap_note("%s: got %llu, want %llu", what, (unsigned long long)got, (unsigned long long)want);
}

static void write_lines(struct feed *feed, size_t most)
{
	while (feed->len < most && feed->len + 64 * 1024 < ROOM)
		feed->len += mixed_line(&feed->mixed, feed->text + feed->len);
}

static void consume(struct feed *feed, size_t count)
{
	feed->len -= count;
	memmove(feed->text, feed->text + count, feed->len);
}

/* Whole lines of the front, at most most bytes of them. */
static size_t whole_lines(const struct feed *feed, size_t most)
{
	size_t len = 0;
	for (;;) {
		const char *end = memchr(feed->text + len, '\n', feed->len - len);
		if (!end || (size_t)(end + 1 - feed->text) > most)
			return len;
		len = (size_t)(end + 1 - feed->text);
	}
}

static void feed_init(struct feed *feed, uint64_t seed)
{
	feed->mixed = (struct mixed){.seed = seed};
	feed->len = feed->faults = 0;
	rig_init(&feed->rig, &mixed_model);
	translator_set_seed(feed->rig.translator, 7);
	for (size_t i = 0; i < MIXED_OUTPUTS; i++) {
		free(feed->rig.sinks[i].text);
		feed->rig.sinks[i].text = NULL;
	}
}

/* What was counted is what was written. */
static void check_end(struct feed *feed, const char *name)
{
	const struct accounts *accounts = &feed->rig.accounts;
	const struct mixed *mixed = &feed->mixed;
	uint64_t sampled = 0;
	expect(feed, "received", accounts->inputs[0].received + accounts->inputs[1].received, mixed->events);
	for (int i = 0; i < OUTCOME_COUNT; i++)
		expect(feed, outcome_names[i], accounts->outcomes[i], mixed->outcomes[i]);
	for (uint16_t i = 0; i < MIXED_OUTPUTS; i++) {
		const struct output_accounts *account = &accounts->outputs[i];
		rig_output(&feed->rig, i);
		expect(feed, "made", account->made, mixed->made);
		expect(feed, "sent by the packers and by the accounts", account->sent, feed->rig.sinks[i].metrics);
		expect(feed, "pending", packer_pending(&feed->rig.packers[i]), 0);
		sampled += account->sampled_out;
	}
	/* Of three outputs without a filter for it about one half each; the filter goes first. */
	if (sampled == 0 || sampled > mixed->sampled * MIXED_OUTPUTS)
		expect(feed, "sampled out", sampled, mixed->sampled);
	check(feed, "at the end");
	tap_note("%s: %llu events, %llu metrics for each output, %llu checks", name, (unsigned long long)mixed->events,
	         (unsigned long long)mixed->made, (unsigned long long)feed->checks);
	tap_ok(feed->faults == 0, name);
	rig_fini(&feed->rig);
}

static bool is_done(const struct feed *feed, uint64_t events)
{
	return feed->mixed.events >= events;
}

/* Chunks of any size, cut anywhere; nothing blocks. */
static void run_stream(struct feed *feed, uint64_t events, uint64_t seed)
{
	feed_init(feed, seed);
	while (!is_done(feed, events) || feed->len) {
		if (!is_done(feed, events))
			write_lines(feed, ROOM / 2);
		const uint32_t most = random_below(&seed, 8) ? 65536 : 300;
		size_t count = 1 + random_below(&seed, most);
		count = count < feed->len ? count : feed->len;
		rig_read(&feed->rig, 0, (struct span){feed->text, count}, 65536);
		consume(feed, count);
		check(feed, "after a chunk");
	}
	rig_end(&feed->rig, 0);
	for (int i = 0; i < 4; i++)
		expect(feed, "dropped", feed->rig.accounts.outputs[i].dropped, 0);
	check_end(feed, "a stream in chunks of any size");
}

static void run_datagrams(struct feed *feed, uint64_t events, uint64_t seed)
{
	static char statsd[2 * MIXED_LINE_MAX];
	feed_init(feed, seed);
	while (!is_done(feed, events) || feed->len) {
		if (!is_done(feed, events))
			write_lines(feed, ROOM / 2);
		const size_t count =
			whole_lines(feed, MIXED_LINE_MAX * 2 + random_below(&seed, 65536 - MIXED_LINE_MAX * 2));
		/* The last line of a datagram needs no newline. */
		rig_datagram(&feed->rig, 0, (struct span){feed->text, count - random_below(&seed, 2)});
		consume(feed, count);
		const size_t len = mixed_statsd_line(&feed->mixed, statsd);
		rig_datagram(&feed->rig, MIXED_STATSD_INPUT, (struct span){statsd, len});
		check(feed, "after a datagram");
	}
	check_end(feed, "datagrams");
}

/* One output takes a datagram now and then; the stream waits for it, datagrams do not and lose what they make for it.
 */
static void run_blocking(struct feed *feed, uint64_t events, uint64_t seed)
{
	feed_init(feed, seed);
	struct output_accounts *blocking = &feed->rig.accounts.outputs[MIXED_BLOCKING];
	feed->rig.packers[MIXED_BLOCKING].keep = 1;
	feed->rig.sinks[MIXED_BLOCKING].room = 0;
	feed->rig.streams[0].is_pausable = true;
	while (!is_done(feed, events) || feed->len) {
		if (!is_done(feed, events))
			write_lines(feed, ROOM / 2);
		size_t count = 1 + random_below(&seed, 65536);
		count = count < feed->len ? count : feed->len;
		rig_read(&feed->rig, 0, (struct span){feed->text, count}, 65536);
		consume(feed, count);
		check(feed, "after a chunk, blocking");
	}
	rig_end(&feed->rig, 0);
	expect(feed, "dropped by an output that blocks", blocking->dropped, 0);
	const uint64_t dropped = blocking->dropped;
	char line[2 * MIXED_LINE_MAX];
	feed->rig.sinks[MIXED_BLOCKING].room = 0;
	for (int i = 0; i < 20000; i++) {
		const size_t len = mixed_line(&feed->mixed, line);
		rig_datagram(&feed->rig, 0, (struct span){line, len});
		check(feed, "after a datagram, blocked");
	}
	if (blocking->dropped == dropped)
		expect(feed, "dropped of datagrams by an output that blocks", blocking->dropped, 1);
	expect(feed, "full", blocking->errors[OUTPUT_ERROR_FULL], blocking->dropped);
	feed->rig.sinks[MIXED_BLOCKING].room = UINT64_MAX;
	check_end(feed, "an output that blocks");
}

int main(int argc, char **argv)
{
	static struct feed feed;
	const uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
	const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	run_stream(&feed, events, seed);
	run_datagrams(&feed, events / 4, seed);
	run_blocking(&feed, events / 4, seed);
	return tap_end();
}
