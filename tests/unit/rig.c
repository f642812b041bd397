#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

/* Not libcheck's: the check programs have none. */
static _Noreturn void give_up(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "rig: %s\n", what);
	abort();
}

struct model model_filled(const struct model *given)
{
	static struct input_model inputs[] = {{.label = T("in")}};
	static struct output_model outputs[] = {{.label = T("out"), .max_datagram = 1432}};
	static struct text identify[] = {T("event"), T("event_name"), T("type")};
	static struct text payload[] = {T("payload"), T("data")};
	struct model model = *given;
	if (!model.identify.fields.count)
		model.identify.fields = (struct texts){identify, ARRAY_LEN(identify)};
	if (!model.identify.payload.items)
		model.identify.payload = (struct texts){payload, ARRAY_LEN(payload)};
	if (!model.input_count) {
		model.inputs = inputs;
		model.input_count = 1;
	}
	if (!model.output_count) {
		model.outputs = outputs;
		model.output_count = 1;
	}
	for (size_t i = 0; i < model.output_count; i++)
		if (!model.outputs[i].max_datagram)
			model.outputs[i].max_datagram = 1432;
	if (!model.limits.line)
		model.limits.line = LINE_MAX_DEFAULT;
	if (!model.limits.names)
		model.limits.names = 2000;
	if (!model.limits.tag_values)
		model.limits.tag_values = 1000;
	if (!model.limits.tag_length)
		model.limits.tag_length = TAG_LENGTH_DEFAULT;
	return model;
}

static void take_text(struct sink *sink, struct span datagram)
{
	const size_t need = sink->len + datagram.len + 2;
	if (need > sink->size) {
		sink->size = 2 * need;
		sink->text = realloc(sink->text, sink->size);
		if (!sink->text)
			give_up("out of memory");
	}
	memcpy(sink->text + sink->len, datagram.at, datagram.len);
	sink->len += datagram.len;
	sink->text[sink->len++] = '\n';
	sink->text[sink->len] = '\0';
}

static void flush(struct packer *packer, void *context)
{
	struct sink *sink = context;
	while (!packer_empty(packer) && sink->room > 0) {
		const struct cut *cut = &packer->cuts[packer->first];
		const struct span datagram = {packer->buffer + cut->at, cut->len};
		if (packer->buffer[cut->at + cut->len] != '\n')
			give_up("no newline stands behind a datagram");
		if (sink->look)
			sink->look(sink->context, datagram);
		if (sink->text)
			take_text(sink, datagram);
		sink->room--;
		sink->datagrams++;
		sink->metrics += cut->metrics;
		sink->bytes += cut->len;
		sink->accounts->sent += cut->metrics;
		if (cut->len > sink->longest)
			sink->longest = cut->len;
		packer_take(packer);
	}
}

static void rejected(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why,
                     uint32_t column)
{
	struct rig *rig = context;
	const size_t len = strlen(rig->rejected);
	(void)input;
	(void)line;
	snprintf(rig->rejected + len, sizeof(rig->rejected) - len, "%s:%u %s\n", outcome_names[outcome], column, why);
}

static void limited(void *context, struct span tag, uint32_t limit)
{
	struct rig *rig = context;
	const size_t len = strlen(rig->limited);
	snprintf(rig->limited + len, sizeof(rig->limited) - len, "%.*s %u\n", (int)tag.len, tag.at ? tag.at : "",
	         limit);
}

static void print_problems(const struct problems *problems, char *out, size_t size)
{
	size_t len = 0;
	*out = '\0';
	for (size_t i = 0; i < problems->count && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%u: %s\n", problems->items[i].mark.line,
		                        problems->items[i].text);
}

void rig_problems(const struct model *model, char *out, size_t size)
{
	static const struct hash_key key = {1, 2};
	struct problems problems = {0};
	struct model filled = model_filled(model);
	struct mapping *mapping = mapping_compile(&filled, &key, &problems);
	problems_sort(&problems);
	print_problems(&problems, out, size);
	if ((mapping == NULL) != (problems.count != 0))
		give_up("a mapping and problems, or neither");
	mapping_free(mapping);
	problems_fini(&problems);
}

/* Everything but the model and its mapping. */
static void start(struct rig *rig)
{
	const struct translate_observer observer = {.context = rig, .rejected = rejected, .limited = limited};
	bool ok = accounts_init(&rig->accounts, rig->mapping) == 0;
	rig->rejected[0] = rig->limited[0] = '\0';
	for (size_t i = 0; i < rig->model.output_count; i++) {
		ok = packer_init(&rig->packers[i], rig->model.outputs[i].max_datagram) == 0 && ok;
		rig->packers[i].flush = flush;
		rig->packers[i].context = &rig->sinks[i];
		rig->packer_list[i] = &rig->packers[i];
		rig->sinks[i] =
			(struct sink){.text = calloc(1, 1), .room = UINT64_MAX, .accounts = &rig->accounts.outputs[i]};
	}
	rig->translator = translator_new(rig->mapping, &rig->accounts, rig->packer_list, &observer);
	for (size_t i = 0; i < rig->model.input_count; i++)
		ok = line_stream_init(&rig->streams[i], (uint16_t)i, rig->model.limits.line, READ_SIZE) == 0 && ok;
	if (!ok || !rig->translator)
		give_up("out of memory");
}

