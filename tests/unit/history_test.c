#include "admin/history.h"

#include <check.h>

Suite *history_suite(void);

static struct accounts accounts;
static struct history history;

static void begin(void)
{
	memset(&accounts, 0, sizeof(accounts));
	memset(&history, 0, sizeof(history));
}

/* A wake-up at so many milliseconds since the first one, in which an event is read; whether it gave a reading. */
static bool wake(int64_t ms)
{
	const bool is_due = history_is_due(&history, ms);
	if (is_due)
		history_note(&history, &accounts, 1000000 + ms, ms);
	accounts.inputs[0].received++;
	return is_due;
}

START_TEST(a_reading_every_two_seconds)
{
	int readings = 0;
	begin();
	for (int64_t ms = 0; ms < 10000; ms += 100)
		readings += wake(ms);
	ck_assert_int_eq(readings, 5);
	ck_assert_uint_eq(history_at(&history, 0)->received, 0);
	ck_assert_uint_eq(history_at(&history, 1)->received, 20);
	ck_assert_int_eq(history_at(&history, 1)->realtime_ms, 1002000);
	ck_assert_ptr_null(history_at(&history, 5));
}
END_TEST

/* What happened before it is not smeared over a silence. */
START_TEST(a_silence_has_a_beginning_and_an_end)
{
	begin();
	wake(0);
	wake(500);
	wake(100000);
	ck_assert_uint_eq(history.count, 3);
	ck_assert_int_eq(history_at(&history, 1)->realtime_ms, 1002000);
	ck_assert_uint_eq(history_at(&history, 1)->received, 2);
	ck_assert_int_eq(history_at(&history, 2)->realtime_ms, 1100000);
	ck_assert_uint_eq(history_at(&history, 2)->received, 2);
}
END_TEST

START_TEST(the_oldest_make_room)
{
	begin();
	for (int64_t i = 0; i < 3 * HISTORY_MAX; i++)
		wake(i * HISTORY_STEP_MS);
	ck_assert_uint_eq(history_at(&history, 0)->received, 2 * HISTORY_MAX);
	ck_assert_uint_eq(history_at(&history, HISTORY_MAX - 1)->received, 3 * HISTORY_MAX - 1);
	ck_assert_ptr_null(history_at(&history, HISTORY_MAX));
}
END_TEST

START_TEST(what_is_read)
{
	begin();
	accounts.removed_received = 1;
	accounts.inputs[0] = (struct input_accounts){.received = 2, .kernel_drops = 30};
	accounts.inputs[INPUTS_MAX - 1] = (struct input_accounts){.received = 4, .refused = 9};
	accounts.outputs[1] = (struct output_accounts){.made = 9, .sent = 5, .dropped = 6};
	accounts.outputs[OUTPUTS_MAX - 1] = (struct output_accounts){.sent = 10, .filtered = 9};
	accounts.outcomes[OUTCOME_UNMAPPED] = 3;
	accounts.outcomes[OUTCOME_UNNAMED] = 100;
	accounts.outcomes[OUTCOME_MALFORMED] = 20;
	accounts.outcomes[OUTCOME_OVERSIZE] = 1;
	accounts.outcomes[OUTCOME_DROPPED] = 7;
	history_note(&history, &accounts, 5, 5);
	const struct history_reading *reading = history_at(&history, 0);
	ck_assert_uint_eq(reading->received, 7);
	ck_assert_uint_eq(reading->sent, 15);
	ck_assert_uint_eq(reading->lost, 36);
	ck_assert_uint_eq(reading->unmapped, 3);
	ck_assert_uint_eq(reading->rejected, 121);
}
END_TEST

Suite *history_suite(void)
{
	Suite *suite = suite_create("history");
	TCase *all = tcase_create("history");
	tcase_add_test(all, a_reading_every_two_seconds);
	tcase_add_test(all, a_silence_has_a_beginning_and_an_end);
	tcase_add_test(all, the_oldest_make_room);
	tcase_add_test(all, what_is_read);
	suite_add_tcase(suite, all);
	return suite;
}
