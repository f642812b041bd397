#define _GNU_SOURCE /* memrchr */
#include "output/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_HEAD = 4 };

/* One thread, and nothing stays in them between two calls. */
static struct iovec vectors[2 * PACKER_CUTS];
static unsigned char heads[PACKER_CUTS][FRAME_HEAD];

static size_t flow_rest_size(const struct output_settings *settings)
{
	size_t longest = settings->max_datagram > LINE_OUT_MAX ? settings->max_datagram : LINE_OUT_MAX;

	return longest + FRAME_HEAD + 1;
}

int flow_init(struct flow *flow, const struct output *output)
{
	flow->rest_size = flow_rest_size(output->settings);
	flow->rest = malloc(flow->rest_size);
	flow->rest_len = 0;
	flow->rest_sent = 0;
	return flow->rest == NULL ? -1 : 0;
}

int flow_prepare(struct flow *flow, const struct output_settings *next, struct failure *failure)
{
	size_t size = flow_rest_size(next);
	char *grown;

	if (size <= flow->rest_size)
		return 0;
	grown = realloc(flow->rest, size);
	if (grown == NULL)
		return failure_set(failure, "no memory for the buffer of %s", next->endpoint.url);
	flow->rest = grown;
	flow->rest_size = size;
	return 0;
}

void flow_fini(struct flow *flow)
{
	free(flow->rest);
}

static void frame_head_write(unsigned char *head, uint32_t len)
{
	for (int i = 0; i < FRAME_HEAD; i++)
		head[i] = (unsigned char)(len >> (8 * i));
}

/* Bytes that a cut becomes in the stream. */
static size_t flow_size(const struct flow *flow, const struct cut *cut)
{
	return flow->is_framed ? FRAME_HEAD + (size_t)cut->len : (size_t)cut->len + 1;
}

static int flow_gather(const struct flow *flow, const struct packer *packer)
{
	int count = 0;

	for (uint32_t i = packer->first; i < packer->count; i++) {
		const struct cut *cut = &packer->cuts[i];
		char *at = packer->buffer + cut->at;

		if (flow->is_framed) {
			frame_head_write(heads[i], cut->len);
			vectors[count++] = (struct iovec){heads[i], FRAME_HEAD};
			vectors[count++] = (struct iovec){at, cut->len};
		} else {
			/* A newline stands behind every cut. */
			vectors[count++] = (struct iovec){at, (size_t)cut->len + 1};
		}
	}
	return count;
}

/* The first cut went out but for its last bytes: it moves into rest. */
static void flow_keep_rest(struct output *output, struct flow *flow, size_t sent)
{
	struct packer *packer = &output->packer;
	const struct cut *cut = &packer->cuts[packer->first];
	char *out = flow->rest;

	if (flow->is_framed) {
		frame_head_write((unsigned char *)out, cut->len);
		out += FRAME_HEAD;
	}
	memcpy(out, packer->buffer + cut->at, cut->len);
	if (!flow->is_framed)
		out[cut->len] = '\n';
	flow->rest_len = flow_size(flow, cut);
	flow->rest_sent = sent;
	output->held_metrics = cut->metrics;
	packer_take(packer);
}

static void flow_account(struct output *output, struct flow *flow, size_t written)
{
	const struct packer *packer = &output->packer;

	while (written > 0) {
		size_t size = flow_size(flow, &packer->cuts[packer->first]);

		if (written < size) {
			flow_keep_rest(output, flow, written);
			return;
		}
		written -= size;
		output_sent(output, size);
	}
}

static enum output_result flow_judge(struct output *output)
{
	switch (errno) {
	case EAGAIN:
		return OUTPUT_WAITS;
	case ENOBUFS:
	case ENOMEM:
		return OUTPUT_PAUSES;
	default:
		output_fail(output, errno);
		return OUTPUT_AWAY;
	}
}

static enum output_result flow_send_rest(struct output *output, struct flow *flow)
{
	while (flow->rest_sent < flow->rest_len) {
		struct iovec vector = {flow->rest + flow->rest_sent, flow->rest_len - flow->rest_sent};
		ssize_t written = flow->write(output, &vector, 1);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return flow_judge(output);
		flow->rest_sent += (size_t)written;
	}
	output->accounts->sent += output->held_metrics;
	output->accounts->bytes += flow->rest_len;
	output->accounts->datagrams++;
	output->held_metrics = 0;
	flow->rest_len = 0;
	flow->rest_sent = 0;
	return OUTPUT_SENT;
}

enum output_result flow_send(struct output *output, struct flow *flow)
{
	for (;;) {
		enum output_result result = flow->rest_len > 0 ? flow_send_rest(output, flow) : OUTPUT_SENT;
		ssize_t written;

		if (result != OUTPUT_SENT)
			return result;
		if (packer_empty(&output->packer))
			return OUTPUT_SENT;
		written = flow->write(output, vectors, flow_gather(flow, &output->packer));
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return flow_judge(output);
		flow_account(output, flow, (size_t)written);
	}
}

/* How much of the half-sent payload a receiver can read: its whole lines, but nothing of a frame. */
static size_t flow_arrived(const struct flow *flow)
{
	const char *last = flow->is_framed ? NULL : memrchr(flow->rest, '\n', flow->rest_sent);

	return last == NULL ? 0 : (size_t)(last - flow->rest) + 1;
}

static uint32_t count_lines(const char *at, size_t len)
{
	uint32_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += at[i] == '\n';
	return count;
}

void flow_break(struct output *output, struct flow *flow)
{
	size_t arrived = flow_arrived(flow);
	uint32_t lines = count_lines(flow->rest, arrived);
	uint32_t sent;

	if (flow->rest_len == 0)
		return;
	/* A negative gauge is two lines, and the last metric is not whole. */
	sent = lines < output->held_metrics ? lines : output->held_metrics - 1;
	output->accounts->sent += sent;
	output->accounts->bytes += arrived;
	output->held_metrics -= sent;
	flow->rest_sent = 0;
	if (output->blocks) {
		flow->rest_len -= arrived;
		memmove(flow->rest, flow->rest + arrived, flow->rest_len);
		return;
	}
	output->accounts->dropped += output->held_metrics;
	output->held_metrics = 0;
	flow->rest_len = 0;
}
