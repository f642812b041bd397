#include "output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

enum {
	BACKOFF_FIRST_MS = 25,
	BACKOFF_LAST_MS = 1000,
	/* A connection that broke earlier was none: whoever takes connections for a receiver that is away closes them at once. */
	LASTING_MS = 100,
	/* While it waits for the kernel's word: not every kernel says it for every kind of socket. */
	WAIT_AT_MOST_MS = 100,
	PAUSE_MS = 5,
	CONNECT_MS = 5000,
};

static const struct output_kind *const kinds[] = {
	[TRANSPORT_UDP] = &output_udp,       [TRANSPORT_UNIX] = &output_unix,     [TRANSPORT_TCP] = &output_stream,
	[TRANSPORT_UNIXSTREAM] = &output_stream, [TRANSPORT_STDOUT] = &output_stdout, [TRANSPORT_FIFO] = NULL,
	[TRANSPORT_STDIN] = NULL,
};

enum output_error output_error_of(int error)
{
	switch (error) {
	case EAGAIN:
		return OUTPUT_ERROR_FULL;
	case ENOBUFS:
	case ENOMEM:
		return OUTPUT_ERROR_NO_BUFFERS;
	case EMSGSIZE:
		return OUTPUT_ERROR_TOO_LONG;
	case ECONNREFUSED:
		return OUTPUT_ERROR_REFUSED;
	case ENOENT:
		return OUTPUT_ERROR_ABSENT;
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return OUTPUT_ERROR_CLOSED;
	default:
		return OUTPUT_ERROR_OTHER;
	}
}

void output_count_error(struct output *output, enum output_error error)
{
	output->accounts->errors[error]++;
}

void output_sent(struct output *output, size_t bytes)
{
	struct packer *packer = &output->packer;

	output->accounts->sent += packer->cuts[packer->first].metrics;
	output->accounts->bytes += bytes;
	output->accounts->datagrams++;
	packer_take(packer);
}

void output_drop(struct output *output, enum output_error error)
{
	struct packer *packer = &output->packer;

	output->accounts->dropped += packer->cuts[packer->first].metrics;
	output_count_error(output, error);
	packer_take(packer);
}

static void output_drop_all(struct output *output, enum output_error error)
{
	while (!packer_empty(&output->packer))
		output_drop(output, error);
}

static int output_after(struct event *event, uint32_t delay_ms)
{
	struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = (suseconds_t)(delay_ms % 1000) * 1000};

	return event_add(event, &delay);
}

static void output_report_away(struct output *output)
{
	static struct log_limit limit = LOG_LIMIT("outputs away");

	if (output->was_reported)
		return;
	output->was_reported = true;
	log_limited(&limit, LOG_LEVEL_WARN, "output %s is away: %s; trying again, meanwhile %s", output->settings->label,
	            output->error != 0 ? strerror(output->error) : "its name has no address yet",
	            output->blocks ? "pipes are not read" : "its metrics are dropped and counted");
}

static void output_shut(struct output *output)
{
	event_del(output->writable);
	output->is_open = false;
	output->is_waiting = false;
	output->accounts->is_up = false;
	output->kind->shut(output);
}

static void output_report_back(struct output *output)
{
	static struct log_limit limit = LOG_LIMIT("outputs back");

	if (output->was_reported)
		log_limited(&limit, LOG_LEVEL_INFO, "output %s takes metrics", output->settings->label);
	output->was_reported = false;
}

void output_opened(struct output *output)
{
	struct event_base *base = output->owner->base;

	if (!output->kind->opens_always)
		output_report_back(output);
	output->is_open = true;
	output->opened_ns = clock_monotonic_ns();
	output->accounts->is_up = true;
	event_del(output->writable);
	event_assign(output->writable, base, output->fd, EV_WRITE, event_get_callback(output->writable), output);
}

int output_await_connection(struct output *output)
{
	event_assign(output->writable, output->owner->base, output->fd, EV_WRITE, event_get_callback(output->writable),
	             output);
	return output_after(output->writable, CONNECT_MS) == 0 ? 0 : output_fail(output, errno);
}

/* Longer and longer. */
static void output_back_off(struct output *output)
{
	output_report_away(output);
	output->backoff_ms = output->backoff_ms == 0 ? BACKOFF_FIRST_MS : output->backoff_ms * 2;
	if (output->backoff_ms > BACKOFF_LAST_MS)
		output->backoff_ms = BACKOFF_LAST_MS;
	(void)output_after(output->retry, output->backoff_ms);
}

/* Tries once; the next try is planned where it failed. */
static void output_try(struct output *output, int (*attempt)(struct output *output))
{
	if (attempt(output) == 0)
		return;
	output_shut(output);
	output_back_off(output);
}

/* What it was connected to is gone. A receiver that was started anew may be there already; where it is not, or the next
 * send fails too, wait. */
static void output_reopen(struct output *output)
{
	if (output->is_open && clock_monotonic_ns() - output->opened_ns >= LASTING_MS * INT64_C(1000000))
		output->backoff_ms = 0;
	output_shut(output);
	event_del(output->retry);
	if (output->backoff_ms > 0) {
		output_back_off(output);
		return;
	}
	output->backoff_ms = BACKOFF_FIRST_MS;
	output_try(output, output->kind->open);
}

void output_moved(struct output *output)
{
	output->backoff_ms = 0;
	output_reopen(output);
	output_flush(output);
	output->owner->relieved(output->owner);
}

void output_lost(struct output *output, int error)
{
	output_fail(output, error);
	output_count_error(output, output->fault);
	output_reopen(output);
}

