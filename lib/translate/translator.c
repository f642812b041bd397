#include "translate/translator.h"

#include <stdlib.h>

#include "translate/reading.h"

static int init_lifecycles(struct translator *translator)
{
	const struct mapping *mapping = translator->mapping;
	for (uint16_t i = 0; i < mapping->lifecycle_count; i++) {
		const struct lifecycle *lifecycle = &mapping->lifecycles[i];
		const struct entities_settings settings = lifecycle_settings(lifecycle);
		translator->entities[i] = entities_new(&settings, 0);
		if (!translator->entities[i])
			return -1;
		if (lifecycle->in_flight)
			plan_metric_init(&translator->in_flight[i], lifecycle->in_flight, &translator->renderer,
			                 translator->renderer.arena);
	}
	return 0;
}

static uint32_t line_size(const struct mapping *mapping)
{
	return (mapping->limits.line > DATAGRAM_MAX ? mapping->limits.line : DATAGRAM_MAX) + READ_SIZE;
}

static void release_translator(void *translator)
{
	translator_free(translator);
}

struct translator *translator_new(const struct mapping *mapping, struct accounts *accounts, struct packer *const *packers,
                                  const struct translate_observer *observer)
{
	struct translator *translator = calloc(1, sizeof(*translator));
	if (!translator)
		return NULL;
	struct arena_guard guard;
	arena_guard(&guard, release_translator, translator);
	translator->mapping = mapping;
	translator->accounts = accounts;
	translator->packers = packers;
	if (observer)
		translator->observer = *observer;
	const uint32_t line_max = line_size(mapping);
	translator->line_size = line_max;
	translator->value_text = calloc(1, READING_TEXT_SIZE);
	const bool is_whole =
		scan_init(&translator->scan, line_max) == 0 && translator->value_text &&
	    lifecycle_event_init(&translator->event, &mapping->fieldset, line_max) == 0 &&
	    subject_init(&translator->subject, mapping, &translator->event) == 0 &&
	    renderer_init(&translator->renderer, mapping, &translator->subject, accounts->values_limited,
	                  &accounts->names_limited) == 0 &&
	    plans_init(&translator->plans, mapping, &translator->renderer) == 0 && init_lifecycles(translator) == 0;
	arena_unguard(&guard);
	if (is_whole) {
		translator->renderer.limited = translator->observer.limited;
		translator->renderer.context = translator->observer.context;
		return translator;
	}
	translator_free(translator);
	return NULL;
}

void translator_free(struct translator *translator)
{
	if (!translator)
		return;
	for (size_t i = 0; i < ARRAY_LEN(translator->entities); i++)
		entities_free(translator->entities[i]);
	if (translator->plans.mapping)
		plans_fini(&translator->plans);
	if (translator->renderer.mapping)
		renderer_fini(&translator->renderer);
	subject_fini(&translator->subject);
	lifecycle_event_fini(&translator->event);
	free(translator->value_text);
	scan_fini(&translator->scan);
	free(translator);
}

size_t translator_memory(const struct mapping *mapping)
{
	size_t size = sizeof(struct translator) + plans_memory(mapping) + renderer_memory(mapping);
	size += scan_memory(line_size(mapping)) + line_size(mapping);
	for (uint16_t i = 0; i < mapping->lifecycle_count; i++) {
		const struct entities_settings settings = lifecycle_settings(&mapping->lifecycles[i]);
		size += entities_memory(&settings);
	}
	return size + arena_size(mapping->arena);
}

void translator_set_seed(struct translator *translator, uint64_t seed)
{
	translator->random = seed;
}

void translator_set_trace(struct translator *translator, const struct trace *trace)
{
	translator->trace = trace;
}

void translator_set_tally(struct translator *translator, struct tally *tally)
{
	translator->tally = tally;
}

void translator_set_time(struct translator *translator, struct moment now)
{
	translator->now = now;
}

bool translator_is_blocked(const struct translator *translator)
{
	for (uint16_t i = 0; i < translator->mapping->output_count; i++)
		if (packer_is_blocked(translator->packers[i]))
			return true;
	return false;
}
