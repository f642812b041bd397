/* The way of a line without any descriptor: events from a file, through the translator, into datagrams that nobody sends.
 *
 *     inprocess -c CONFIG [--passes N] [--chunk BYTES] [--tally] EVENTS
 *
 * Each pass takes the whole file in chunks, as reads of a pipe would give them. Prints one line of JSON, nanoseconds of CPU an
 * event: the fastest pass and the median one; `copy` is what putting the chunks into the stream's buffer takes, a part of both.
 *
 *     perf record -g bench/inprocess -c x.yaml --passes 100 events.json */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "ends.h"

#include "command/configuration.h"
#include "translate/tally.h"
#include "translate/translate.h"

enum { PASSES_MAX = 1000 };

struct corpus {
	char *text;
	size_t len;
	uint64_t events;
};

struct bench {
	struct configuration configuration;
	struct accounts accounts;
	struct packer packers[OUTPUTS_MAX];
	struct packer *packer_list[OUTPUTS_MAX];
	struct translator *translator;
	struct line_stream stream;
	struct tally *tally; /* as the agent does it while HTTP is on; NULL: not asked for */
	struct moment now;
	size_t chunk;
	uint64_t bytes;
	uint64_t datagrams;
};

static void corpus_read(struct corpus *corpus, const char *path)
{
	FILE *in = fopen(path, "r");

	if (in == NULL || fseek(in, 0, SEEK_END) < 0)
		die(path);
	corpus->len = (size_t)ftell(in);
	corpus->text = malloc(corpus->len + 1);
	rewind(in);
	if (corpus->text == NULL || fread(corpus->text, 1, corpus->len, in) != corpus->len)
		die(path);
	fclose(in);
	corpus->events = 0;
	for (const char *at = corpus->text; (at = memchr(at, '\n', corpus->len - (size_t)(at - corpus->text))) != NULL; at++)
		corpus->events++;
	if (corpus->events == 0) {
		fprintf(stderr, "%s holds no line\n", path);
		exit(EX_DATAERR);
	}
}

/* Every datagram is away at once. */
static void bench_flush(struct packer *packer, void *context)
{
	struct bench *bench = context;

	while (!packer_empty(packer)) {
		bench->bytes += packer->cuts[packer->first].len;
		bench->datagrams++;
		packer_take(packer);
	}
}

static void bench_init(struct bench *bench, const char *config)
{
	const struct settings_request request = {.config = config};
	const struct translate_observer observer = {.context = NULL};
	const struct mapping *mapping;

	if (configuration_load(&bench->configuration, &request) < 0)
		exit(EX_CONFIG);
	mapping = bench->configuration.mapping;
	for (uint16_t i = 0; i < mapping->output_count; i++) {
		if (packer_init(&bench->packers[i], mapping->outputs[i].max_datagram) < 0)
			die("packer_init");
		bench->packers[i].flush = bench_flush;
		bench->packers[i].context = bench;
		bench->packer_list[i] = &bench->packers[i];
	}
	if (accounts_init(&bench->accounts, mapping) < 0 || line_stream_init(&bench->stream, 0, mapping->limits.line, PIPE_READ_SIZE) < 0)
		die("inprocess");
	bench->translator = translator_new(mapping, &bench->accounts, bench->packer_list, &observer);
	if (bench->translator == NULL)
		die("translator_new");
}

static void bench_fini(struct bench *bench)
{
	translator_free(bench->translator);
	tally_free(bench->tally);
	line_stream_fini(&bench->stream);
	accounts_fini(&bench->accounts);
	for (uint16_t i = 0; i < bench->configuration.mapping->output_count; i++)
		packer_fini(&bench->packers[i]);
	configuration_free(&bench->configuration);
}

static void bench_flush_all(struct bench *bench)
{
	for (uint16_t i = 0; i < bench->configuration.mapping->output_count; i++)
		bench_flush(&bench->packers[i], bench);
}

