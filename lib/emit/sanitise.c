#include "emit/sanitise.h"

#include "base/utf8.h"

enum { STAYS, REPLACED, CHECKED };

#define SIXTEEN(byte) {[0 ... 15] = (byte)}
#define EVERYWHERE [0 ... 31] = REPLACED, [127] = REPLACED, ['|'] = REPLACED, [128 ... 255] = CHECKED

/* SPEC section 4: what each dialect keeps for itself. Plain StatsD has no tags. */
#define DOGSTATSD_VALUE {{EVERYWHERE, [','] = REPLACED}, {SIXTEEN('|'), SIXTEEN(',')}, 2}
#define DOGSTATSD_KEY   {{EVERYWHERE, [','] = REPLACED, [':'] = REPLACED}, {SIXTEEN('|'), SIXTEEN(','), SIXTEEN(':')}, 3}
#define GRAPHITE                                                                                             \
	{{EVERYWHERE, [';'] = REPLACED, [':'] = REPLACED, ['='] = REPLACED, ['~'] = REPLACED, [' '] = REPLACED}, \
	 {SIXTEEN('|'), SIXTEEN(';'), SIXTEEN(':'), SIXTEEN('='), SIXTEEN('~'), SIXTEEN(' ')},                   \
	 6}
#define INFLUXDB                                                                                              \
	{{EVERYWHERE, [','] = REPLACED, [':'] = REPLACED, ['='] = REPLACED, ['\\'] = REPLACED, [' '] = REPLACED}, \
	 {SIXTEEN('|'), SIXTEEN(','), SIXTEEN(':'), SIXTEEN('='), SIXTEEN('\\'), SIXTEEN(' ')},                   \
	 6}
#define LIBRATO                                                                              \
	{{EVERYWHERE, ['#'] = REPLACED, [','] = REPLACED, [':'] = REPLACED, ['='] = REPLACED},   \
	 {SIXTEEN('|'), SIXTEEN('#'), SIXTEEN(','), SIXTEEN(':'), SIXTEEN('=')},                 \
	 5}
#define SIGNALFX                                                                                             \
	{{EVERYWHERE, ['['] = REPLACED, [']'] = REPLACED, [','] = REPLACED, [':'] = REPLACED, ['='] = REPLACED}, \
	 {SIXTEEN('|'), SIXTEEN('['), SIXTEEN(']'), SIXTEEN(','), SIXTEEN(':'), SIXTEEN('=')},                   \
	 6}

const struct sanitiser sanitise_tag_key[DIALECT_COUNT] = {
	[DIALECT_DOGSTATSD] = DOGSTATSD_KEY, [DIALECT_STATSD] = DOGSTATSD_KEY, [DIALECT_GRAPHITE] = GRAPHITE,
	[DIALECT_INFLUXDB] = INFLUXDB,       [DIALECT_LIBRATO] = LIBRATO,      [DIALECT_SIGNALFX] = SIGNALFX,
};

const struct sanitiser sanitise_tag_value[DIALECT_COUNT] = {
	[DIALECT_DOGSTATSD] = DOGSTATSD_VALUE, [DIALECT_STATSD] = DOGSTATSD_VALUE, [DIALECT_GRAPHITE] = GRAPHITE,
	[DIALECT_INFLUXDB] = INFLUXDB,         [DIALECT_LIBRATO] = LIBRATO,        [DIALECT_SIGNALFX] = SIGNALFX,
};

const struct sanitiser sanitise_set = DOGSTATSD_KEY;

/* From `at` on, one byte or one character at a time. */
static size_t sanitise_slowly(char *out, const struct sanitiser *sanitiser, struct span text, size_t at, size_t end)
{
	while (at < end) {
		const uint8_t class = sanitiser->class[(unsigned char)text.at[at]];
		if (class == STAYS) {
			out[at] = text.at[at];
			at++;
			continue;
		}
		const size_t len = class == CHECKED ? utf8_length(text.at + at, text.len - at) : 0;
		if (len == 0) {
			out[at++] = '_';
			continue;
		}
		if (at + len > end) /* the limit falls into the character */
			return at;
		memcpy(out + at, text.at + at, len);
		at += len;
	}
	return at;
}

