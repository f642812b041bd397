#include "translate/accounts.h"

#include <stdlib.h>

static uint64_t *counters(size_t count)
{
	return calloc(count ? count : 1, sizeof(uint64_t));
}

int accounts_init(struct accounts *accounts, const struct mapping *mapping)
{
	*accounts = (struct accounts){
		.rule_matches = counters(mapping->rule_count),
		.payload_missing = counters(mapping->expectation_count),
		.legacy = counters(mapping->legacy_count),
		.values_limited = counters(mapping->tag_key_count),
	};
	if (accounts->rule_matches && accounts->payload_missing && accounts->legacy && accounts->values_limited)
		return 0;
	accounts_fini(accounts);
	return -1;
}

void accounts_fini(struct accounts *accounts)
{
	free(accounts->rule_matches);
	free(accounts->payload_missing);
	free(accounts->legacy);
	free(accounts->values_limited);
	*accounts = (struct accounts){0};
}
