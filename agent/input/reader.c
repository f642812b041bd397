#include "input/reader.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	BYTES_PER_TURN = 512 * 1024, /* half a pipe of 1 MiB, then the other inputs have their turn */
};

int reader_init(struct reader *reader, int fd, bool may_block, uint32_t line_max, uint32_t read_size)
{
	*reader = (struct reader){.fd = fd, .may_block = may_block, .end = STREAM_END_OF_FILE};
	return line_stream_init(&reader->stream, 0, line_max, read_size);
}

void reader_fini(struct reader *reader)
{
	line_stream_fini(&reader->stream);
}

int reader_prepare(struct reader *reader, uint32_t line_max, const struct input *input, struct failure *failure)
{
	if (line_stream_grow(&reader->stream, line_max) == 0)
		return 0;
	return failure_set(failure, "no memory for longer lines of %s", input->settings->endpoint.url);
}

void reader_reset(struct reader *reader, int fd)
{
	struct line_stream empty = {
		.data = reader->stream.data, .size = reader->stream.size, .read_size = reader->stream.read_size};

	*reader = (struct reader){.fd = fd, .end = STREAM_END_OF_FILE, .stream = empty};
}

void reader_drain(struct reader *reader, enum stream_end end)
{
	int held = 0;

	if (ioctl(reader->fd, FIONREAD, &held) < 0 || held < 0)
		held = 0;
	reader->is_draining = true;
	reader->end = end;
	reader->left = (uint64_t)held;
}

/* True once everything in hand is translated, false where an output blocks. */
static bool reader_translate(struct reader *reader, struct input *input)
{
	struct input_owner *owner = input->owner;

	for (;;) {
		enum translate_result result;

		if (reader->is_ending)
			result = translate_stream_end(owner->translator, &reader->stream, reader->end);
		else
			result = translate_stream(owner->translator, &reader->stream);
		reader->is_stopped = result == TRANSLATE_STOPPED;
		if (!reader->is_stopped)
			return true;
		if (!owner->flush(owner))
			return false;
	}
}

static bool reader_is_readable(const struct reader *reader)
{
	struct pollfd ask = {.fd = reader->fd, .events = POLLIN};

	return !reader->may_block || poll(&ask, 1, 0) == 1;
}

static enum reader_result reader_finish(struct reader *reader, struct input *input)
{
	reader->is_ending = true;
	return reader_translate(reader, input) ? READER_END : READER_BLOCKED;
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == ENOMEM || error == ENOBUFS;
}

/* One read: bytes got, 0 at the end, -1 where there is nothing now, or it is broken (errno). */
static ssize_t reader_fill(struct reader *reader, size_t *wanted)
{
	size_t room;
	char *space = line_stream_space(&reader->stream, &room);
	ssize_t got;

	if (room > reader->stream.read_size)
		room = reader->stream.read_size;
	if (reader->is_draining && room > reader->left)
		room = (size_t)reader->left;
	*wanted = room;
	do
		got = read(reader->fd, space, room);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		line_stream_filled(&reader->stream, (size_t)got);
		if (reader->is_draining)
			reader->left -= (uint64_t)got;
	}
	/* Any other error than "not now" ends a stream as its end does: the writer is gone. */
	if (got < 0 && !is_passing(errno) && !reader->is_lasting)
		return 0;
	return got;
}

enum reader_result reader_read(struct reader *reader, struct input *input)
{
	reader->stream.input = input->index;
	if (reader->is_stopped && !reader_translate(reader, input))
		return READER_BLOCKED;
	if (reader->is_ending)
		return READER_END;
	for (size_t taken = 0; taken < BYTES_PER_TURN;) {
		size_t wanted;
		ssize_t got;

		if (reader->is_draining && reader->left == 0)
			return reader_finish(reader, input);
		if (!reader_is_readable(reader))
			return reader->is_draining ? reader_finish(reader, input) : READER_WAIT;
		got = reader_fill(reader, &wanted);
		if (got == 0 || (got < 0 && reader->is_draining))
			return reader_finish(reader, input);
		if (got < 0)
			return is_passing(errno) ? READER_WAIT : READER_BROKEN;
		taken += (size_t)got;
		if (!reader_translate(reader, input))
			return READER_BLOCKED;
		if ((size_t)got < wanted && !reader->is_draining)
			return READER_WAIT;
	}
	/* Of a pipe that is empty by now nobody would hear again. */
	return reader->is_draining && reader->left == 0 ? reader_finish(reader, input) : READER_MORE;
}
