/* An output: where metrics go. Each kind is a small struct of functions. An output owns the packer that the translator
 * renders into and tells the fate of each cut: sent (the kernel took it) or dropped (counted with its error). With
 * `when_full: block` it keeps what it cannot send, and the agent stops reading pipes until the packer is empty again.
 *
 * No output waits: one that is away is opened again from a timer of its own, with backoff. */
#ifndef STATSIDECAR_OUTPUT_OUTPUT_H
#define STATSIDECAR_OUTPUT_OUTPUT_H

#include <event2/event.h>

#include "emit/packer.h"
#include "failure.h"
#include "settings/settings.h"
#include "translate/accounts.h"

struct output;
struct resolver;

/* The agent, as its outputs see it. */
struct output_owner {
	struct event_base *base;
	struct resolver *resolver;
	/* The loop called the output and it could send something: inputs that wait may go on. */
	void (*relieved)(struct output_owner *owner);
	/* The output will never take anything again (standard output's reader is gone). */
	void (*ended)(struct output_owner *owner, struct output *output);
};

/* What sending came to. */
enum output_result {
	OUTPUT_SENT,  /* what was to be sent is sent, or dropped with its account */
	OUTPUT_WAITS, /* full: the kernel says when it takes more */
	OUTPUT_PAUSES, /* short of memory: it may take more in a while */
	OUTPUT_AWAY,  /* it must be opened again: output_fail() has said why */
	OUTPUT_OVER,  /* it will never take anything again */
};

struct output_kind {
	/* Sets the output up; tries to open it too, but that may fail: it is no fault that nobody listens yet. -1, and why, where it
	 * can never work. */
	int (*init)(struct output *output, struct failure *failure);
	void (*fini)(struct output *output);
	/* A reload: makes room for what other settings of the same endpoint ask for, and changes nothing else; -1, and why. Then
	 * output->settings are those. NULL where there is nothing to do. */
	int (*prepare)(struct output *output, const struct output_settings *next, struct failure *failure);
	void (*adopt)(struct output *output);
	/* Tries to open it, not waiting: 0, or what output_fail() gives. Calls output_opened() as soon as it is: at once, from
	 * connected() below, or when its name is resolved. */
	int (*open)(struct output *output);
	/* The descriptor that open() left unopened is writable: as open(). NULL where that cannot be. */
	int (*connected)(struct output *output);
	/* Closes what open() opened. */
	void (*shut)(struct output *output);
	/* Sends from packer->first on. */
	enum output_result (*send)(struct output *output);
	bool opens_always; /* only what was sent shows whether it takes metrics again */
};

struct output {
	const struct output_kind *kind;
	const struct output_settings *settings;
	struct output_owner *owner;
	struct output_accounts *accounts;
	struct packer packer;
	int fd; /* -1: away */
	bool is_open;
	bool is_over;
	bool is_waiting;         /* for the kernel to take more */
	bool blocks;             /* when_full: block */
	bool was_reported;       /* the log knows that it is away */
	enum output_error fault; /* why it is away */
	int error;               /* errno of it; 0: its name has no address yet */
	uint32_t backoff_ms;     /* before the next try to open it; 0: at once */
	int64_t opened_ns;       /* when it was opened last */
	uint32_t held_metrics;   /* beyond the packer: those of a payload that is half sent */
	struct event *retry;     /* timer */
	struct event *writable;  /* of fd */
	void *state;             /* the kind's own */
};

struct output *output_new(const struct output_settings *settings, struct output_accounts *accounts,
                          struct output_owner *owner, struct failure *failure);
int output_prepare(struct output *output, const struct output_settings *next, struct failure *failure)
	__attribute__((warn_unused_result));
void output_adopt(struct output *output, const struct output_settings *settings, struct output_accounts *accounts);
/* Drops, counted, what was not sent. */
void output_free(struct output *output);

/* Sends what the packer holds; afterwards it is empty, unless the output blocks. */
void output_flush(struct output *output);
/* Whether it holds metrics that it must not drop. */
bool output_is_blocked(const struct output *output);
/* Whether it has a connection, or an address to send to or connect to. */
bool output_is_placed(const struct output *output);
/* Metrics that wait. */
uint64_t output_pending(const struct output *output);
/* From now on nothing is kept: what cannot be sent is dropped. */
void output_give_up(struct output *output);

/* ---- for the kinds ---- */

/* The cut at packer->first is done with. */
void output_sent(struct output *output, size_t bytes);
void output_drop(struct output *output, enum output_error error);
void output_count_error(struct output *output, enum output_error error);
enum output_error output_error_of(int error);
/* fd is ready to be sent to. */
void output_opened(struct output *output);
/* fd is not ready yet: connected() is called once it is. -1 (output_fail()) where it cannot be waited for. */
int output_await_connection(struct output *output) __attribute__((warn_unused_result));
/* Notes why it is away (0: unresolved); always -1. */
int output_fail(struct output *output, int error);
/* Found outside of send(): the connection broke. It is opened anew, at once the first time, then with backoff. */
void output_lost(struct output *output, int error);
/* Its name has got an address, or another one: it is opened anew at once. */
void output_moved(struct output *output);

extern const struct output_kind output_udp;
extern const struct output_kind output_unix;
extern const struct output_kind output_stdout;
extern const struct output_kind output_stream; /* tcp, unixstream */

#endif