int output_fail(struct output *output, int error)
{
	output->error = error;
	output->fault = error == 0 ? OUTPUT_ERROR_UNRESOLVED : output_error_of(error);
	return -1;
}

static void output_end(struct output *output)
{
	output_shut(output);
	output->is_over = true;
	output->accounts->dropped += output->held_metrics;
	output->held_metrics = 0;
	output->owner->ended(output->owner, output);
}

/* Sends until the packer is empty or nothing goes any more. */
static void output_send(struct output *output)
{
	while (output->is_open && !output->is_waiting && (!packer_empty(&output->packer) || output->held_metrics > 0)) {
		switch (output->kind->send(output)) {
		case OUTPUT_SENT:
			output_report_back(output);
			return;
		case OUTPUT_WAITS:
			output->is_waiting = true;
			/* A timer alone never fails: its memory is there (agent.c). */
			if (output_after(output->writable, WAIT_AT_MOST_MS) < 0)
				(void)output_after(output->retry, PAUSE_MS);
			return;
		case OUTPUT_PAUSES:
			output->is_waiting = true;
			(void)output_after(output->retry, PAUSE_MS);
			return;
		case OUTPUT_AWAY:
			output_count_error(output, output->fault);
			output_reopen(output);
			break;
		case OUTPUT_OVER:
			output_end(output);
			break;
		}
	}
}

void output_flush(struct output *output)
{
	output_send(output);
	if (output->is_over || !output->blocks)
		output_drop_all(output, output->is_open ? OUTPUT_ERROR_FULL : output->fault);
}

static void output_flush_packer(struct packer *packer, void *context)
{
	(void)packer;
	output_flush(context);
}

static void output_on_writable(evutil_socket_t fd, short what, void *context)
{
	struct output *output = context;

	(void)fd;
	(void)what;
	if (!output->is_open)
		output_try(output, output->kind->connected);
	output->is_waiting = false;
	output_flush(output);
	output->owner->relieved(output->owner);
}

static void output_on_retry(evutil_socket_t fd, short what, void *context)
{
	struct output *output = context;

	(void)fd;
	(void)what;
	if (!output->is_open)
		output_try(output, output->kind->open);
	output->is_waiting = false;
	output_flush(output);
	output->owner->relieved(output->owner);
}

bool output_is_blocked(const struct output *output)
{
	return output->blocks && !output->is_over && !packer_empty(&output->packer);
}

bool output_is_placed(const struct output *output)
{
	enum transport transport = output->settings->endpoint.transport;
	bool has_address = transport == TRANSPORT_UDP || transport == TRANSPORT_TCP;

	return output->is_open || (has_address && output->fault != OUTPUT_ERROR_UNRESOLVED);
}

uint64_t output_pending(const struct output *output)
{
	return (uint64_t)packer_pending(&output->packer) + output->held_metrics;
}

void output_give_up(struct output *output)
{
	output->blocks = false;
	output_flush(output);
	output->accounts->dropped += output->held_metrics;
	output->held_metrics = 0;
}

static void output_set_form(struct output *output)
{
	output->blocks = output->settings->when_full == WHEN_FULL_BLOCK;
	output->packer.keep = output->blocks ? 1 : PACKER_CUTS;
	output->packer.max_datagram = output->settings->max_datagram;
}

int output_prepare(struct output *output, const struct output_settings *next, struct failure *failure)
{
	return output->kind->prepare == NULL ? 0 : output->kind->prepare(output, next, failure);
}

void output_adopt(struct output *output, const struct output_settings *settings, struct output_accounts *accounts)
{
	output->settings = settings;
	output->accounts = accounts;
	output_set_form(output);
	if (output->kind->adopt != NULL)
		output->kind->adopt(output);
}

static int output_init(struct output *output, struct failure *failure)
{
	const char *url = output->settings->endpoint.url;

	if (packer_init(&output->packer, output->settings->max_datagram) < 0)
		return failure_set(failure, "no memory for the buffer of %s", url);
	output_set_form(output);
	output->packer.flush = output_flush_packer;
	output->packer.context = output;
	output->retry = evtimer_new(output->owner->base, output_on_retry, output);
	output->writable = event_new(output->owner->base, -1, EV_WRITE, output_on_writable, output);
	if (output->retry == NULL || output->writable == NULL)
		return failure_set(failure, "no memory for the events of %s", url);
	return output->kind->init(output, failure);
}

static void output_release(struct output *output)
{
	if (output->retry != NULL)
		event_free(output->retry);
	if (output->writable != NULL)
		event_free(output->writable);
	packer_fini(&output->packer);
	free(output);
}

struct output *output_new(const struct output_settings *settings, struct output_accounts *accounts,
                          struct output_owner *owner, struct failure *failure)
{
	const struct output_kind *kind = kinds[settings->endpoint.transport];
	struct output *output;

	if (kind == NULL) {
		failure_set(failure, "nothing can be sent to %s", settings->endpoint.url);
		return NULL;
	}
	output = calloc(1, sizeof *output);
	if (output == NULL) {
		failure_set(failure, "no memory for %s", settings->endpoint.url);
		return NULL;
	}
	output->kind = kind;
	output->settings = settings;
	output->accounts = accounts;
	output->owner = owner;
	output->fd = -1;
	if (output_init(output, failure) < 0) {
		output_release(output);
		return NULL;
	}
	output_try(output, kind->open);
	return output;
}

void output_free(struct output *output)
{
	if (output == NULL)
		return;
	output_give_up(output);
	output_shut(output);
	output->kind->fini(output);
	output_release(output);
}
