#include <check.h>

#include "emit/guard.h"

Suite *guard_suite(void);

START_TEST(admits_up_to_its_limit)
{
	static const uint32_t limits[] = {0, 1, 2, 7, 8, 1000, 65536};
	const uint32_t limit = limits[_i];
	struct guard guard;
	ck_assert_int_eq(guard_init(&guard, limit), 0);
	for (uint64_t i = 0; i < limit; i++)
		if (!guard_admits(&guard, i * UINT64_C(0x9E3779B97F4A7C15) + 1))
			ck_abort_msg("text %llu of %u", (unsigned long long)i, limit);
	ck_assert(!guard_admits(&guard, 0xdeadbeef12345));
	/* What is in stays in. */
	for (uint64_t i = 0; i < limit; i++)
		if (!guard_admits(&guard, i * UINT64_C(0x9E3779B97F4A7C15) + 1))
			ck_abort_msg("text %llu of %u, again", (unsigned long long)i, limit);
	ck_assert(!guard_admits(&guard, 0xdeadbeef12345));
	ck_assert_uint_eq(guard.count, limit);
	guard_fini(&guard);
}
END_TEST

/* Hashes that meet in one slot, and around the table's end. */
START_TEST(tells_apart_what_meets_in_a_slot)
{
	struct guard guard;
	ck_assert_int_eq(guard_init(&guard, 7), 0);
	for (uint64_t i = 1; i <= 7; i++)
		ck_assert(guard_admits(&guard, UINT64_C(0xffffffff00000000) | i));
	ck_assert(!guard_admits(&guard, UINT64_C(0xffffffff00000000) | 8));
	ck_assert(!guard_admits(&guard, 8));
	ck_assert(guard_admits(&guard, UINT64_C(0xffffffff00000007)));
	guard_fini(&guard);
}
END_TEST

START_TEST(a_hash_of_zero_is_one_text)
{
	struct guard guard;
	ck_assert_int_eq(guard_init(&guard, 1), 0);
	ck_assert(guard_admits(&guard, 0));
	ck_assert(guard_admits(&guard, 0));
	ck_assert(!guard_admits(&guard, 2));
	guard_fini(&guard);
}
END_TEST

START_TEST(memory_grows_with_the_limit)
{
	ck_assert_uint_ge(guard_memory(1000), 1000 * sizeof(uint64_t));
	ck_assert_uint_le(guard_memory(1000), 4 * 1000 * sizeof(uint64_t) + 256);
	ck_assert_uint_le(guard_memory(0), 256);
}
END_TEST

Suite *guard_suite(void)
{
	Suite *suite = suite_create("guard");
	TCase *all = tcase_create("guard");
	tcase_add_loop_test(all, admits_up_to_its_limit, 0, 7);
	tcase_add_test(all, tells_apart_what_meets_in_a_slot);
	tcase_add_test(all, a_hash_of_zero_is_one_text);
	tcase_add_test(all, memory_grows_with_the_limit);
	suite_add_tcase(suite, all);
	return suite;
}
