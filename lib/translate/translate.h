/* The whole way of a line, in one call: bytes -> line -> event -> identifier -> payload -> rule -> metrics ->
 * datagrams. Nothing is held back when a call returns but what the packers have not sent, and nothing is allocated.
 *
 * A translator belongs to one immutable mapping and writes into one accounts struct and one packer per output; it borrows
 * all of them. Time comes in by translator_set_time() at each wake-up. */
#ifndef STATSIDECAR_TRANSLATE_TRANSLATE_H
#define STATSIDECAR_TRANSLATE_TRANSLATE_H

#include "emit/own.h"
#include "emit/packer.h"
#include "map/mapping.h"
#include "translate/accounts.h"

struct translator;
struct tally;
struct trace;

struct moment {
	int64_t realtime_ns;  /* since the Unix epoch */
	int64_t monotonic_ns;
};

/* A byte stream on its way to lines: a pipe, standard input, a connection. data has SCAN_PAD bytes before and behind. What
 * stands at start .. end has been read and not yet translated. */
struct line_stream {
	char *data;
	uint32_t size; /* without the padding: limits.line + one read */
	uint32_t read_size; /* bytes of a read at most */
	uint32_t start;
	uint32_t end;
	uint32_t whole;    /* behind the last newline that was seen */
	uint32_t checked;  /* up to here newlines have been looked for */
	uint16_t input;    /* index of the input in mapping and accounts */
	bool is_pausable;  /* a pipe or standard input: an output that blocks may stop it between two events */
	bool is_skipping;  /* inside a line that was too long: up to its newline nothing counts */
	bool is_in_batch;  /* start stands between two elements of a JSON array that is valid as a whole */
};

enum translate_result {
	TRANSLATE_DONE,    /* all whole lines are translated */
	TRANSLATE_STOPPED, /* an output that blocks is full: call again once it has taken something */
};

/* What watches: all may be NULL. Called while translating; must neither keep the spans nor call back. */
struct translate_observer {
	void *context;
	/* A line that is no event: outcome unnamed, malformed or oversize; why is a static text, column counts bytes from 1
	 * (0: the line as a whole). For oversize the line is what was read of it. */
	void (*rejected)(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why, uint32_t column);
	/* Guard reports: `tag` or NULL for names; called once per key. */
	void (*limited)(void *context, struct span tag, uint32_t limit);
};

/* NULL only without memory. packers: one for each output of the mapping, in its order. */
struct translator *translator_new(const struct mapping *mapping, struct accounts *accounts, struct packer *const *packers,
                                  const struct translate_observer *observer);
void translator_free(struct translator *translator);

/* After a reload: guards, the entities of lifecycles that stayed the same, and the place in sampling go over from the old
 * translator, which is then only good to be freed. Both mappings were compiled with one key. */
void translator_inherit(struct translator *to, struct translator *from);

/* Sampling begins with this seed; until it is set (and with 0) every metric is emitted. */
void translator_set_seed(struct translator *translator, uint64_t seed);

/* Who watches each step (translate/trace.h), or NULL; borrowed. */
void translator_set_trace(struct translator *translator, const struct trace *trace);

/* Where identifiers are counted (translate/tally.h), or NULL; borrowed. */
void translator_set_tally(struct translator *translator, struct tally *tally);

void translator_set_time(struct translator *translator, struct moment now);

/* limits.line + read_size bytes are set aside; -1 without memory. */
int line_stream_init(struct line_stream *stream, uint16_t input, uint32_t line_max, uint32_t read_size)
	__attribute__((warn_unused_result));
void line_stream_fini(struct line_stream *stream);
/* Bytes that a stream takes. */
size_t line_stream_memory(uint32_t line_max, uint32_t read_size);
/* After a reload with a larger limits.line: -1 without memory, and nothing has changed. */
int line_stream_grow(struct line_stream *stream, uint32_t line_max) __attribute__((warn_unused_result));
/* Where the next read goes, and how much (never less than read_size): moves an unfinished line to the front where it must. Call only after
 * translate_stream() returned TRANSLATE_DONE. */
char *line_stream_space(struct line_stream *stream, size_t *room);
/* n bytes have been read there. */
static inline void line_stream_filled(struct line_stream *stream, size_t n)
{
	stream->end += (uint32_t)n;
}
/* Whether an unfinished line is held. */
static inline bool line_stream_has_rest(const struct line_stream *stream)
{
	return stream->start != stream->end;
}

/* Translates every whole line that the stream holds. */
enum translate_result translate_stream(struct translator *translator, struct line_stream *stream);

/* What an end does to the unterminated rest: at end of file and of a connection it counts as a line; at shutdown a pipe's
 * rest is one malformed event. */
enum stream_end { STREAM_END_OF_FILE, STREAM_END_OF_AGENT };
enum translate_result translate_stream_end(struct translator *translator, struct line_stream *stream, enum stream_end end);

/* One datagram: lines, the last of which needs no newline. data has SCAN_PAD writable bytes before and behind. Never
 * stops: what an output that blocks cannot take is dropped and counted. */
void translate_datagram(struct translator *translator, uint16_t input, char *data, uint32_t len);

/* One that is longer than DATAGRAM_MAX: one event, oversize; start is what was read of it. */
void translate_cut_datagram(struct translator *translator, uint16_t input, struct span start);

/* What lifecycles do by themselves: forget entities, report stuck ones. To be called translator_timer_ms() milliseconds after
 * the last event or call, at the latest; -1: there is nothing to wait for. */
void translator_run_timers(struct translator *translator);
int64_t translator_timer_ms(struct translator *translator);
/* Whether an event has come since translator_timer_ms() was asked that cannot wait so long: it is to be asked again. */
bool translator_is_due_sooner(const struct translator *translator);

/* A metric of the agent's own, for the outputs whose bits are set: made and counted like any other, but where an output that
 * blocks is full it is dropped. */
void translator_make_own(struct translator *translator, const struct own_metric *metric, uint32_t outputs);

/* Brings what the accounts say of lifecycles up to date: before they are read. */
void translator_refresh(struct translator *translator);

/* Bytes that a translator of this mapping takes at most: plans, guards, buffers. */
size_t translator_memory(const struct mapping *mapping);

/* Whether an output that blocks holds what it could not send: inputs that can wait must not be read. */
bool translator_is_blocked(const struct translator *translator);

#endif
