/* /: the status page. Its script and style run by a nonce that is another each time, and nothing else does: what events bring
 * stays text even where the page should err. */
#include <stdlib.h>
#include <sys/random.h>

#include "admin/page.h"
#include "settings/carried.h"
#include "clock.h"

enum { NONCE_BYTES = 16, NONCE_LEN = 2 * NONCE_BYTES };

static const char placeholder[] = "@NONCE@";

static void nonce_make(char *text)
{
	unsigned char bytes[NONCE_BYTES];
	int64_t now_ns = clock_monotonic_ns();

	if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != sizeof bytes) {
		memset(bytes, 0, sizeof bytes);
		memcpy(bytes, &now_ns, sizeof now_ns);
	}
	for (int i = 0; i < NONCE_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

int home_write(struct admin *admin, struct evkeyvalq *headers, FILE *out)
{
	char nonce[NONCE_LEN + 1];
	char policy[512];
	char *page = carried_unpack(carried_find("status"));
	const char *at = page;
	const char *next;

	(void)admin;
	if (page == NULL)
		return HTTP_INTERNAL;
	nonce_make(nonce);
	snprintf(policy, sizeof policy,
	         "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; img-src data:; "
	         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
	         nonce, nonce);
	evhttp_add_header(headers, "Content-Security-Policy", policy);
	for (; (next = strstr(at, placeholder)) != NULL; at = next + sizeof placeholder - 1) {
		fwrite(at, 1, (size_t)(next - at), out);
		fputs(nonce, out);
	}
	fputs(at, out);
	free(page);
	return HTTP_OK;
}
