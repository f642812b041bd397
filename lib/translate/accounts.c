#include "translate/accounts.h"

#include <stdlib.h>

const char *const skip_names[SKIP_COUNT] = {
	[SKIP_ABSENT] = "absent",
	[SKIP_NOT_A_NUMBER] = "not_a_number",
	[SKIP_NEGATIVE] = "negative",
	[SKIP_NAME] = "name",
};

const char *const output_error_names[OUTPUT_ERROR_COUNT] = {
	[OUTPUT_ERROR_FULL] = "full",           [OUTPUT_ERROR_NO_BUFFERS] = "no_buffers", [OUTPUT_ERROR_TOO_LONG] = "too_long",
	[OUTPUT_ERROR_REFUSED] = "refused",     [OUTPUT_ERROR_ABSENT] = "absent",         [OUTPUT_ERROR_CLOSED] = "closed",
	[OUTPUT_ERROR_UNRESOLVED] = "unresolved", [OUTPUT_ERROR_OTHER] = "other",
};

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
