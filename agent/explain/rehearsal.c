#include "explain/rehearsal.h"

#include <stdlib.h>

#include "base/arena.h"

struct rehearsal {
	const struct mapping *mapping;
	struct accounts accounts;
	struct packer packers[OUTPUTS_MAX];
	struct packer *packer_list[OUTPUTS_MAX];
	struct translator *translator;
	char *line; /* limits.line + 1 bytes, SCAN_PAD before and behind */
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
	rehearsal->line = calloc(1, (size_t)mapping->limits.line + 1 + 2 * SCAN_PAD);
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
	translator_set_time(rehearsal->translator, now);
}

/* Of a line that is too long one byte too many is enough. */
static void run_line(struct rehearsal *rehearsal, struct span line)
{
	const struct span text = span_cut(line, (size_t)rehearsal->mapping->limits.line + 1);
	if (text.len)
		memcpy(rehearsal->line + SCAN_PAD, text.at, text.len);
	translate_datagram(rehearsal->translator, rehearsal->input, rehearsal->line + SCAN_PAD, (uint32_t)text.len);
	for (uint16_t i = 0; i < rehearsal->mapping->output_count; i++)
		discard(&rehearsal->packers[i], NULL);
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
