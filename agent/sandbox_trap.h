/* The signal that the kernel sends in the place of a forbidden system call. */
#ifndef STATSIDECAR_SANDBOX_TRAP_H
#define STATSIDECAR_SANDBOX_TRAP_H

/* What the call with that number is called, or NULL. Kept: the handler itself can ask nobody. */
typedef const char *sandbox_name(int number);

/* From now on such a call returns EPERM, after a line in the log: the first few times of each call. 0 where this machine's
 * registers are not known here: the filter must give EPERM by itself then. */
int sandbox_trap_install(sandbox_name *name);

#endif
