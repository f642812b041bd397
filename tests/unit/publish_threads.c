/* Eight threads publish through one publisher while the agent's end of the pipe comes, goes and is replaced. TAP.
 * tests/e2e/library_test.py builds it once more with ThreadSanitizer. */
#define _GNU_SOURCE /* memmem() */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish/statsidecar.h"

enum { THREADS = 8, EVENTS = 20000, READERS_MAX = 64, PIECE = 65536 };

static char directory[] = "/tmp/statsidecar-XXXXXX", path[64], url[96];
static struct statsidecar *publisher;
static atomic_int running;
static int failures, tests;

static void tell(bool is_ok, const char *name)
{
	printf("%s %d - %s\n", is_ok ? "ok" : "not ok", ++tests, name);
	failures += !is_ok;
}

/* ---- the threads ---- */

static void *publish(void *argument)
{
	const char *name = argument;
	static const char filler[] =
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	struct statsidecar_step step = {.step_name = name};

	for (int i = 0; i < EVENTS; i++) {
		struct statsidecar_field fields[] = {
			statsidecar_integer("n", i),
			statsidecar_bytes("filler", filler, (size_t)i % sizeof filler),
		};

		if (i % 16 == 0)
			(void)statsidecar_step_complete(publisher, &step, fields, 2);
		else
			(void)statsidecar_publish_event(publisher, name, fields, 2);
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void threads_start(pthread_t threads[THREADS])
{
	static char names[THREADS][16];

	atomic_store(&running, THREADS);
	for (int i = 0; i < THREADS; i++) {
		snprintf(names[i], sizeof names[i], "thread.%d", i);
		pthread_create(&threads[i], NULL, publish, names[i]);
	}
}

static void threads_join(pthread_t threads[THREADS])
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* ---- the agent's end ---- */

struct reader {
	int fd;
	char line[8192];
	size_t len;
	uint64_t lines;
	uint64_t torn;
};

static void line_check(struct reader *reader)
{
	static const char head[] = "{\"event\":\"";
	size_t head_len = strlen(head);
	bool is_whole = reader->len > head_len && memcmp(reader->line, head, head_len) == 0 &&
	                reader->line[reader->len - 1] == '}';
	bool is_one = memmem(reader->line + 1, reader->len > 0 ? reader->len - 1 : 0, head, head_len) == NULL;

	reader->lines++;
	reader->torn += !is_whole || !is_one;
	reader->len = 0;
}

static void reader_open(struct reader *reader)
{
	memset(reader, 0, sizeof *reader);
	reader->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* All that is there now. */
static void reader_drain(struct reader *reader)
{
	static char piece[PIECE];
	ssize_t got;

	while ((got = read(reader->fd, piece, sizeof piece)) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (piece[i] == '\n')
				line_check(reader);
			else if (reader->len < sizeof reader->line)
				reader->line[reader->len++] = piece[i];
		}
	}
}

static void reader_close(struct reader *reader)
{
	reader_drain(reader);
	close(reader->fd);
}

/* ---- the tests ---- */

/* Every pipe is read to the end of the test: what was sent has arrived, on whichever of them. */
static void pipes_are_replaced(void)
{
	static struct reader readers[READERS_MAX];
	pthread_t threads[THREADS];
	uint64_t lines = 0, torn = 0, sent;
	int count = 1;

	mkfifo(path, 0600);
	reader_open(&readers[0]);
	statsidecar_open(&publisher, url);
	threads_start(threads);
	while (atomic_load(&running) > 0) {
		for (int i = 0; i < count; i++)
			reader_drain(&readers[i]);
		if (count < READERS_MAX && readers[count - 1].lines > 1000) {
			unlink(path);
			mkfifo(path, 0600);
			reader_open(&readers[count++]);
		}
	}
	threads_join(threads);
	for (int i = 0; i < count; i++) {
		reader_close(&readers[i]);
		lines += readers[i].lines;
		torn += readers[i].torn;
	}
	sent = statsidecar_count(publisher, STATSIDECAR_OK);
	printf("# %llu sent, %llu arrived on %d pipes, %llu dropped\n", (unsigned long long)sent,
	       (unsigned long long)lines, count,
	       (unsigned long long)(statsidecar_count(publisher, STATSIDECAR_FULL) +
	                            statsidecar_count(publisher, STATSIDECAR_AWAY)));
	tell(lines == sent && lines > 0, "what was sent has arrived, once");
	tell(torn == 0, "no line is torn");
	tell(sent + statsidecar_count(publisher, STATSIDECAR_FULL) + statsidecar_count(publisher, STATSIDECAR_AWAY) ==
	             (uint64_t)THREADS * EVENTS,
	     "every event is counted, once");
	statsidecar_close(publisher);
	unlink(path);
}

/* Closed and opened again and again: writes fail with EPIPE in all threads at once, and SIGPIPE would end the program.
 */
static void readers_come_and_go(void)
{
	static struct reader reader;
	pthread_t threads[THREADS];
	uint64_t lines = 0, torn = 0;

	mkfifo(path, 0600);
	statsidecar_open(&publisher, url);
	threads_start(threads);
	while (atomic_load(&running) > 0) {
		reader_open(&reader);
		for (int i = 0; i < 20; i++)
			reader_drain(&reader);
		close(reader.fd);
		lines += reader.lines;
		torn += reader.torn;
	}
	threads_join(threads);
	printf("# %llu arrived, %llu were dropped while nobody read\n", (unsigned long long)lines,
	       (unsigned long long)statsidecar_count(publisher, STATSIDECAR_AWAY));
	tell(torn == 0, "no line is torn where readers come and go");
	tell(lines <= statsidecar_count(publisher, STATSIDECAR_OK), "nothing arrives that was not sent");
	statsidecar_close(publisher);
	unlink(path);
}

int main(void)
{
	if (mkdtemp(directory) == NULL)
		return EXIT_FAILURE;
	snprintf(path, sizeof path, "%s/events", directory);
	snprintf(url, sizeof url, "fifo://%s", path);
	pipes_are_replaced();
	readers_come_and_go();
	rmdir(directory);
	printf("1..%d\n", tests);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