static void stop(struct rig *rig)
{
	translator_free(rig->translator);
	for (size_t i = 0; i < rig->model.input_count; i++)
		line_stream_fini(&rig->streams[i]);
	for (size_t i = 0; i < rig->model.output_count; i++) {
		packer_fini(&rig->packers[i]);
		free(rig->sinks[i].text);
	}
	accounts_fini(&rig->accounts);
}

void rig_init(struct rig *rig, const struct model *model)
{
	static const struct hash_key key = {0x0123456789abcdef, 0xfedcba9876543210};
	struct problems problems = {0};
	memset(rig, 0, sizeof(*rig));
	rig->model = model_filled(model);
	rig->mapping = mapping_compile(&rig->model, &key, &problems);
	if (!rig->mapping) {
		char text[4096];
		print_problems(&problems, text, sizeof(text));
		give_up(text);
	}
	problems_fini(&problems);
	start(rig);
}

void rig_reset(struct rig *rig)
{
	stop(rig);
	start(rig);
}

void rig_fini(struct rig *rig)
{
	stop(rig);
	mapping_free(rig->mapping);
}

static void flush_all(struct rig *rig)
{
	for (size_t i = 0; i < rig->model.output_count; i++)
		flush(&rig->packers[i], &rig->sinks[i]);
}

/* One more datagram for whoever has no room. */
static void give_room(struct rig *rig)
{
	for (size_t i = 0; i < rig->model.output_count; i++)
		if (rig->sinks[i].room == 0)
			rig->sinks[i].room = 1;
	flush_all(rig);
}

static void translate_all(struct rig *rig, struct line_stream *stream)
{
	unsigned rounds = 0;
	while (translate_stream(rig->translator, stream) == TRANSLATE_STOPPED) {
		if (++rounds > 1000000)
			give_up("a stream that was stopped does not get on");
		give_room(rig);
	}
}

void rig_read(struct rig *rig, uint16_t input, struct span bytes, size_t size)
{
	struct line_stream *stream = &rig->streams[input];
	while (bytes.len) {
		size_t room;
		char *to = line_stream_space(stream, &room);
		size_t count = bytes.len < size ? bytes.len : size;
		if (room < READ_SIZE)
			give_up("less room than one read");
		count = count < room ? count : room;
		memcpy(to, bytes.at, count);
		line_stream_filled(stream, count);
		bytes = span_skip(bytes, count);
		translate_all(rig, stream);
	}
}

void rig_end(struct rig *rig, uint16_t input)
{
	if (translate_stream_end(rig->translator, &rig->streams[input], STREAM_END_OF_FILE) == TRANSLATE_STOPPED) {
		give_room(rig);
		translate_all(rig, &rig->streams[input]);
	}
}

void rig_datagram(struct rig *rig, uint16_t input, struct span bytes)
{
	/* Exactly as large as it may be: what is read or written beyond the padding shows under the sanitizers. */
	char *buffer = calloc(1, bytes.len + 2 * SCAN_PAD);
	if (!buffer)
		give_up("out of memory");
	memcpy(buffer + SCAN_PAD, bytes.at, bytes.len);
	translate_datagram(rig->translator, input, buffer + SCAN_PAD, (uint32_t)bytes.len);
	free(buffer);
}

const char *rig_output(struct rig *rig, uint16_t output)
{
	struct sink *sink = &rig->sinks[output];
	flush(&rig->packers[output], sink);
	if (sink->text)
		sink->text[sink->len] = '\0';
	return sink->text;
}

const char *rig_run(struct rig *rig, const char *events)
{
	rig_read(rig, 0, span_of(events), READ_SIZE);
	rig_end(rig, 0);
	flush_all(rig);
	return rig_output(rig, 0);
}

int rig_check_balance(const struct rig *rig, char *why, size_t size)
{
	uint64_t received = 0;
	uint64_t outcomes = 0;
	for (size_t i = 0; i < rig->model.input_count; i++)
		received += rig->accounts.inputs[i].received;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		outcomes += rig->accounts.outcomes[i];
	if (received != outcomes) {
		snprintf(why, size, "received %llu, outcomes %llu", (unsigned long long)received,
		         (unsigned long long)outcomes);
		return -1;
	}
	for (size_t i = 0; i < rig->model.output_count; i++) {
		const struct output_accounts *account = &rig->accounts.outputs[i];
		const uint64_t pending = packer_pending(&rig->packers[i]);
		if (account->made ==
		    account->sent + account->dropped + account->filtered + account->sampled_out + pending)
			continue;
		snprintf(
			why, size,
			"output %zu: made %llu, sent %llu, dropped %llu, filtered %llu, sampled out %llu, pending %llu",
			i, (unsigned long long)account->made, (unsigned long long)account->sent,
			(unsigned long long)account->dropped, (unsigned long long)account->filtered,
			(unsigned long long)account->sampled_out, (unsigned long long)pending);
		return -1;
	}
	return 0;
}

const char *shown(struct span bytes)
{
	static char texts[4][2048];
	static unsigned next;
	char *text = texts[next++ % 4];
	size_t len = 0;
	for (size_t i = 0; i < bytes.len && len < sizeof(texts[0]) - 8; i++) {
		const unsigned char c = (unsigned char)bytes.at[i];
		if (c >= 0x20 && c < 0x7f && c != '\\')
			text[len++] = (char)c;
		else
			len += (size_t)snprintf(text + len, 5, "\\x%02x", c);
	}
	text[len] = '\0';
	return text;
}
