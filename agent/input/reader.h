/* Reads a byte stream (a pipe, standard input, a connection) into lines, a bounded share a call. Embedded by the inputs
 * that own the descriptor; knows nothing of events.
 *
 *     WAIT     everything that was there is translated: wait until the descriptor is readable
 *     MORE     the share is used up, there may be more: come again at the next turn of the loop
 *     BLOCKED  an output that blocks is full: call again once it has taken something; nothing is lost or doubled
 *     BROKEN   it cannot be read (errno) and yet has not ended: to be tried again in a while
 *     END      end of file, or all that reader_drain() asked for: the rest is accounted for */
#ifndef STATSIDECAR_INPUT_READER_H
#define STATSIDECAR_INPUT_READER_H

#include "input/input.h"

enum reader_result { READER_WAIT, READER_MORE, READER_BLOCKED, READER_BROKEN, READER_END };

struct reader {
	int fd;
	bool may_block;  /* the descriptor is not in non-blocking mode: asked by poll() before each read */
	bool is_lasting; /* an error is no end: the descriptor is the agent's own, not a peer's */
	bool is_stopped; /* the translator stopped: it goes on before more is read */
	bool is_ending;  /* the end was seen: what remains of the stream is to be translated */
	bool is_draining;
	enum stream_end end;
	uint64_t left; /* while draining: bytes that were there and are still to be read */
	struct line_stream stream;
};

/* fd is borrowed; read_size: bytes of a read at most. -1 without memory. */
int reader_init(struct reader *reader, int fd, bool may_block, uint32_t line_max, uint32_t read_size)
	__attribute__((warn_unused_result));
void reader_fini(struct reader *reader);
/* For lines of up to line_max: -1 without memory, and nothing has changed. */
int reader_prepare(struct reader *reader, uint32_t line_max, const struct input *input, struct failure *failure)
	__attribute__((warn_unused_result));
/* For another stream, with the buffer that is there. */
void reader_reset(struct reader *reader, int fd);

/* Between owner->begin() and owner->flush() of input. */
enum reader_result reader_read(struct reader *reader, struct input *input);

/* From now on only the bytes that the descriptor holds now are read; then reader_read() gives READER_END. */
void reader_drain(struct reader *reader, enum stream_end end);

#endif
