/* Writes events as Tasker publishes them, many times over: a corpus of different ones is made first, so that writing costs next to
 * nothing.
 *
 *     generate [--format FORMAT] [--shape step|wide|named] [--names N] [--count N] [--repeat N] [--seed N] [--elapsed]
 *
 *     json, logfmt, cloudevents    an event a line, as its shape says
 *     statsd       the two metrics that such an event gives, in turn: step.charge_card.duration:4123|ms
 *     dogstatsd    the same with tags: step.duration:4123|ms|#step:charge_card,task:order_flow
 *
 *     step    step.completed with the usual payload, 197 bytes as JSON
 *     wide    step.completed with eight fields fit for tags
 *     named   as step, its identifier one of `--names` different ones: app.000000.completed …
 *
 * With --elapsed it says on standard error how many seconds the writing took, once the corpus was made. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof(array)[0])

enum format { FORMAT_JSON, FORMAT_LOGFMT, FORMAT_CLOUDEVENTS, FORMAT_STATSD, FORMAT_DOGSTATSD };
enum shape { SHAPE_STEP, SHAPE_WIDE, SHAPE_NAMED };

static const char *const format_names[] = {"json", "logfmt", "cloudevents", "statsd", "dogstatsd"};
static const char *const shape_names[] = {"step", "wide", "named"};

struct request {
	enum format format;
	enum shape shape;
	unsigned long names;
	unsigned long count;
	unsigned long repeat;
	int is_timed;
	uint64_t random;
};

static const char *const tasks[] = {"order_flow", "nightly_report",     "import", "invoice_run",
                                    "stock_refresh",    "settlement", "search_index",    "mail_digest"};
static const char *const steps[] = {"fetch_orders",  "validate_cart", "charge_card",  "reserve_stock", "create_label",
                                    "notify_client", "close_order",   "write_ledger", "collect_rates", "render_page"};
static const char *const namespaces[] = {"default", "billing", "shop"};
static const char *const statuses[] = {"complete", "error", "in_progress"};

static unsigned long draw(struct request *request, unsigned long below)
{
	request->random ^= request->random << 13;
	request->random ^= request->random >> 7;
	request->random ^= request->random << 17;
	return (unsigned long)(request->random >> 11) % below;
}

/* One event, its fields in the order in which they are written. */
struct field {
	const char *key;
	char value[64];
	bool is_text;
};

struct event {
	struct field fields[20];
	size_t count;
};

__attribute__((format(printf, 4, 5))) static void event_add(struct event *event, const char *key, bool is_text,
                                                            const char *format, ...)
{
	struct field *field = &event->fields[event->count++];
	va_list arguments;

	field->key = key;
	field->is_text = is_text;
	va_start(arguments, format);
	vsnprintf(field->value, sizeof field->value, format, arguments);
	va_end(arguments);
}

static void event_make(struct event *event, struct request *request)
{
	unsigned long number = 10000 + draw(request, 90000);

	event->count = 0;
	if (request->shape == SHAPE_NAMED)
		event_add(event, "event", true, "app.%06lu.completed", draw(request, request->names));
	else
		event_add(event, "event", true, "step.completed");
	event_add(event, "task_id", false, "%lu", number);
	event_add(event, "task_name", true, "%s", tasks[draw(request, ARRAY_LEN(tasks))]);
	event_add(event, "step_id", false, "%lu", number * 4 + draw(request, 4));
	event_add(event, "step_name", true, "%s", steps[draw(request, ARRAY_LEN(steps))]);
	event_add(event, "execution_duration", false, "%lu.%03lu", draw(request, 10), draw(request, 1000));
	event_add(event, "attempt_number", false, "%lu", 1 + draw(request, 3));
	if (request->shape == SHAPE_WIDE) {
		event_add(event, "namespace", true, "%s", namespaces[draw(request, ARRAY_LEN(namespaces))]);
		event_add(event, "source_system", true, "api-%lu", draw(request, 4));
		event_add(event, "priority", false, "%lu", draw(request, 10));
		event_add(event, "status", true, "%s", statuses[draw(request, ARRAY_LEN(statuses))]);
		event_add(event, "retryable", false, "%s", draw(request, 2) ? "true" : "false");
		event_add(event, "queue_name", true, "queue_%lu", draw(request, 20));
	}
	event_add(event, "timestamp", true, "2025-03-%02luT%02lu:%02lu:%02lu.%03luZ", 1 + draw(request, 28),
	          draw(request, 24), draw(request, 60), draw(request, 60), draw(request, 1000));
}

