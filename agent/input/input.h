/* An input: where events come in. Each kind is a small struct of functions; the agent knows no more of it. An input
 * reads a bounded share at each wake-up, translates it at once and has everything sent before it returns to the loop.
 *
 * The settings are borrowed: they must outlive the input, or be replaced by input_adopt(). */
#ifndef STATSIDECAR_INPUT_INPUT_H
#define STATSIDECAR_INPUT_INPUT_H

#include <event2/event.h>

#include "failure.h"
#include "settings/settings.h"
#include "translate/translate.h"

struct input;

/* Whether another socket may be bound to the same port, at an address that overlaps: while a reload opens an input in the
 * place of one that it removes. */
enum port_use { PORT_ALONE, PORT_SHARED };

/* The agent, as its inputs see it. */
struct input_owner {
	struct event_base *base;
	struct translator *translator; /* the one in force: a reload swaps it */
	uint32_t line_max;             /* limits.line */
	enum port_use port_use;        /* of inputs that are opened now */
	int64_t began_ns;              /* when the present wake-up began, by the monotonic clock */
	/* A wake-up begins: the time is taken. */
	void (*begin)(struct input_owner *owner);
	/* Sends everything that was made; false where an output that blocks still holds something. Inputs that can wait are paused
	 * when it returns false. */
	bool (*flush)(struct input_owner *owner);
	/* The input's descriptor could not be watched (no memory), or read: input_watch() is to be called in a while. */
	void (*unwatched)(struct input_owner *owner);
	/* The input will deliver no more: end of file, or it is drained. */
	void (*ended)(struct input_owner *owner, struct input *input);
};

struct input_kind {
	/* NULL, and why. Nothing is read before start(). */
	struct input *(*open)(const struct input_settings *settings, struct input_owner *owner, struct failure *failure);
	/* Has the loop watch what events come in by; once more where that failed (-1). */
	int (*start)(struct input *input);
	/* A reload: makes room for what other settings of the same endpoint and lines of line_max ask for, and changes nothing else;
	 * -1, and why. Then, once the reload cannot fail any more, input->settings are those, and what can change while it is open
	 * changes. */
	int (*prepare)(struct input *input, const struct input_settings *next, uint32_t line_max, struct failure *failure);
	void (*adopt)(struct input *input, const struct input_settings *old);
	/* Releases everything, what the unfinished lines count as included: begin() has been called, flush() follows. */
	void (*close)(struct input *input);
	/* Whether what was opened still stands where its URL leads: a pipe or socket in the file system may have been removed, or
	 * replaced. NULL where that cannot be. */
	bool (*is_in_place)(const struct input *input);
	/* Changes the use of its port; NULL where it has none. */
	void (*use_port)(struct input *input, enum port_use use);
	/* Takes away what opening has made besides; NULL where that is nothing. close() follows. */
	void (*undo)(struct input *input);
	/* Stops and starts reading; NULL for those that cannot make their writers wait. Each pause is followed by one resume. */
	void (*pause)(struct input *input);
	void (*resume)(struct input *input);
	/* The agent is to end: reads on what is there now, and no more, over as many wake-ups as that takes, then ended(). */
	void (*drain)(struct input *input);
	/* Brings the count of kernel drops up to date; NULL where there are none. */
	void (*refresh)(struct input *input);
};

struct input {
	const struct input_kind *kind;
	const struct input_settings *settings;
	struct input_owner *owner;
	struct input_accounts *accounts;
	uint16_t index; /* in mapping and accounts */
	bool is_paused;
	bool is_ended;
	bool is_unwatched; /* to be started again */
};

/* Opens what settings describe; NULL, and why. */
struct input *input_open(const struct input_settings *settings, uint16_t index, struct input_accounts *accounts,
                         struct input_owner *owner, struct failure *failure);
void input_start(struct input *input);
/* Starts it again, if need be. */
void input_watch(struct input *input);
int input_prepare(struct input *input, const struct input_settings *next, uint32_t line_max, struct failure *failure)
	__attribute__((warn_unused_result));
void input_adopt(struct input *input, const struct input_settings *settings, uint16_t index,
                 struct input_accounts *accounts);
bool input_is_in_place(const struct input *input);
void input_use_port(struct input *input, enum port_use use);
void input_close(struct input *input);
/* As if it had never been opened: it was not started, and the reload that it was for has failed. */
void input_discard(struct input *input);
void input_pause(struct input *input);
void input_resume(struct input *input);
void input_drain(struct input *input);
void input_refresh(struct input *input);

/* For the kinds: fills in the common part. The agent sets index and accounts before the loop runs. */
void input_init(struct input *input, const struct input_kind *kind, const struct input_settings *settings,
                struct input_owner *owner);
/* For the kinds: what came of event_add(); of a failure (errno) the owner hears. */
void input_watched(struct input *input, int result);
/* For the kinds: tells the owner once. */
void input_end(struct input *input);

extern const struct input_kind input_fifo;
extern const struct input_kind input_stdin;
extern const struct input_kind input_datagram; /* udp, unix */
extern const struct input_kind input_stream;   /* tcp, unixstream */

/* Bytes that all datagram inputs take together. */
size_t input_datagram_memory(void);

#endif
