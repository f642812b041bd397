/* What the running agent gives up for good, once everything is open: new privileges, and, where the build has libseccomp, every
 * system call that it does not need. A forbidden call fails with EPERM and a warning in the log that names it. */
#ifndef STATSIDECAR_SANDBOX_H
#define STATSIDECAR_SANDBOX_H

/* Where the kernel takes no filter it is a warning, and the agent runs without. */
void sandbox_enter(void);

/* Whether the build has the filter: not without libseccomp, nor with sanitizers, whose calls are not the agent's. */
int sandbox_has_filter(void);

#endif