static void write_json_fields(FILE *out, const struct event *event, size_t first)
{
	for (size_t i = first; i < event->count; i++) {
		const struct field *field = &event->fields[i];
		const char *quote = field->is_text ? "\"" : "";

		fprintf(out, "%s\"%s\":%s%s%s", i == first ? "" : ",", field->key, quote, field->value, quote);
	}
}

static void event_write(FILE *out, const struct event *event, enum format format)
{
	switch (format) {
	case FORMAT_JSON:
		fputc('{', out);
		write_json_fields(out, event, 0);
		fputs("}\n", out);
		break;
	case FORMAT_LOGFMT:
		fputs(event->fields[0].value, out);
		for (size_t i = 1; i < event->count; i++)
			fprintf(out, " %s=%s", event->fields[i].key, event->fields[i].value);
		fputc('\n', out);
		break;
	case FORMAT_CLOUDEVENTS:
		fprintf(out, "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/tasker\",\"type\":\"%s\",\"data\":{",
		        event->fields[1].value, event->fields[0].value);
		write_json_fields(out, event, 1);
		fputs("}}\n", out);
		break;
	case FORMAT_STATSD:
	case FORMAT_DOGSTATSD:
		break; /* metric_write() */
	}
}

static void metric_write(FILE *out, struct request *request, unsigned long number)
{
	const char *task = tasks[draw(request, ARRAY_LEN(tasks))];
	const char *step = steps[draw(request, ARRAY_LEN(steps))];
	unsigned long took_ms = draw(request, 10000);
	bool is_timer = number % 2;

	if (request->format == FORMAT_STATSD && is_timer)
		fprintf(out, "step.%s.duration:%lu|ms\n", step, took_ms);
	else if (request->format == FORMAT_STATSD)
		fprintf(out, "step.%s.completed:1|c\n", step);
	else if (is_timer)
		fprintf(out, "step.duration:%lu|ms|#step:%s,task:%s\n", took_ms, step, task);
	else
		fprintf(out, "step.completed:1|c|#step:%s,task:%s\n", step, task);
}

static int write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(STDOUT_FILENO, data, len);

		if (written < 0 && errno != EINTR)
			return -1;
		if (written > 0) {
			data += written;
			len -= (size_t)written;
		}
	}
	return 0;
}

static int generate(struct request *request)
{
	char *corpus = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&corpus, &len);
	struct event event;
	struct timespec begin, end;

	if (out == NULL)
		goto fail;
	for (unsigned long i = 0; i < request->count; i++) {
		if (request->format >= FORMAT_STATSD) {
			metric_write(out, request, i);
			continue;
		}
		event_make(&event, request);
		event_write(out, &event, request->format);
	}
	if (fclose(out) != 0)
		goto fail;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned long i = 0; i < request->repeat; i++) {
		if (write_all(corpus, len) < 0)
			goto fail;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (request->is_timed)
		fprintf(stderr, "%.6f\n", (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	free(corpus);
	return EX_OK;
fail:
	perror("generate");
	free(corpus);
	return EX_OSERR;
}

static int choose(const char *text, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, names[i]) == 0)
			return (int)i;
	}
	fprintf(stderr, "generate: what is %s?\n", text);
	exit(EX_USAGE);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"format", required_argument, NULL, 'f'}, {"shape", required_argument, NULL, 's'},
		{"names", required_argument, NULL, 'n'},  {"count", required_argument, NULL, 'c'},
		{"repeat", required_argument, NULL, 'r'}, {"seed", required_argument, NULL, 'e'},
		{"elapsed", no_argument, NULL, 't'},     {NULL, 0, NULL, 0},
	};
	struct request request = {.names = 1, .count = 1000, .repeat = 1, .random = 88172645463325252};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'f': request.format = (enum format)choose(optarg, format_names, ARRAY_LEN(format_names)); break;
		case 's': request.shape = (enum shape)choose(optarg, shape_names, ARRAY_LEN(shape_names)); break;
		case 'n': request.names = strtoul(optarg, NULL, 10); break;
		case 'c': request.count = strtoul(optarg, NULL, 10); break;
		case 'r': request.repeat = strtoul(optarg, NULL, 10); break;
		case 'e': request.random ^= strtoul(optarg, NULL, 10) << 32; break;
		case 't': request.is_timed = true; break;
		default: return EX_USAGE;
		}
	}
	if (request.names == 0 || optind < argc) {
		fputs("generate: wrong arguments; see the top of its source\n", stderr);
		return EX_USAGE;
	}
	return generate(&request);
}
