/* The cardinality guard alone, as one tag value passes it: hash, look-up. Prints one line of JSON, nanoseconds of CPU a
 * value, the fastest of some passes:
 *
 *     hash      the hash of the value
 *     known     with the look-up, of values that are in: what nearly every tag of every event takes
 *     refused   of values that are new, and beyond the limit: what becomes __other__ */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "base/bounds.h"
#include "base/hash.h"
#include "emit/guard.h"

enum {
	VALUES = 100000,
	LIMIT = 1000, /* limits.tag_values by default */
	PASSES = 15,
};

struct value {
	char text[24 + SCAN_PAD];
	size_t len;
};

enum measure { MEASURE_HASH, MEASURE_GUARD };

static struct value values[VALUES];
static const struct hash_key key = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};
static volatile uint64_t sink; /* what is worked out is used */

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Of the first distinct values, again and again. */
static double pass(struct guard *guard, enum measure measure, size_t first, size_t distinct)
{
	const double begin = cpu_ns();
	uint64_t sum = 0;

	for (size_t i = 0; i < VALUES; i++) {
		const struct value *value = &values[first + i % distinct];
		const uint64_t hash = hash_padded(&key, (struct span){value->text, value->len});

		sum += measure == MEASURE_HASH ? hash : guard_admits(guard, hash);
	}
	sink = sum;
	return (cpu_ns() - begin) / VALUES;
}

static double fastest(struct guard *guard, enum measure measure, size_t first, size_t distinct)
{
	double least = pass(guard, measure, first, distinct);

	for (int i = 1; i < PASSES; i++) {
		const double one = pass(guard, measure, first, distinct);

		least = one < least ? one : least;
	}
	return least;
}

int main(void)
{
	struct guard guard;

	for (size_t i = 0; i < VALUES; i++)
		values[i].len = (size_t)snprintf(values[i].text, sizeof values[i].text, "reserve_stock_%06zu", i);
	if (guard_init(&guard, LIMIT) < 0) {
		perror("guards");
		return EX_OSERR;
	}
	(void)pass(&guard, MEASURE_GUARD, 0, LIMIT);
	printf("{\"hash\":%.2f,\"known\":%.2f,\"refused\":%.2f}\n", fastest(&guard, MEASURE_HASH, 0, LIMIT),
	       fastest(&guard, MEASURE_GUARD, 0, LIMIT), fastest(&guard, MEASURE_GUARD, LIMIT, VALUES - LIMIT));
	guard_fini(&guard);
	return EX_OK;
}
