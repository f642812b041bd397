#include "explain/rehearsal.h"

#include <stdlib.h>

#include "base/arena.h"

struct rehearsal {
	const struct mapping *mapping;
	struct accounts accounts;
	struct packer packers[OUTPUTS_MAX];
	struct packer *packer_list[OUTPUTS_MAX];
	struct translator *translator;
	char *line; /* limits.line + LINE_EXCESS bytes, SCAN_PAD before and behind */
	struct moment now;
	uint16_t input;
};

/* What was packed has been seen already. */
static void discard(struct packer *packer, void *context)
{
	(void)context;
	while (!packer_empty(packer))
		packer_take(packer);
}

static void release_rehearsal(void *rehearsal)
{
	rehearsal_free(rehearsal);
}

struct rehearsal *rehearsal_new(const struct mapping *mapping, const struct trace *trace,
                                const struct translate_observer *observer)
{
	struct rehearsal *rehearsal = calloc(1, sizeof(*rehearsal));
	struct arena_guard guard;
	if (!rehearsal)
		arena_exhausted();
	arena_guard(&guard, release_rehearsal, rehearsal);
	rehearsal->mapping = mapping;
	rehearsal->line = calloc(1, (size_t)mapping->limits.line + LINE_EXCESS + 2 * SCAN_PAD);
	if (!rehearsal->line || accounts_init(&rehearsal->accounts, mapping))
		arena_exhausted();
	for (uint16_t i = 0; i < mapping->output_count; i++) {
		if (packer_init(&rehearsal->packers[i], mapping->outputs[i].max_datagram))
			arena_exhausted();
		rehearsal->packers[i].flush = discard;
		rehearsal->packer_list[i] = &rehearsal->packers[i];
	}
	rehearsal->translator = translator_new(mapping, &rehearsal->accounts, rehearsal->packer_list, observer);
	if (!rehearsal->translator)
		arena_exhausted();
	arena_unguard(&guard);
	translator_set_trace(rehearsal->translator, trace);
	return rehearsal;
}

void rehearsal_free(struct rehearsal *rehearsal)
{
	if (!rehearsal)
		return;
	translator_free(rehearsal->translator);
	for (uint16_t i = 0; i < rehearsal->mapping->output_count; i++)
		packer_fini(&rehearsal->packers[i]);
	accounts_fini(&rehearsal->accounts);
	free(rehearsal->line);
	free(rehearsal);
}

void rehearsal_set_input(struct rehearsal *rehearsal, uint16_t input)
{
	rehearsal->input = input;
}

void rehearsal_set_time(struct rehearsal *rehearsal, struct moment now)
{
	rehearsal->now = now;
	translator_set_time(rehearsal->translator, now);
}

static void discard_all(struct rehearsal *rehearsal)
{
	for (uint16_t i = 0; i < rehearsal->mapping->output_count; i++)
		discard(&rehearsal->packers[i], NULL);
}

void rehearsal_wait(struct rehearsal *rehearsal, int64_t wait_ns)
{
	const int64_t millisecond_ns = 1000000;
	while (wait_ns > 0) {
		const int64_t due_ms = translator_timer_ms(rehearsal->translator);
		const int64_t due_ns = due_ms < 0 || due_ms > wait_ns / millisecond_ns ? wait_ns : due_ms * millisecond_ns;
		wait_ns -= due_ns;
		rehearsal_set_time(rehearsal, (struct moment){rehearsal->now.realtime_ns + due_ns, rehearsal->now.monotonic_ns + due_ns});
		translator_run_timers(rehearsal->translator);
		discard_all(rehearsal);
	}
}

static void run_line(struct rehearsal *rehearsal, struct span line)
{
	const struct span text = span_cut(line, (size_t)rehearsal->mapping->limits.line + LINE_EXCESS);
	if (text.len)
		memcpy(rehearsal->line + SCAN_PAD, text.at, text.len);
	translate_datagram(rehearsal->translator, rehearsal->input, rehearsal->line + SCAN_PAD, (uint32_t)text.len);
	discard_all(rehearsal);
}

void rehearsal_run(struct rehearsal *rehearsal, struct span text)
{
	while (text.len) {
		const char *end = memchr(text.at, '\n', text.len);
		const struct span line = {text.at, end ? (size_t)(end - text.at) : text.len};
		run_line(rehearsal, line);
		text = span_skip(text, line.len + (end != NULL));
	}
}

const struct accounts *rehearsal_accounts(const struct rehearsal *rehearsal)
{
	return &rehearsal->accounts;
}