static void bench_pass(struct bench *bench, const struct corpus *corpus)
{
	const char *next = corpus->text;
	size_t left = corpus->len;

	while (left > 0) {
		size_t room;
		char *space = line_stream_space(&bench->stream, &room);
		size_t len = room < bench->chunk ? room : bench->chunk;

		if (len > left)
			len = left;
		memcpy(space, next, len);
		line_stream_filled(&bench->stream, len);
		bench->now.monotonic_ns += 1000 * 1000;
		translator_set_time(bench->translator, bench->now);
		next += len;
		left -= len;
		if (translate_stream(bench->translator, &bench->stream) != TRANSLATE_DONE)
			abort();
		bench_flush_all(bench);
	}
}

static void copy_pass(struct bench *bench, const struct corpus *corpus)
{
	for (size_t at = 0; at < corpus->len; at += bench->chunk) {
		size_t len = corpus->len - at < bench->chunk ? corpus->len - at : bench->chunk;

		memcpy(bench->stream.data, corpus->text + at, len);
		/* Somebody could look at it. */
		__asm__ volatile("" : : "r"(bench->stream.data) : "memory");
	}
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return a < b ? -1 : a > b;
}

struct result {
	double least;
	double median;
};

static struct result measure(struct bench *bench, const struct corpus *corpus, unsigned passes,
                             void (*pass)(struct bench *bench, const struct corpus *corpus))
{
	static double times[PASSES_MAX];

	pass(bench, corpus);
	for (unsigned i = 0; i < passes; i++) {
		struct timespec from, to;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
		pass(bench, corpus);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
		times[i] = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / (double)corpus->events;
	}
	qsort(times, passes, sizeof *times, compare);
	return (struct result){times[0], times[passes / 2]};
}

static void report(const struct bench *bench, struct result copy, struct result whole)
{
	const struct accounts *accounts = &bench->accounts;

	printf("{\"least\":%.1f,\"median\":%.1f,\"copy\":%.1f,\"events\":%" PRIu64 ",\"metrics\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"outcomes\":{",
	       whole.least, whole.median, copy.least, accounts->inputs[0].received, accounts->outputs[0].made, bench->bytes);
	for (int i = 0; i < OUTCOME_COUNT; i++)
		printf("%s\"%s\":%" PRIu64, i > 0 ? "," : "", outcome_names[i], accounts->outcomes[i]);
	puts("}}");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"passes", required_argument, NULL, 'p'},
		{"chunk", required_argument, NULL, 'k'},
		{"tally", no_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	static struct bench bench = {.chunk = PIPE_READ_SIZE};
	struct corpus corpus;
	const char *config = NULL;
	unsigned long passes = 15;
	struct result copy;
	bool counts_identifiers = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (option) {
		case 'c': config = optarg; break;
		case 'p': passes = strtoul(optarg, NULL, 10); break;
		case 'k': bench.chunk = strtoul(optarg, NULL, 10); break;
		case 't': counts_identifiers = true; break;
		default: return EX_USAGE;
		}
	}
	if (config == NULL || optind + 1 != argc || passes == 0 || passes > PASSES_MAX || bench.chunk == 0) {
		fputs("usage: inprocess -c CONFIG [--passes N] [--chunk BYTES] [--tally] EVENTS\n", stderr);
		return EX_USAGE;
	}
	corpus_read(&corpus, argv[optind]);
	bench_init(&bench, config);
	if (counts_identifiers) {
		bench.tally = tally_new(&bench.configuration.mapping->hash_key);
		if (bench.tally == NULL)
			die("tally_new");
		translator_set_tally(bench.translator, bench.tally);
	}
	copy = measure(&bench, &corpus, (unsigned)passes, copy_pass);
	report(&bench, copy, measure(&bench, &corpus, (unsigned)passes, bench_pass));
	bench_fini(&bench);
	free(corpus.text);
	settings_names_free();
	return EX_OK;
}
