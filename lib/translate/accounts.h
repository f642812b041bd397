/* What was counted. One struct for the whole agent, written by the translator, the inputs and the outputs, read by
 * whoever reports it. Everything only grows, but `pending`.
 *
 * Balance, at every reading: removed_received + sum of inputs[i].received == sum of outcomes; and per output
 * made == sent + dropped + filtered + sampled_out + pending. */
#ifndef STATSIDECAR_TRANSLATE_ACCOUNTS_H
#define STATSIDECAR_TRANSLATE_ACCOUNTS_H

#include <stdint.h>

#include "base/bounds.h"
#include "map/entities.h"
#include "map/mapping.h"

/* Why a metric of a rule that matched was not made. */
enum skip {
	SKIP_ABSENT,
	SKIP_NOT_A_NUMBER,
	SKIP_NEGATIVE,
	SKIP_NAME, /* the name's template has an absent field or gives nothing */
	SKIP_COUNT,
};

/* Why an output lost metrics, or could not be used. */
enum output_error {
	OUTPUT_ERROR_FULL,       /* EAGAIN: the receiver's buffer is full */
	OUTPUT_ERROR_NO_BUFFERS, /* ENOBUFS, ENOMEM */
	OUTPUT_ERROR_TOO_LONG,   /* a line beyond LINE_OUT_MAX, or EMSGSIZE */
	OUTPUT_ERROR_REFUSED,    /* ECONNREFUSED */
	OUTPUT_ERROR_ABSENT,     /* ENOENT: no socket there */
	OUTPUT_ERROR_UNRESOLVED, /* the name has no address yet */
	OUTPUT_ERROR_CLOSED,     /* EPIPE, ECONNRESET, ENOTCONN: the receiver went away */
	OUTPUT_ERROR_OTHER,
	OUTPUT_ERROR_COUNT,
};

extern const char *const skip_names[SKIP_COUNT];
extern const char *const output_error_names[OUTPUT_ERROR_COUNT];

struct input_accounts {
	uint64_t received;     /* events: a line is one, a batch one per element, a broken batch one */
	uint64_t kernel_drops; /* datagrams the kernel dropped before they were read */
	uint64_t refused;      /* datagrams or connections from senders that are not allowed, or beyond max_connections */
};

struct output_accounts {
	uint64_t made;
	uint64_t sent; /* the kernel took it */
	uint64_t dropped;
	uint64_t filtered;
	uint64_t sampled_out;
	uint64_t pending;
	uint64_t bytes;
	uint64_t datagrams;
	uint64_t errors[OUTPUT_ERROR_COUNT];
	bool is_up;
};

struct lifecycle_accounts {
	uint32_t entities[ENTITY_STATES_MAX]; /* by state; with the two below it is brought up to date by translator_refresh() */
	uint64_t evicted;
	uint64_t expired;
	uint64_t invalid_transitions;
};

struct accounts {
	struct input_accounts inputs[INPUTS_MAX];
	struct output_accounts outputs[OUTPUTS_MAX];
	uint64_t removed_received; /* by inputs that a reload has removed */
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t unknown; /* events that are not in the catalogue */
	uint64_t skipped[SKIP_COUNT];
	uint64_t names_limited;
	struct lifecycle_accounts lifecycles[LIFECYCLES_MAX];
	/* Sized and numbered by the mapping that is in force (map/mapping.h): rules (by rule->account), expectations, legacy names,
	 * tag keys. */
	uint64_t *rule_matches;
	uint64_t *payload_missing;
	uint64_t *legacy;
	uint64_t *values_limited;
};

/* All zero, with room for what the mapping numbers. -1 without memory. */
int accounts_init(struct accounts *accounts, const struct mapping *mapping) __attribute__((warn_unused_result));
void accounts_fini(struct accounts *accounts);
/* After a reload: `to`, which was initialised for mapping, goes on counting where `from` stood. Inputs and outputs are the
 * caller's to move, since only he knows which stayed; the events of an input that went belong to removed_received. */
void accounts_inherit(struct accounts *to, const struct mapping *mapping, const struct accounts *from,
                      const struct mapping *old);

#endif
