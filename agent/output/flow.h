/* Sends cuts as a byte stream, for standard output, TCP and Unix streams. What the kernel took only half of is kept here
 * until the rest follows, so that no line and no frame is torn.
 *
 *     lines:  cut \n cut \n …            frames:  length (4 bytes, little-endian) cut length cut … */
#ifndef STATSIDECAR_OUTPUT_FLOW_H
#define STATSIDECAR_OUTPUT_FLOW_H

#include <sys/uio.h>

#include "output/output.h"

struct flow {
	/* Like writev(2), and never waits. */
	ssize_t (*write)(struct output *output, struct iovec *vectors, int count);
	bool is_framed;
	char *rest; /* the payload that is half sent, whole */
	size_t rest_size;
	size_t rest_len;
	size_t rest_sent;
};

/* rest gets room for the longest payload of output. -1 without memory. */
int flow_init(struct flow *flow, const struct output *output) __attribute__((warn_unused_result));
void flow_fini(struct flow *flow);
/* Room for longer payloads; -1, and why. */
int flow_prepare(struct flow *flow, const struct output_settings *next, struct failure *failure)
	__attribute__((warn_unused_result));

/* As struct output_kind's; an error of the descriptor's gives OUTPUT_AWAY. */
enum output_result flow_send(struct output *output, struct flow *flow);

/* The connection is gone in the middle of a payload. Whole lines of it are sent, since the kernel took them; the rest, or the
 * whole frame, is sent on the next connection with `block`, else it is dropped. */
void flow_break(struct output *output, struct flow *flow);

#endif
