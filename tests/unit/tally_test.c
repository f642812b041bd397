#include <check.h>
#include <stdio.h>

#include "map/model.h"
#include "translate/tally.h"

Suite *tally_suite(void);

#define SECOND INT64_C(1000000000)

static const struct hash_key key = {1, 2};

static void see(struct tally *tally, struct tally_place *place, const char *event, int64_t now_ns, const char *line)
{
	tally_count(tally, place, span_of(event), false, OUTCOME_MAPPED, now_ns, span_of(line));
}

static const struct tally_entry *entry_of(const struct tally *tally, const char *event)
{
	const struct tally_entry *entry = NULL;
	while ((entry = tally_next(tally, entry)))
		if (span_is((struct span){entry->event, entry->event_len}, event))
			return entry;
	return NULL;
}

START_TEST(counts_by_identifier)
{
	struct tally *tally = tally_new(&key);
	struct tally_place a = {NULL, 0}, also_a = {NULL, 0}, b = {NULL, 0};
	ck_assert_ptr_null(tally_next(tally, NULL));
	for (int i = 0; i < 5; i++)
		see(tally, &a, "a", i, "a x=1");
	see(tally, &b, "b", 9, "b x=2");
	see(tally, &also_a, "a", 9, "another spelling");
	ck_assert_uint_eq(entry_of(tally, "a")->count, 6);
	ck_assert_uint_eq(entry_of(tally, "b")->count, 1);
	ck_assert_int_eq(entry_of(tally, "a")->seen_ns, 9);
	tally_free(tally);
}
END_TEST

START_TEST(newest_first)
{
	struct tally *tally = tally_new(&key);
	struct tally_place places[3] = {{NULL, 0}};
	static const char *const names[] = {"a", "b", "c"};
	for (int i = 0; i < 3; i++)
		see(tally, &places[i], names[i], i + 1, "");
	see(tally, &places[0], "a", 4, "");
	const struct tally_entry *entry = tally_next(tally, NULL);
	ck_assert_int_eq(entry->event[0], 'a');
	entry = tally_next(tally, entry);
	ck_assert_int_eq(entry->event[0], 'c');
	entry = tally_next(tally, entry);
	ck_assert_int_eq(entry->event[0], 'b');
	ck_assert_ptr_null(tally_next(tally, entry));
	tally_free(tally);
}
END_TEST

/* Ten times as many identifiers as there is room: the last ones stay, each counted for itself, also where a place is known
 * that another identifier has taken meanwhile. */
START_TEST(least_recently_seen_makes_room)
{
	enum { ALL = 10 * TALLY_MAX };
	static struct tally_place places[ALL];
	struct tally *tally = tally_new(&key);
	struct tally_place always = {NULL, 0};
	char name[32];
	uint32_t count = 0;
	memset(places, 0, sizeof(places));
	for (int i = 0; i < ALL; i++) {
		snprintf(name, sizeof(name), "event.%d", i);
		see(tally, &places[i], name, i, name);
		see(tally, &always, "always", i, "");
	}
	for (const struct tally_entry *entry = NULL; (entry = tally_next(tally, entry));)
		count++;
	ck_assert_uint_eq(count, TALLY_MAX);
	ck_assert_uint_eq(tally_evicted(tally), ALL + 1 - TALLY_MAX);
	ck_assert_uint_eq(entry_of(tally, "always")->count, ALL);
	ck_assert_ptr_null(entry_of(tally, "event.0"));
	see(tally, &places[0], "event.0", ALL, "");
	ck_assert_uint_eq(entry_of(tally, "event.0")->count, 1);
	snprintf(name, sizeof(name), "event.%d", ALL - 1);
	ck_assert_uint_eq(entry_of(tally, name)->count, 1);
	tally_free(tally);
}
END_TEST

START_TEST(a_line_is_kept_for_a_second)
{
	static char text[TALLY_LINE_MAX + 2];
	struct tally *tally = tally_new(&key);
	struct tally_place place = {NULL, 0};
	memset(text, 'x', sizeof(text) - 1);
	see(tally, &place, "a", 10, "first");
	see(tally, &place, "a", SECOND, "second");
	const struct tally_entry *entry = entry_of(tally, "a");
	ck_assert(span_is((struct span){entry->line, entry->line_len}, "first"));
	ck_assert(!entry->line_is_cut);
	see(tally, &place, "a", SECOND + 10, text);
	ck_assert_uint_eq(entry->line_len, TALLY_LINE_MAX);
	ck_assert(entry->line_is_cut);
	tally_free(tally);
}
END_TEST

START_TEST(rate_over_the_last_seconds)
{
	struct tally *tally = tally_new(&key);
	struct tally_place place = {NULL, 0};
	int64_t now_ns = 100 * SECOND;
	for (int i = 0; i < 300; i++, now_ns += SECOND / 10)
		see(tally, &place, "a", now_ns, "");
	const struct tally_entry *entry = entry_of(tally, "a");
	ck_assert_double_eq_tol(tally_rate(entry, now_ns), 10, 0.5);
	/* Half as fast for a while. */
	for (int i = 0; i < 60; i++, now_ns += SECOND / 5)
		see(tally, &place, "a", now_ns, "");
	ck_assert_double_eq_tol(tally_rate(entry, now_ns), 5, 0.5);
	ck_assert_double_lt(tally_rate(entry, now_ns + 5 * SECOND), 5);
	ck_assert_double_eq(tally_rate(entry, now_ns + 20 * SECOND), 0);
	tally_free(tally);
}
END_TEST

START_TEST(one_event_is_no_burst)
{
	struct tally *tally = tally_new(&key);
	struct tally_place place = {NULL, 0};
	see(tally, &place, "a", SECOND, "");
	ck_assert_double_eq(tally_rate(entry_of(tally, "a"), SECOND), 1);
	tally_free(tally);
}
END_TEST

Suite *tally_suite(void)
{
	Suite *suite = suite_create("tally");
	TCase *all = tcase_create("tally");
	tcase_add_test(all, counts_by_identifier);
	tcase_add_test(all, newest_first);
	tcase_add_test(all, least_recently_seen_makes_room);
	tcase_add_test(all, a_line_is_kept_for_a_second);
	tcase_add_test(all, rate_over_the_last_seconds);
	tcase_add_test(all, one_event_is_no_burst);
	suite_add_tcase(suite, all);
	return suite;
}