#ifdef __SSE2__

/* The last len < 16 bytes of a text as a vector, without touching what stands behind them. */
static inline __m128i load_end(const char *at, size_t len)
{
	uint64_t low = 0;
	uint64_t high = 0;
	if (len >= 8) {
		memcpy(&low, at, 8);
		memcpy(&high, at + len - 8, 8);
		high = len == 8 ? 0 : high >> (8 * (16 - len));
	} else if (len >= 4) {
		uint32_t first;
		uint32_t last;
		memcpy(&first, at, 4);
		memcpy(&last, at + len - 4, 4);
		low = first | (uint64_t)last << (8 * (len - 4));
	} else {
		for (size_t i = 0; i < len; i++)
			low |= (uint64_t)(unsigned char)at[i] << (8 * i);
	}
	return _mm_set_epi64x((long long)high, (long long)low);
}

size_t sanitise(char *out, const struct sanitiser *sanitiser, struct span text, size_t limit)
{
	const size_t end = text.len < limit ? text.len : limit;
	for (size_t at = 0; at < end; at += 16) {
		const size_t left = end - at;
		const __m128i bytes = left >= 16 ? _mm_loadu_si128((const __m128i *)(const void *)(text.at + at))
		                                 : load_end(text.at + at, left);
		unsigned mask = sanitise_suspects(sanitiser, bytes);
		if (left < 16)
			mask &= (1u << left) - 1;
		if (mask)
			return sanitise_slowly(out, sanitiser, text, at, end);
		_mm_storeu_si128((__m128i *)(void *)(out + at), bytes);
	}
	return end;
}

#else

size_t sanitise(char *out, const struct sanitiser *sanitiser, struct span text, size_t limit)
{
	return sanitise_slowly(out, sanitiser, text, 0, text.len < limit ? text.len : limit);
}

#endif

static bool is_name_value_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

size_t sanitise_name(char *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		out[i] = is_name_value_byte(text.at[i]) || text.at[i] == '.' ? text.at[i] : '_';
	return text.len;
}

size_t sanitise_name_value(char *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		out[i] = is_name_value_byte(text.at[i]) ? text.at[i] : '_';
	return text.len;
}

/* One character of a text, from *at on, to out; 0 where room is too small for what it becomes. */
static size_t put_character(char *out, struct span text, size_t *at, size_t room)
{
	const unsigned char c = (unsigned char)text.at[*at];
	size_t len = 1;
	if (c == '\n') {
		if (room < 2)
			return 0;
		memcpy(out, "\\n", 2);
		*at += 1;
		return 2;
	}
	if (c >= 0x80)
		len = utf8_length(text.at + *at, text.len - *at);
	if (len > room || room == 0)
		return 0;
	if (len == 0 || c < 0x20 || c == 0x7f) {
		*out = '_';
		*at += 1;
		return 1;
	}
	memcpy(out, text.at + *at, len);
	*at += len;
	return len;
}

size_t sanitise_text(char *out, struct span *text, size_t limit)
{
	size_t len = 0;
	size_t at = 0;
	while (at < text->len) {
		const size_t put = put_character(out + len, *text, &at, limit - len);
		if (put == 0)
			break;
		len += put;
	}
	*text = span_skip(*text, at);
	return len;
}

/* `|` would begin another field, `m:` another message. */
static size_t put_message_character(char *out, struct span text, size_t *at, size_t room)
{
	const bool is_lead = text.at[*at] == ':' && out[-1] == 'm';
	if (text.at[*at] != '|' && !is_lead)
		return put_character(out, text, at, room);
	const size_t len = is_lead ? 2 : 1;
	if (room < len)
		return 0;
	memcpy(out, is_lead ? "\\:" : "_", len);
	*at += 1;
	return len;
}

size_t sanitise_message(char *out, struct span *text, size_t limit)
{
	size_t len = 0;
	size_t at = 0;
	while (at < text->len) {
		const size_t put = put_message_character(out + len, *text, &at, limit - len);
		if (put == 0)
			break;
		len += put;
	}
	*text = span_skip(*text, at);
	return len;
}
