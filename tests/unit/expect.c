#include "expect.h"

void expect_text(const char *name, const char *got, const char *want)
{
	ck_assert_msg(strcmp(got, want) == 0, "%s:\n got %s\nwant %s", name, shown(span_of(got)), shown(span_of(want)));
}

void expect_row(const struct row *row)
{
	static struct rig rig;
	char why[256];
	rig_init(&rig, &row->model);
	expect_text(row->name, rig_run(&rig, row->events), row->want);
	ck_assert_msg(rig_check_balance(&rig, why, sizeof(why)) == 0, "%s: %s", row->name, why);
	rig_fini(&rig);
}

void expect_refusal(const struct refusal *refusal)
{
	char got[2048];
	rig_problems(&refusal->model, got, sizeof(got));
	ck_assert_msg(got[0] != '\0', "%s: not refused", refusal->name);
	ck_assert_msg(strstr(got, refusal->want) != NULL, "%s:\n got %s\nwant %s", refusal->name, got, refusal->want);
}
