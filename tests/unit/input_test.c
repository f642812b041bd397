/* Pausing and going on, where the loop could not watch the input in between. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/input.h"
#include "rig.h"

Suite *input_suite(void);

static const struct model counts_all = {FILES(FILE_OF(RULES(RULE(MATCH("**"), METRICS(COUNTER("n"))))))};
static struct model model;
static struct rig rig;

struct fixture {
	char directory[32];
	char path[64];
	struct input_owner owner;
	struct input_settings settings;
	struct input_accounts accounts;
	struct input *input;
};

static void ignore(struct input_owner *owner)
{
	(void)owner;
}

static bool flush(struct input_owner *owner)
{
	(void)owner;
	return true;
}

static void begin(struct fixture *fixture)
{
	struct failure failure;

	model = model_filled(&counts_all);
	rig_init(&rig, &model);
	*fixture = (struct fixture){.directory = "/tmp/input_test.XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof fixture->path, "%s/events", fixture->directory);
	fixture->owner = (struct input_owner){
		.base = event_base_new(), .translator = rig.translator, .line_max = 65536, .begin = ignore, .flush = flush, .unwatched = ignore};
	fixture->settings = (struct input_settings){
		.endpoint = {.transport = TRANSPORT_FIFO, .url = "fifo:///events", .path = fixture->path},
		.label = "pipe",
		.mode = 0600,
	};
	fixture->input = input_open(&fixture->settings, 0, &fixture->accounts, &fixture->owner, &failure);
	ck_assert_ptr_nonnull(fixture->input);
}

static void end(struct fixture *fixture)
{
	input_close(fixture->input);
	event_base_free(fixture->owner.base);
	unlink(fixture->path);
	rmdir(fixture->directory);
	rig_fini(&rig);
}

static void write_event(const struct fixture *fixture)
{
	FILE *pipe = fopen(fixture->path, "w");

	ck_assert_ptr_nonnull(pipe);
	fputs("a.b\n", pipe);
	fclose(pipe);
}

static uint64_t events(struct fixture *fixture)
{
	event_base_loop(fixture->owner.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	return rig.accounts.outcomes[OUTCOME_MAPPED];
}

/* input_watch() comes while it is paused, and not again. */
START_TEST(goes_on_where_it_could_not_be_watched_before_it_was_paused)
{
	struct fixture fixture;

	begin(&fixture);
	fixture.input->is_unwatched = true;
	input_pause(fixture.input);
	input_watch(fixture.input);
	write_event(&fixture);
	ck_assert_uint_eq(events(&fixture), 0);
	input_resume(fixture.input);
	ck_assert_uint_eq(events(&fixture), 1);
	write_event(&fixture);
	ck_assert_uint_eq(events(&fixture), 2);
	end(&fixture);
}
END_TEST

START_TEST(is_in_place_until_the_pipe_is_removed_or_another_stands_there)
{
	struct fixture fixture;

	begin(&fixture);
	ck_assert(input_is_in_place(fixture.input));
	unlink(fixture.path);
	ck_assert(!input_is_in_place(fixture.input));
	ck_assert_int_eq(mkfifo(fixture.path, 0600), 0);
	ck_assert(!input_is_in_place(fixture.input));
	end(&fixture);
}
END_TEST

Suite *input_suite(void)
{
	Suite *suite = suite_create("input");
	TCase *tcase = tcase_create("input");

	tcase_add_test(tcase, goes_on_where_it_could_not_be_watched_before_it_was_paused);
	tcase_add_test(tcase, is_in_place_until_the_pipe_is_removed_or_another_stands_there);
	suite_add_tcase(suite, tcase);
	return suite;
}
