#define _GNU_SOURCE
#include "sandbox_trap.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "base/span.h"
#include "log.h"

enum {
	CALLS_MAX = 512, /* numbers of system calls; those of 2024 end below 470 */
	NAME_SIZE = 32,
	TELLINGS_MAX = 5, /* of one call: a loop of them must not fill the log */
};

static char names[CALLS_MAX][NAME_SIZE];
static volatile uint8_t tellings[CALLS_MAX];

/* The register that a system call's result is returned in; at the time of the signal the call is behind us. */
#if defined(__x86_64__)
#define RESULT_OF(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__i386__)
#define RESULT_OF(context) ((context)->uc_mcontext.gregs[REG_EAX])
#elif defined(__aarch64__)
#define RESULT_OF(context) ((context)->uc_mcontext.regs[0])
#elif defined(__arm__)
#define RESULT_OF(context) ((context)->uc_mcontext.arm_r0)
#elif defined(__riscv)
#define RESULT_OF(context) ((context)->uc_mcontext.__gregs[REG_A0])
#elif defined(__s390x__)
#define RESULT_OF(context) ((context)->uc_mcontext.gregs[2])
#endif

#ifdef RESULT_OF

/* printf is not to be called from a signal's handler. */
static char *put_text(char *out, const char *text)
{
	while (*text != '\0')
		*out++ = *text++;
	return out;
}

static char *put_number(char *out, unsigned number)
{
	char digits[16];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (count > 0)
		*out++ = digits[--count];
	return out;
}

static void trap_tell(unsigned number)
{
	char text[128];
	char *end = put_text(text, "sandbox: system call ");

	end = put_number(end, number);
	if (number < CALLS_MAX && names[number][0] != '\0') {
		end = put_text(end, " (");
		end = put_text(end, names[number]);
		end = put_text(end, ")");
	}
	end = put_text(end, " is forbidden: it fails with EPERM");
	log_from_signal(LOG_LEVEL_WARN, (struct span){text, (size_t)(end - text)});
}

static void trap_on_signal(int signal_number, siginfo_t *info, void *context)
{
	unsigned number = (unsigned)info->si_syscall;
	int saved = errno;

	(void)signal_number;
	if (number >= CALLS_MAX || tellings[number] < TELLINGS_MAX) {
		if (number < CALLS_MAX)
			tellings[number]++;
		trap_tell(number);
	}
	errno = saved;
	RESULT_OF((ucontext_t *)context) = (__typeof__(RESULT_OF((ucontext_t *)context)))-EPERM;
}

int sandbox_trap_install(sandbox_name *name)
{
	struct sigaction action = {.sa_sigaction = trap_on_signal, .sa_flags = SA_SIGINFO};

	for (int number = 0; number < CALLS_MAX; number++) {
		const char *found = name(number);

		if (found != NULL)
			snprintf(names[number], NAME_SIZE, "%s", found);
	}
	sigemptyset(&action.sa_mask);
	return sigaction(SIGSYS, &action, NULL) == 0;
}

#else

int sandbox_trap_install(sandbox_name *name)
{
	(void)name;
	return 0;
}

#endif
