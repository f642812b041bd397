/* /healthz, /readyz: for Kubernetes and load balancers. */
#include "admin/page.h"

int healthz_write(struct admin *admin, const char *query, FILE *out)
{
	(void)admin;
	(void)query;
	fputs("ok\n", out);
	return HTTP_OK;
}

int readyz_write(struct admin *admin, const char *query, FILE *out)
{
	const struct agent_view *view = agent_view(admin->agent);
	const char *why = view->is_stopping ? "stopping" : agent_not_ready(admin->agent);

	(void)query;
	if (why == NULL)
		fputs("ready\n", out);
	else
		fprintf(out, "not ready: %s\n", why);
	if (!view->last_reload_successful)
		fprintf(out, "the last reload was refused, the configuration before it is in force:\n%s\n", view->reload_faults);
	return why == NULL ? HTTP_OK : HTTP_SERVUNAVAIL;
}
