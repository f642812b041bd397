#include "publish/publisher.h"

#include <errno.h>
#include <stdlib.h>

#include "base/span.h"
#include "publish/channel.h"
#include "publish/moment.h"

enum { RESULT_COUNT = 1 - STATSIDECAR_NO_MEMORY };

struct statsidecar {
	struct channel channel;
	_Atomic uint64_t counts[RESULT_COUNT]; /* by result, its sign taken away */
	_Atomic uint64_t shortened;
};

/* ---- results ---- */

static const char *const result_texts[RESULT_COUNT] = {
	[-STATSIDECAR_OK] = "sent",
	[-STATSIDECAR_FULL] = "the pipe or socket is full",
	[-STATSIDECAR_AWAY] = "nobody reads there",
	[-STATSIDECAR_TOO_LONG] = "the event is too long",
	[-STATSIDECAR_INVALID] =
		"no identifier: 1 to 200 bytes of A-Za-z0-9_.:/- that begin with a letter; or a field without "
		"name, or with the name event",
	[-STATSIDECAR_NO_PIPE] = "what stands at the path is no pipe",
	[-STATSIDECAR_FAILED] = "the system refused it",
	[-STATSIDECAR_BAD_URL] = "write fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or unix://@NAME",
	[-STATSIDECAR_BAD_HOST] = "write an address or localhost: host names are not looked up",
	[-STATSIDECAR_STREAM] =
		"tcp:// and unixstream:// would have to wait; write fifo:///PATH, udp://ADDRESS:PORT or "
		"unix:///PATH",
	[-STATSIDECAR_NO_MEMORY] = "no memory",
};

const char *statsidecar_result_text(int result)
{
	return result <= 0 && result > -RESULT_COUNT ? result_texts[-result] : "no result of libstatsidecar";
}

static int count(struct statsidecar *publisher, int result, uint64_t events)
{
	atomic_fetch_add_explicit(&publisher->counts[-result], events, memory_order_relaxed);
	return result;
}

uint64_t statsidecar_count(const struct statsidecar *publisher, int result)
{
	if (publisher == NULL || result > 0 || result <= -RESULT_COUNT)
		return 0;
	return atomic_load_explicit(&publisher->counts[-result], memory_order_relaxed);
}

uint64_t statsidecar_count_shortened(const struct statsidecar *publisher)
{
	return publisher == NULL ? 0 : atomic_load_explicit(&publisher->shortened, memory_order_relaxed);
}

/* ---- open, close ---- */

static int open_default(struct channel *channel)
{
	int result = statsidecar_channel_open(channel, TARGET_DEFAULT_PIPE);

	if (result == STATSIDECAR_OK && statsidecar_channel_is_open(channel))
		return result;
	return statsidecar_channel_open(channel, TARGET_DEFAULT_PORT);
}

int statsidecar_open(struct statsidecar **publisher, const char *url)
{
	int saved = errno;
	struct statsidecar *made = calloc(1, sizeof *made);
	int result = STATSIDECAR_NO_MEMORY;

	*publisher = NULL;
	if (url == NULL || *url == '\0')
		url = getenv("STATSIDECAR_TO");
	if (made != NULL && (url == NULL || *url == '\0'))
		result = open_default(&made->channel);
	else if (made != NULL)
		result = statsidecar_channel_open(&made->channel, url);
	if (result == STATSIDECAR_OK)
		*publisher = made;
	else
		free(made);
	errno = saved;
	return result;
}

void statsidecar_close(struct statsidecar *publisher)
{
	if (publisher == NULL)
		return;
	statsidecar_channel_close(&publisher->channel);
	free(publisher);
}

const char *statsidecar_url(const struct statsidecar *publisher)
{
	return publisher == NULL ? "" : publisher->channel.target.url;
}

/* ---- events ---- */

static bool is_dated(struct fields fields)
{
	static const char *const names[] = {"timestamp", "event_timestamp", "transitioned_at", "time"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (statsidecar_fields_have(fields, names[i]))
			return true;
	}
	return false;
}

/* errno stays the caller's, but where it says why. */
static int channel_send(struct statsidecar *publisher, const char *bytes, size_t len)
{
	int saved = errno;
	int result = statsidecar_channel_send(&publisher->channel, bytes, len);

	if (result != STATSIDECAR_FAILED)
		errno = saved;
	return result;
}

