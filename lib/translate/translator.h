/* Inside lib/translate only: a translator's parts, and what its floors call of each other.
 *
 *     stream.c      bytes -> lines
 *     translate.c   line -> event -> identifier
 *     moves.c       identifier -> lifecycles: what moved, and the events that follow from it
 *     make.c        rules -> metrics -> datagrams
 *     own.c         what the agent says of itself -> datagrams
 */
#ifndef STATSIDECAR_TRANSLATE_TRANSLATOR_H
#define STATSIDECAR_TRANSLATE_TRANSLATOR_H

#include "decode/scan.h"
#include "map/lifecycle.h"
#include "translate/plan.h"
#include "translate/trace.h"
#include "translate/translate.h"

/* Where the last event had its identifier: producers mostly put it there again. */
struct name_place {
	uint32_t at; /* from the line's beginning; UINT32_MAX: nowhere */
	char end;    /* what stood behind it */
};

struct translator {
	const struct mapping *mapping;
	struct accounts *accounts;
	struct packer *const *packers;
	struct translate_observer observer;
	const struct trace *trace;
	struct tally *tally;
	struct lifecycle_event event;
	struct subject subject;
	struct renderer renderer;
	struct plans plans;
	struct scan scan;
	uint32_t line_size;   /* of the longest line that can be indexed */
	struct name_place name_place;
	char *value_text;
	uint64_t random;
	struct moment now;
	uint16_t input;       /* that the present event comes from */
	const struct input_form *form; /* the input's */
	struct entities *entities[LIFECYCLES_MAX];
	struct plan_metric in_flight[LIFECYCLES_MAX];
	uint16_t owed_gauges; /* of these, one bit each: they began anew with a reload, which nobody has been told */
	int64_t timer_at_ms;  /* up to when translator_timer_ms() let its caller wait */
	bool is_due_sooner;   /* an event since then has something for an earlier time */
	struct lifecycle_move moves[LIFECYCLES_MAX]; /* of the present event */
	uint16_t move_count;
	char state_duration[TIMESTAMP_SECONDS_MAX + SCAN_PAD];
	bool may_overfill;    /* it comes from an input that stops between events: what it makes is held, never dropped */
};

/* An output that blocks and could not send the datagram before the open one. */
static inline bool packer_is_blocked(const struct packer *packer)
{
	return packer->keep == 1 && packer->count - packer->first > 1;
}

/* Where the next events come from. may_overfill: the input stops where an output blocks. */
static inline void translator_begin_input(struct translator *translator, uint16_t input, bool may_overfill)
{
	translator->input = input;
	translator->form = &translator->mapping->inputs[input];
	translator->may_overfill = may_overfill;
}

/* One line of a text that was indexed: text[end] is its newline. */
struct line {
	const char *text;
	const uint32_t *mark; /* its first */
	uint32_t start;
	uint32_t end;
};

/* translate.c: returns the offset up to which the line is done: its end, or less where a batch was stopped. */
uint32_t translate_line(struct translator *translator, const struct line *line);
/* The line, its newline included, comes next: its plan is fetched meanwhile. */
void translate_foresee(struct translator *translator, struct span line);
/* What is left of a batch that was stopped: from behind an element on. */
uint32_t translate_batch_rest(struct translator *translator, const struct line *line);
void translate_reject(struct translator *translator, enum outcome outcome, struct span line, const char *why, uint32_t column);

/* make.c: room for a line where an output packs its datagrams, NULL where it holds too much; and what was written there. Both
 * count what is dropped. */
char *make_reserve(struct translator *translator, uint16_t output);
enum line_fate make_commit(struct translator *translator, uint16_t output, size_t len, struct span *line);

/* make.c: what the rules of a plan make of the subject; and one metric with a value that is known. */
enum outcome make_metrics(struct translator *translator, struct plan *plan);
void make_gauge(struct translator *translator, struct plan_metric *plan, uint64_t value);

/* moves.c: before the rules see the event, after them, and after the event. */
void moves_begin(struct translator *translator, const struct plan *plan);
void moves_make_gauges(struct translator *translator);
void moves_end(struct translator *translator);

#endif
