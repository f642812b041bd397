/* From a line's arrival to its datagrams nothing is allocated, and nothing freed: every call of the allocator is
 * counted while lines of all kinds go through. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "mixed.h"
#include "tap.h"

static unsigned long calls;

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef HAS_ADDRESS_SANITIZER

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *block, size_t size)
{
	(void)block;
	(void)size;
	calls++;
}

static void on_free(const volatile void *block)
{
	(void)block;
	calls++;
}

static void counting_begin(void)
{
	if (!__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free))
		abort();
}

#else

/* Stand in for the C library's own, and pass everything on to them. dlsym() may allocate before they are known. */
static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static void *(*next_aligned)(size_t, size_t);
static _Alignas(max_align_t) char early[16384];
static size_t early_used;

static void *early_alloc(size_t size)
{
	void *block = early + early_used;
	early_used += (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (early_used > sizeof(early))
		abort();
	return block;
}

static bool is_early(const void *block)
{
	return (const char *)block >= early && (const char *)block < early + sizeof(early);
}

static void *find(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	if (!found)
		abort();
	return found;
}

static bool is_finding;

static bool counting_ready(void)
{
	if (next_free || is_finding)
		return next_free != NULL;
	is_finding = true;
	next_malloc = (void *(*)(size_t))find("malloc");
	next_calloc = (void *(*)(size_t, size_t))find("calloc");
	next_realloc = (void *(*)(void *, size_t))find("realloc");
	next_aligned = (void *(*)(size_t, size_t))find("aligned_alloc");
	next_free = (void (*)(void *))find("free");
	return true;
}

static void counting_begin(void)
{
	counting_ready();
}

void *malloc(size_t size)
{
	calls++;
	return counting_ready() ? next_malloc(size) : early_alloc(size);
}

void *calloc(size_t count, size_t size)
{
	calls++;
	return counting_ready() ? next_calloc(count, size) : early_alloc(count * size);
}

void *realloc(void *block, size_t size)
{
	calls++;
	if (!counting_ready() || is_early(block))
		abort();
	return next_realloc(block, size);
}

void free(void *block)
{
	calls++;
	if (!is_early(block))
		next_free(block);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	calls++;
	return counting_ready() ? next_aligned(alignment, size) : NULL;
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
	return aligned_alloc(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	*block = aligned_alloc(alignment, size);
	return *block ? 0 : ENOMEM;
}

#endif

enum { TEXT_SIZE = 8 * 1024 * 1024, LINE_COUNT = 40000 };

/* A state machine, so that its events are followed too. */
static struct text key[] = {T("task"), T("step_name")};
static struct lifecycle_enter_model enter[] = {
	{T("step.completed"), T("complete")}, {T("order.*"), T("begun")}, {T("quiet.a"), T("quiet")}};
static struct lifecycle_transition_model transitions[] = {
	{T("begun"), TEXTS(T("complete"))}, {T("complete"), TEXTS(T("begun"))}, {T("quiet"), {0}}};
static struct text active[] = {T("begun")};
static struct text final[] = {T("complete")};
static struct lifecycle_model lifecycle = {.name = T("step"),
                                           .key = {key, 2},
                                           .enter = enter,
                                           .enter_count = ARRAY_LEN(enter),
                                           .transitions = transitions,
                                           .transition_count = ARRAY_LEN(transitions),
                                           .active = {active, 1},
                                           .final = {final, 1},
                                           .in_flight = T("in_flight"),
                                           .prefix = "l.",
                                           .max_entities = 64,
                                           .linger_ns = 1000000000,
                                           .expire_ns = 2000000000,
                                           .stuck_after_ns = 500000000};

struct lines {
	char *text;
	size_t len;
	char *statsd;
	size_t statsd_len;
};

static void write_all(struct lines *lines, uint64_t seed)
{
	struct mixed mixed = {.seed = seed};
	for (int i = 0; i < LINE_COUNT && lines->len + 64 * 1024 < TEXT_SIZE; i++) {
		lines->len += mixed_line(&mixed, lines->text + lines->len);
		if (i % 8 == 0)
			lines->statsd_len += mixed_statsd_line(&mixed, lines->statsd + lines->statsd_len);
	}
}

static void take_some(struct rig *rig)
{
	for (uint16_t i = 0; i < MIXED_OUTPUTS; i++)
		rig_output(rig, i);
}

static void run_stream(struct rig *rig, const struct lines *lines, uint64_t *seed)
{
	for (size_t at = 0; at < lines->len;) {
		size_t count = 1 + random_below(seed, 65536);
		count = count < lines->len - at ? count : lines->len - at;
		rig_read(rig, 0, (struct span){lines->text + at, count}, 65536);
		at += count;
	}
	rig_end(rig, 0);
	take_some(rig);
}

/* Not rig_datagram(), which allocates. */
static void run_datagrams(struct rig *rig, uint16_t input, const char *text, size_t len)
{
	static char buffer[DATAGRAM_MAX + 2 * SCAN_PAD];
	while (len) {
		size_t count = len < 2 * MIXED_LINE_MAX ? len : 2 * MIXED_LINE_MAX;
		const char *end = memchr(text + count - 1, '\n', len - count + 1);
		count = end ? (size_t)(end + 1 - text) : len;
		count = count < DATAGRAM_MAX ? count : DATAGRAM_MAX;
		memcpy(buffer + SCAN_PAD, text, count);
		translate_datagram(rig->translator, input, buffer + SCAN_PAD, (uint32_t)count);
		text += count;
		len -= count;
	}
	take_some(rig);
}

static void run_time(struct rig *rig, int64_t *now_ms)
{
	for (int i = 0; i < 20; i++) {
		*now_ms += 200;
		translator_set_time(rig->translator, (struct moment){*now_ms * 1000000, *now_ms * 1000000});
		translator_run_timers(rig->translator);
		translator_refresh(rig->translator);
	}
	take_some(rig);
}

static void expect_none(unsigned long before, uint64_t events, const char *name)
{
	const unsigned long count = calls - before;
	if (count || events == 0)
		tap_note("%lu calls of the allocator, %llu events", count, (unsigned long long)events);
	tap_ok(count == 0 && events > 0, name);
}

static uint64_t received(const struct rig *rig)
{
	return rig->accounts.inputs[0].received + rig->accounts.inputs[1].received;
}

int main(void)
{
	static struct rig rig;
	struct lines lines = {.text = malloc(TEXT_SIZE), .statsd = malloc(TEXT_SIZE)};
	struct model model = mixed_model;
	uint64_t seed = 3;
	int64_t now_ms = 1000;
	if (!lines.text || !lines.statsd)
		abort();
	counting_begin();
	setvbuf(stdout, NULL, _IONBF, 0);
	model.lifecycles = &lifecycle;
	model.lifecycle_count = 1;
	unsigned long before = calls;
	rig_init(&rig, &model);
	tap_ok(calls > before, "setting up is counted");
	for (int i = 0; i < MIXED_OUTPUTS; i++) {
		free(rig.sinks[i].text);
		rig.sinks[i].text = NULL;
	}
	write_all(&lines, 11);
	translator_set_seed(rig.translator, 5);
	translator_set_time(rig.translator, (struct moment){now_ms * 1000000, now_ms * 1000000});

	/* The very first line already. */
	before = calls;
	uint64_t events = received(&rig);
	run_stream(&rig, &lines, &seed);
	expect_none(before, received(&rig) - events, "lines of all kinds in a stream");
	before = calls;
	events = received(&rig);
	run_datagrams(&rig, 0, lines.text, lines.len);
	expect_none(before, received(&rig) - events, "lines of all kinds in datagrams");
	before = calls;
	events = received(&rig);
	run_datagrams(&rig, MIXED_STATSD_INPUT, lines.statsd, lines.statsd_len);
	expect_none(before, received(&rig) - events, "StatsD lines");
	before = calls;
	run_time(&rig, &now_ms);
	expect_none(before, 1, "what lifecycles do by themselves");
	before = calls;
	events = received(&rig);
	rig.packers[MIXED_BLOCKING].keep = 1;
	rig.sinks[MIXED_BLOCKING].room = 0;
	rig.streams[0].is_pausable = true;
	run_stream(&rig, &lines, &seed);
	expect_none(before, received(&rig) - events, "an output that blocks");

	/* Otherwise nothing was shown. */
	uint64_t least = UINT64_MAX;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		least = rig.accounts.outcomes[i] < least ? rig.accounts.outcomes[i] : least;
	tap_ok(least > 0, "every outcome has come");
	tap_ok(rig.accounts.names_limited > 0 && rig.accounts.skipped[SKIP_NEGATIVE] > 0 &&
	               strstr(rig.limited, "kind") != NULL,
	       "guards were full");
	tap_ok(rig.accounts.lifecycles[0].expired + rig.accounts.lifecycles[0].evicted > 0, "entities were forgotten");
	rig_fini(&rig);
	free(lines.text);
	free(lines.statsd);
	return tap_end();
}
