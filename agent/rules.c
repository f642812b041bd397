#include <stdlib.h>
#include <sys/random.h>

#include "agent_inside.h"
#include "clock.h"
#include "reports.h"

/* The log hears of it first, then the parts. */
static void rules_rejected(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why,
                           uint32_t column)
{
	struct agent *agent = context;
	const struct translate_observer *log = &agent->rules->log;

	log->rejected(log->context, outcome, input, line, why, column);
	for (size_t i = 0; i < agent->part_count; i++) {
		const struct agent_part *part = &agent->parts[i];

		if (part->rejected != NULL)
			part->rejected(part->context, outcome, input, line, why, column);
	}
}

static void rules_limited(void *context, struct span tag, uint32_t limit)
{
	const struct translate_observer *log = &((struct agent *)context)->rules->log;

	log->limited(log->context, tag, limit);
}

struct rules *rules_new(struct agent *agent, struct settings *settings, struct mapping *mapping)
{
	struct rules *rules = calloc(1, sizeof *rules);

	if (rules == NULL) {
		mapping_free(mapping);
		settings_free(settings);
		return NULL;
	}
	rules->users = 1;
	rules->settings = settings;
	rules->mapping = mapping;
	rules->log = reports_observer(settings);
	rules->observer = (struct translate_observer){agent, rules_rejected, rules_limited};
	if (accounts_init(&rules->accounts, mapping) < 0) {
		rules_retire(rules);
		return NULL;
	}
	return rules;
}

/* Where sampling begins: another place in every process. */
static uint64_t rules_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
		seed = (uint64_t)clock_realtime_ns();
	return seed | 1;
}

int rules_start(struct rules *rules)
{
	rules->translator = translator_new(rules->mapping, &rules->accounts, rules->packers, &rules->observer);
	if (rules->translator == NULL)
		return -1;
	translator_set_seed(rules->translator, rules_seed());
	return 0;
}

void rules_retire(struct rules *rules)
{
	if (rules == NULL)
		return;
	translator_free(rules->translator);
	mapping_free(rules->mapping);
	accounts_fini(&rules->accounts);
	rules->translator = NULL;
	rules->mapping = NULL;
	rules_release(rules);
}

void rules_release(struct rules *rules)
{
	if (--rules->users > 0)
		return;
	settings_free(rules->settings);
	free(rules);
}

void rules_warn_of_origin(const struct output_settings *settings)
{
	if (settings->origin_is_unknown)
		log_warn("output %s: its origin is not known: %s; its metrics carry none", settings->label,
		         settings->origin == ORIGIN_SELF ? "no container id is found, and DD_EXTERNAL_ENV is not set"
		                                         : "DD_ENTITY_ID is not set");
}