int statsidecar_publisher_send(struct statsidecar *publisher, const char *event, struct statsidecar_field *standard,
                               size_t standard_count, struct fields own)
{
	char line[DATAGRAM_LINE_MAX];
	struct publication publication = {event, {standard, standard_count}, own};
	bool is_shortened = false;
	size_t len;
	int result;

	if (publisher == NULL)
		return STATSIDECAR_AWAY;
	result = statsidecar_line_check(&publication);
	if (result != STATSIDECAR_OK)
		return count(publisher, result, 1);
	if (!is_dated(own))
		standard[publication.standard.count++] = statsidecar_time("timestamp", statsidecar_moment_wall_ns());
	result = statsidecar_line_write(line, publisher->channel.line_max, &publication, &len, &is_shortened);
	if (result == STATSIDECAR_OK)
		result = channel_send(publisher, line, len);
	if (result == STATSIDECAR_OK && is_shortened)
		atomic_fetch_add_explicit(&publisher->shortened, 1, memory_order_relaxed);
	return count(publisher, result, 1);
}

int statsidecar_publish_event(struct statsidecar *publisher, const char *event, const struct statsidecar_field *fields,
                              size_t count)
{
	struct statsidecar_field standard[1];

	return statsidecar_publisher_send(publisher, event, standard, 0, (struct fields){fields, count});
}

/* ---- lines ---- */

static bool is_blank(struct span line)
{
	while (line.len > 0 && (*line.at == ' ' || *line.at == '\t' || *line.at == '\r' || *line.at == '\n'))
		line = span_skip(line, 1);
	return line.len == 0;
}

/* The first line of text with its newline, where it has one. */
static struct span line_first(struct span text)
{
	const char *end = memchr(text.at, '\n', text.len);

	return end == NULL ? text : (struct span){text.at, (size_t)(end - text.at) + 1};
}

/* As many whole lines from the beginning of text as fit into max bytes, and how many events those are. */
static struct span batch_first(struct span text, size_t max, uint64_t *events)
{
	struct span batch = {text.at, 0};

	*events = 0;
	while (text.len > 0) {
		struct span line = line_first(text);

		if (batch.len + line.len > max)
			break;
		*events += !is_blank(line);
		batch.len += line.len;
		text = span_skip(text, line.len);
	}
	return batch;
}

static int lines_send(struct statsidecar *publisher, struct span lines, uint64_t events)
{
	return events == 0 ? STATSIDECAR_OK : count(publisher, channel_send(publisher, lines.at, lines.len), events);
}

/* The last line has no newline: without one a pipe's next line would be glued to it. */
static int rest_send(struct statsidecar *publisher, struct span rest)
{
	char line[DATAGRAM_LINE_MAX];

	if (is_blank(rest))
		return STATSIDECAR_OK;
	if (rest.len + 1 > publisher->channel.line_max)
		return count(publisher, STATSIDECAR_TOO_LONG, 1);
	memcpy(line, rest.at, rest.len);
	line[rest.len] = '\n';
	return lines_send(publisher, (struct span){line, rest.len + 1}, 1);
}

int statsidecar_publish_lines(struct statsidecar *publisher, const char *lines, size_t length)
{
	struct span text = {lines, length}, rest = {lines, 0};
	int first = STATSIDECAR_OK;

	if (publisher == NULL)
		return STATSIDECAR_AWAY;
	while (text.len > 0 && text.at[text.len - 1] != '\n') {
		text.len--;
		rest.len++;
	}
	rest.at = lines + text.len;
	while (text.len > 0) {
		uint64_t events;
		struct span batch = batch_first(text, publisher->channel.line_max, &events);
		int result;

		if (batch.len == 0) {
			batch = line_first(text);
			result = is_blank(batch) ? STATSIDECAR_OK : count(publisher, STATSIDECAR_TOO_LONG, 1);
		} else {
			result = lines_send(publisher, batch, events);
		}
		if (first == STATSIDECAR_OK)
			first = result;
		text = span_skip(text, batch.len);
	}
	if (rest.len > 0) {
		int result = rest_send(publisher, rest);

		if (first == STATSIDECAR_OK)
			first = result;
	}
	return first;
}
