#include "json_writer.h"

#include "base/utf8.h"

/* How many bytes stand for themselves. */
static size_t plain_length(struct span text)
{
	size_t len = 0;
	while (len < text.len && text.at[len] >= 0x20 && text.at[len] < 0x7f && text.at[len] != '"' && text.at[len] != '\\')
		len++;
	return len;
}

static void put_string(FILE *out, struct span text)
{
	fputc('"', out);
	for (size_t at = 0; at < text.len;) {
		const size_t plain = plain_length(span_skip(text, at));
		fwrite(text.at + at, 1, plain, out);
		at += plain;
		if (at == text.len)
			break;
		const unsigned char byte = (unsigned char)text.at[at];
		const size_t length = utf8_length(text.at + at, text.len - at);
		if (length == 0)
			fputs("\\ufffd", out);
		else if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte == '\n')
			fputs("\\n", out);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(out, "\\u%04x", byte);
		else
			fwrite(text.at + at, 1, length, out);
		at += length ? length : 1;
	}
	fputc('"', out);
}

void json_writer_put_key(struct json_writer *writer, struct span key)
{
	if (writer->needs_comma)
		fputc(',', writer->out);
	put_string(writer->out, key);
	fputc(':', writer->out);
	writer->needs_comma = false;
}

static void begin(struct json_writer *writer, const char *key)
{
	if (key)
		json_writer_put_key(writer, span_of(key));
	else if (writer->needs_comma)
		fputc(',', writer->out);
	writer->needs_comma = true;
}

static void open_bracket(struct json_writer *writer, const char *key, char bracket)
{
	begin(writer, key);
	fputc(bracket, writer->out);
	writer->needs_comma = false;
}

static void close_bracket(struct json_writer *writer, char bracket)
{
	fputc(bracket, writer->out);
	writer->needs_comma = true;
}

void json_writer_open_object(struct json_writer *writer, const char *key)
{
	open_bracket(writer, key, '{');
}

void json_writer_close_object(struct json_writer *writer)
{
	close_bracket(writer, '}');
}

void json_writer_open_array(struct json_writer *writer, const char *key)
{
	open_bracket(writer, key, '[');
}

void json_writer_close_array(struct json_writer *writer)
{
	close_bracket(writer, ']');
}

void json_writer_put_text(struct json_writer *writer, const char *key, struct span text)
{
	begin(writer, key);
	put_string(writer->out, text);
}

void json_writer_put_count(struct json_writer *writer, const char *key, uint64_t count)
{
	begin(writer, key);
	fprintf(writer->out, "%llu", (unsigned long long)count);
}

void json_writer_put_real(struct json_writer *writer, const char *key, double value)
{
	begin(writer, key);
	fprintf(writer->out, "%.2f", value);
}

void json_writer_put_bool(struct json_writer *writer, const char *key, bool flag)
{
	begin(writer, key);
	fputs(flag ? "true" : "false", writer->out);
}

void json_writer_end_line(struct json_writer *writer)
{
	fputc('\n', writer->out);
	writer->needs_comma = false;
}
